"""What the developer's till keeps between runs: ports, secrets and the settings file."""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
import tempfile
import time
from pathlib import Path
from typing import Final

PORT_NAMES: Final = ("api", "metrics", "printer", "ofd", "odoo", "control")
FURTHER_PORTS: Final = ("printer", "control")  # of each registrar after the first
# Below the range the kernel takes for outgoing connections, so that none of those is in the way.
PORT_RANGE: Final = range(20_000, 30_000)
PATIENCE_S: Final = 3.0  # for a killed predecessor to let go of its ports
SOCKET_PATH_MAX: Final = 100  # of the 108 bytes sockaddr_un has
POS_ID: Final = "POS-001"
INN: Final = "9706048530"  # the simulated registrar's owner


SETTINGS: Final = """\
# Written at each start of the developer's till; changes made here do not last.
[till]
pos_ids = {pos_ids}
timezone = "Europe/Moscow"
state_dir = "{state}/till"

[api]
listen = "127.0.0.1:{api}"
socket = "{socket}"
metrics = "127.0.0.1:{metrics}"
names = ["localhost", "127.0.0.1"]

[printer]
family = "shtrih"
url = "{printer_url}"
{further}
[ofd]
url = "{ofd_url}"
token_file = "{state}/ofd.token"

[odoo]
url = "{odoo_url}"
token_file = "{state}/odoo.token"

[organisation]
inn = "{inn}"
name = "ООО «Оптика»"
address = "Москва, Тверская, 1"
tax_system = "osn"
"""


def pos_id_of(number: int) -> str:
    """Of the till with this registrar, counted from 1."""
    return f"POS-{number:03}"


class StateInUse(Exception):
    """Another runner holds this directory."""


class DevState:
    """One state directory, held by one runner at a time."""

    def __init__(self, root: Path, tills: int = 1) -> None:
        """A registrar for each till; ports of those after the first are `printer2` and so on."""
        self.further = range(2, tills + 1)
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        (self.root / "till").mkdir(exist_ok=True)
        self._lock = (self.root / "dev.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateInUse(f"another ./build.sh dev runs with --state {root}") from error
        self.ports = self._choose_ports()
        self.socket = self._socket_path()
        self.ofd_token = self._token("ofd")
        self.odoo_token = self._token("odoo")

    @property
    def settings_file(self) -> Path:
        return self.root / "kktd.toml"

    @property
    def ca_file(self) -> Path:
        return self.root / "till" / "tls" / "ca.pem"

    def log(self, name: str) -> Path:
        return self.root / "log" / f"{name}.log"

    def write_settings(self, printer_urls: list[str], ofd_url: str, odoo_url: str) -> None:
        further = [
            f'\n[printers.n{number}]\nurl = "{url}"\npos_ids = ["{pos_id_of(number)}"]\n'
            for number, url in zip(self.further, printer_urls[1:], strict=True)
        ]
        text = SETTINGS.format(
            **self.ports,
            state=self.root,
            socket=self.socket,
            pos_ids=json.dumps([POS_ID, *map(pos_id_of, self.further)]),
            inn=INN,
            printer_url=printer_urls[0],
            further="".join(further),
            ofd_url=ofd_url,
            odoo_url=odoo_url,
        )
        self.settings_file.write_text(text, encoding="utf-8")

    def read_tokens(self) -> dict[str, str]:
        try:
            tokens: dict[str, str] = json.loads(self._tokens_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return {}  # none yet, or cut by kill -9: they are made anew
        return tokens

    def write_tokens(self, tokens: dict[str, str]) -> None:
        write_secret(self._tokens_file, json.dumps(tokens))

    @property
    def _tokens_file(self) -> Path:
        return self.root / "tokens.json"

    def _token(self, whose: str) -> str:
        file = self.root / f"{whose}.token"
        if not file.exists() or not file.read_text(encoding="ascii"):
            write_secret(file, secrets.token_urlsafe(24))
        return file.read_text(encoding="ascii")

    def _socket_path(self) -> Path:
        path = self.root / "api.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        return Path(tempfile.mkdtemp(prefix="kktd-")) / "api.sock"

    def _choose_ports(self) -> dict[str, int]:
        """Those of the last run where they are free, so that a browser's tab goes on working."""
        file = self.root / "ports.json"
        try:
            last: dict[str, int] = json.loads(file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            last = {}
        taken: dict[str, int] = {}
        further = [f"{name}{number}" for number in self.further for name in FURTHER_PORTS]
        for name in (*PORT_NAMES, *further):
            port = last.get(name)
            if port is None or not _becomes_free(port):
                port = _free_port(set(taken.values()) | set(last.values()))
            taken[name] = port
        file.write_text(json.dumps(taken), encoding="ascii")
        return taken


def write_secret(file: Path, text: str) -> None:
    """0600 from the first byte on, and whole or not at all."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    draft.replace(file)


def _becomes_free(port: int) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not _is_free(port):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    for port in random.sample(PORT_RANGE, 200):
        if port not in taken and _is_free(port):
            return port
    raise OSError(f"no free port in {PORT_RANGE}")
