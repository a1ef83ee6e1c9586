"""A whole till for a measurement: the daemon and the rig in processes of their own, on loopback.

Everything ends with its `with` block; a kill -9 of the benchmark takes the children with it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import ssl
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.process import HIL, Process

if str(HIL) not in sys.path:  # the rig and its children are no package of the product
    sys.path.insert(0, str(HIL))

from dev_api import ask_as_root, mint_token

READY_S: Final = 30.0
STOP_S: Final = 30.0
ANSWER_S: Final = 30.0
POLL_S: Final = 0.01
ROLES: Final = ("cashier", "supervisor", "engineer")
SALE: Final = {
    "pos_id": "POS-001",
    "type": "sale",
    "cashier": {"name": "Петрова А."},
    "items": [{"name": "Оправа", "qty": 1, "price": "1990.00", "vat": "22%"}],
    "payments": [{"method": "cash", "amount": "2000.00"}],
}
SETTINGS: Final = """\
[till]
state_dir = "{folder}/till"
[api]
listen = "127.0.0.1:{port}"
metrics = ""
socket = "{folder}/api.sock"
names = ["127.0.0.1"]
[printer]
url = "{printer}"
print_timeout_ms = 30000
max_unprinted = 100
[ofd]
url = "{ofd}"
token_file = "{folder}/ofd.token"
[organisation]
inn = "9706048530"
name = "ООО «Оптика»"
address = "Москва, Тверская, 1"
[buffer]
capacity = 10000
"""


class Rig:
    """Registrar, ОФД and control port in one process; `options` are those of `python -m rig`."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.ofd_token = secrets.token_hex(16)
        command = ["-m", "rig", "--state", str(folder / "rig"), *options]
        command += [f"--ofd-token={self.ofd_token}"]
        self._process = Process(command, folder / "rig.log", announces=True)
        found = json.loads(self._process.first_line(READY_S))
        self.printer, self.ofd, self._control = found["printer"], found["ofd"], found["control"]

    @property
    def printer_address(self) -> tuple[str, int]:
        parts = urlsplit(self.printer)
        return str(parts.hostname), int(parts.port or 0)

    def fault(self, target: str, fault: str, times: int | None = None, **how: object) -> None:
        """Break something; `times` None until `mend`."""
        body = {"target": target, "fault": fault, "times": times, **how}
        self.ask("POST", "/faults", {key: one for key, one in body.items() if one is not None})

    def mend(self) -> None:
        """Take every fault away."""
        self.ask("DELETE", "/faults")

    def stored(self) -> int:
        """How many receipts the ОФД holds."""
        return len(self.ask("GET", "/ofd/stored"))

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One question to the control port."""
        connection = http.client.HTTPConnection(urlsplit(self._control).netloc, timeout=ANSWER_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise RuntimeError(f"rig: {method} {path} answered {response.status} {content!r}")
        return json.loads(content or b"null")

    def stop(self) -> None:
        self._process.stop(STOP_S)


class Client:
    """One HTTPS connection that stays open, as a cash desk's; opened again when it was closed."""

    def __init__(self, port: int, ca_file: Path, token: str) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=ANSWER_S, context=context
        )
        self._token = token

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON."""
        status, content = self.exchange(method, path, None if body is None else dump(body))
        return status, json.loads(content)

    def exchange(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The same in bytes, so that nothing but the exchange is timed."""
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": str(uuid.uuid4())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ssl.SSLEOFError):
            self._connection.close()  # idle too long; the key makes a second try harmless
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
        return response.status, response.read()

    def sell(self) -> float:
        """One printed sale; returns its seconds."""
        body = dump(SALE)
        began_s = time.perf_counter()
        status, content = self.exchange("POST", "/v1/kkt/receipt", body)
        took_s = time.perf_counter() - began_s
        assert status == 200, (status, content)
        return took_s

    def close(self) -> None:
        self._connection.close()


class Till:
    """kktd over one directory; started and stopped as often as wanted."""

    def __init__(
        self, folder: Path, rig: Rig, *, printer: str | None = None, extra: str = ""
    ) -> None:
        """`printer` is where it finds one, the rig's by default; `extra` is more TOML."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = _free_port()
        self.settings = folder / "kktd.toml"
        (folder / "ofd.token").write_text(rig.ofd_token)
        text = SETTINGS.format(
            folder=folder, port=self.port, printer=printer or rig.printer, ofd=rig.ofd
        )
        self.settings.write_text(text + extra)
        self._process: Process | None = None
        self._tokens: dict[str, str] = {}

    @property
    def database(self) -> Path:
        return self.folder / "till" / "kktd.db"

    @property
    def ca_file(self) -> Path:
        return self.folder / "till" / "tls" / "ca.pem"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Seconds from starting the process to READY=1 on its NOTIFY_SOCKET."""
        notified = self.folder / "notify.sock"
        notified.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(notified))
            listener.settimeout(POLL_S)
            command = ["-m", "kktd.daemon", "--config", str(self.settings)]
            began_s = time.perf_counter()
            self._process = Process(command, self.folder / "kktd.log", NOTIFY_SOCKET=str(notified))
            while time.perf_counter() - began_s < READY_S:
                self._process.check()
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in listener.recv(4096):
                        return time.perf_counter() - began_s
        raise TimeoutError(f"kktd is not ready: {self._process.last_lines()}")

    def client(self, role: str = "cashier") -> Client:
        """A connection of its own."""
        if role not in self._tokens:
            self._tokens[role] = mint_token(self.folder / "api.sock", role)
        return Client(self.port, self.ca_file, self._tokens[role])

    def status(self) -> Any:
        """GET /v1/kkt/buffer/status."""
        return ask_as_root(self.folder / "api.sock", "GET", "/v1/kkt/buffer/status")[1]

    def wait_delivered(self, seconds: float = 60.0) -> None:
        """Until nothing waits for the ОФД; raises TimeoutError."""
        until_s = time.monotonic() + seconds
        while self.status()["current_queued"]:
            if time.monotonic() > until_s:
                raise TimeoutError("receipts still wait for the ОФД")
            time.sleep(0.1)  # each look costs the till a little

    def kill(self) -> None:
        """kill -9: an unclean stop."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(STOP_S)
            self._process = None


@contextlib.contextmanager
def a_rig(folder: Path, *options: str) -> Iterator[Rig]:
    """A rig until the block ends."""
    rig = Rig(folder, *options)
    try:
        yield rig
    finally:
        rig.stop()


@contextlib.contextmanager
def a_till(
    folder: Path, rig: Rig, *, printer: str | None = None, extra: str = ""
) -> Iterator[Till]:
    """A running daemon until the block ends."""
    till = Till(folder, rig, printer=printer, extra=extra)
    try:
        till.start()
        yield till
    finally:
        till.stop()


def dump(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def resident_mib(pid: int) -> float:
    """RSS of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
