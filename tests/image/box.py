"""Two boxes of one image: one that sells and is looked into, one that was given bad settings."""

from __future__ import annotations

import base64
import json
import time
import uuid
from pathlib import Path
from typing import Any, Final

import requests
import urllib3
from dev_state import DevState
from look import Look
from till import Bench
from virtual_till import VirtualTill
from wire import Wire

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

SALE: Final = {
    "pos_id": "POS-001",
    "type": "sale",
    "cashier": {"name": "Петрова А."},
    "items": [{"name": "Оправа", "qty": 1, "price": "1990.00", "vat": "22%"}],
    "payments": [{"method": "cash", "amount": "2000.00"}],
}
BAD_SETTINGS: Final = '[till]\npos_ids = ["POS-001"]\n\n[printer]\nfamily = "abacus"\n'
SAID_S: Final = 600.0
SELL_INSIDE: Final = """\
import http.client, json, socket
line = http.client.HTTPConnection("till", timeout=120)
line.sock = socket.socket(socket.AF_UNIX)
line.sock.connect("/run/kktd/api.sock")
head = {{"Idempotency-Key": "{key}", "Content-Type": "application/json"}}
line.request("POST", "/v1/kkt/receipt", {sale!r}.encode(), head)
answer = line.getresponse()
print(json.dumps([answer.status, json.loads(answer.read())]))
"""
INTRUDER: Final = """\
[Service]
ExecStart=/bin/echo INTRUDER-WAS-HERE
StandardOutput=tty
TTYPath=/dev/console
"""


class Box:
    """The till that sells, with the rig at its cables."""

    def __init__(self, state: DevState, image: Path) -> None:
        self.bench = Bench(state, image, watched=True)
        self.till = self.bench.till
        self.wire = Wire()
        self._found: dict[str, Any] = {}

    @property
    def look(self) -> Look:
        assert self.bench.look is not None
        return self.bench.look

    @property
    def ready_s(self) -> float:
        """From power on to a till that sells."""
        return float(self._found["ready_s"])

    def start(self) -> None:
        self._found = self.bench.start(self.wire.machine())

    def power_on(self) -> None:
        self.bench.power_on(self.wire.machine())

    def stop(self) -> None:
        self.bench.stop()
        self.wire.close()

    def run(self, command: str) -> str:
        """Output of a shell command in the till, without the last line's end; raises Failed."""
        return self.look.run(command).rstrip("\n")

    def sell(self, key: str = "") -> requests.Response:
        return requests.post(
            f"{self._found['api']}/v1/kkt/receipt",
            json=SALE,
            headers={
                "Authorization": f"Bearer {self._found['tokens']['admin']}",
                "Idempotency-Key": key or str(uuid.uuid4()),
            },
            verify=False,  # its CA is inside the box  # noqa: S501
            timeout=120,
        )

    def rig(self, path: str, body: object = None) -> Any:
        """GET, or POST with a body, to the rig's control."""
        address = f"{self._found['rig']}{path}"
        answer = (
            requests.get(address, timeout=30)
            if body is None
            else requests.post(address, json=body, timeout=30)
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def receipts_in_fn(self) -> int:
        return sum(1 for one in self.rig("/fn/documents") if one["type"] == "receipt")

    def boots(self) -> int:
        """How often the kernel has begun, by the console."""
        return self.till.console.read_text(encoding="utf-8", errors="replace").count("Welcome to ")

    def plug_network(self, plugged: bool) -> None:
        """The cable between the till and the shop's switch."""
        assert "return" in self.till.command("set_link", name="lan", up=plugged)

    def sell_at_the_till(self) -> Any:
        """Status and body of a sale over root's socket: for a till without a network."""
        program = SELL_INSIDE.format(key=uuid.uuid4(), sale=json.dumps(SALE))
        encoded = base64.b64encode(program.encode()).decode()
        return json.loads(self.run(f"echo {encoded} | base64 -d | python3 -"))


class RefusedBox:
    """The image as it is shipped, given bad settings and a unit by its firmware."""

    def __init__(self, state: DevState, image: Path) -> None:
        self.till = VirtualTill(state.root / "box", image, state.ports)

    def start(self) -> None:
        self.till.make()
        self.till.provision(BAD_SETTINGS, {})
        unit = base64.b64encode(INTRUDER.encode()).decode()
        credential = "io.systemd.credential.binary:systemd.extra-unit.intruder.service"
        self.till.power_on(
            [
                *("-smbios", f"type=11,value={credential}={unit}"),
                *("-smbios", "type=11,value=io.systemd.credential:agetty.autologin=root"),
            ]
        )
        self.wait_for("Multi-User System")

    def stop(self) -> None:
        self.till.power_cut()

    def said(self) -> str:
        """All of its screen, nothing before QEMU is there."""
        if not self.till.console.exists():
            return ""
        return self.till.console.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str) -> None:
        until_s = time.monotonic() + SAID_S
        while text not in self.said():
            self.till.check()
            assert time.monotonic() < until_s, self.said()[-2_000:]
            time.sleep(0.5)
