"""The real thing in processes of its own: `python -m kktd.daemon` and the rig, over TCP and TLS."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import requests
from children import Child
from dev_api import ask_as_root, mint_token

from tests.support.activator import Activator

REPOSITORY: Final = Path(__file__).resolve().parents[2]
READY_S: Final = 30.0
ANSWER_S: Final = 30.0
ENVIRONMENT: Final = {
    "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests' / 'hil'}",
    "PYTHONUNBUFFERED": "1",
}


class LiveRig:
    """Printer, ОФД and control port in one process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ofd_token = secrets.token_hex(16)
        self.odoo_token = secrets.token_hex(16)
        command = [sys.executable, "-m", "rig", "--state", str(folder / "rig"), *options]
        command += [f"--ofd-token={self.ofd_token}", f"--odoo-token={self.odoo_token}"]
        self._child = Child("rig", command, folder / "rig.log", ENVIRONMENT, announces=True)
        self.addresses = self._announced()

    def _announced(self) -> dict[str, Any]:
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            self._child.check()
            if (found := self._child.find_announcement()) is not None:
                return found
            time.sleep(0.02)
        raise TimeoutError(self._child.last_lines())

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def fault(self, target: str, fault: str, times: int | None = None, **how: object) -> None:
        """Break something."""
        body = {"target": target, "fault": fault, "times": times, **how}
        self._ask("POST", "/faults", {key: one for key, one in body.items() if one is not None})

    def tell(self, path: str, body: object) -> Any:
        """Set something."""
        return self._ask("POST", path, body)

    def mend(self) -> None:
        """Take every fault away."""
        self._ask("DELETE", "/faults")

    def fn_receipts(self) -> list[dict[str, Any]]:
        return [one for one in self.get("/fn/documents") if one["type"] == "receipt"]

    def delivered_keys(self) -> list[str]:
        """Key of every receipt the ОФД stored, once for each."""
        rows = self.get("/ofd/receipts")
        return [row["key"] for row in rows if row["outcome"] == "stored"]

    def stop(self) -> None:
        self._child.stop(5.0)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.addresses['control']}{path}"
        request = Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - loopback
        with urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read() or b"null")


class LiveDaemon:
    """kktd on a state directory that outlives it; ports stay the same over restarts."""

    def __init__(self, folder: Path, rig: LiveRig, extra: str = "", ofd: str = "") -> None:
        self.folder = folder
        self.port, self.metrics_port = _free_ports(2)
        self.socket = folder / "api.sock"
        self.config = folder / "kktd.toml"
        self.log = folder / "kktd.log"
        (folder / "ofd.token").write_text(rig.ofd_token)
        (folder / "odoo.token").write_text(rig.odoo_token)
        self.config.write_text(
            f"""
[till]
state_dir = "{folder / "till"}"
[api]
listen = "127.0.0.1:{self.port}"
metrics = "127.0.0.1:{self.metrics_port}"
socket = "{self.socket}"
[printer]
url = "{rig.addresses["printer"]}"
[ofd]
url = "{rig.addresses["ofd"]}"
token_file = "{folder / "ofd.token"}"
{ofd}
[organisation]
inn = "9706048530"
name = "ООО «Оптика»"
address = "Москва, Тверская, 1"
{extra}
"""
        )
        self.environment: dict[str, str] = {}
        self.activator: Activator | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.tokens: dict[str, str] = {}

    @property
    def api(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "till" / "tls" / "ca.pem"

    def start(self) -> None:
        """Returns when it is ready."""
        command = [sys.executable, "-m", "kktd.daemon", "--config", str(self.config)]
        activator = self.activator
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                activator.command(command) if activator else command,
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT, **self.environment},
                pass_fds=activator.fds if activator else (),
            )
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"kktd ended with {self.process.returncode}: {self.last_lines()}"
                )
            try:
                if ask_as_root(self.socket, "GET", "/v1/ready")[0] == 200:
                    break
            except OSError:
                time.sleep(0.02)
        else:
            raise TimeoutError(self.last_lines())
        if not self.tokens:
            roles = ("cashier", "supervisor", "engineer")
            self.tokens = {role: mint_token(self.socket, role) for role in roles}

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def session(self) -> requests.Session:
        """A client that trusts the till's CA."""
        session = requests.Session()
        session.verify = str(self.ca_file)
        session.trust_env = False
        return session

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        role: str = "cashier",
        key: str | None = None,
        session: requests.Session | None = None,
    ) -> requests.Response:
        """One request with a token and a key of its own."""
        return (session or self.session()).request(
            method,
            f"{self.api}{path}",
            json=body,
            headers={
                "Authorization": f"Bearer {self.tokens[role]}",
                "Idempotency-Key": key or str(uuid.uuid4()),
            },
            timeout=ANSWER_S,
        )

    def sell(self, rubles: str = "199.00", key: str | None = None) -> requests.Response:
        return self.ask("POST", "/v1/kkt/receipt", a_sale(rubles), key=key)

    def sell_in_background(self, key: str) -> Future[requests.Response]:
        """A sale whose answer is asked for later."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self.sell, key=key)
        pool.shutdown(wait=False)
        return future

    def wait_until(self, what: Any, seconds: float = 30.0) -> None:
        """Poll until `what()` is true; raises TimeoutError."""
        deadline_s = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline_s:
                raise TimeoutError(self.last_lines())
            time.sleep(0.05)


def a_sale(rubles: str = "199.00", cash: bool = True) -> dict[str, Any]:
    return {
        "pos_id": "POS-001",
        "type": "sale",
        "cashier": {"name": "Петрова А."},
        "items": [{"name": "Салфетка", "qty": 1, "price": rubles, "vat": "22%"}],
        "payments": [{"method": "cash" if cash else "card", "amount": rubles}],
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
