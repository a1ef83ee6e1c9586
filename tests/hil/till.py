"""The built image as a virtual till with the rig at its cables, until SIGTERM.

./build.sh till runs it.  The same --state goes on where it stood: disk, FN and what the ОФД has.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import requests
import urllib3
from children import Child, ChildDied
from dev_state import INN, POS_ID, DevState, StateInUse
from look import Look
from virtual_till import HOST, REPOSITORY, VirtualTill

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

READY_S: Final = 600.0  # emulated, on a busy machine
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
CODE: Final = re.compile(r"код\s+(\d{4} \d{4})")
SETTINGS: Final = """\
[till]
pos_ids = ["{pos_id}"]

[printer]
family = "shtrih"
url = "usb://0403:6001"

[ofd]
url = "{ofd}"
token_file = "/etc/kktd/secrets/ofd.token"

[odoo]
url = "{odoo}"
token_file = "/etc/kktd/secrets/odoo.token"

[organisation]
inn = "{inn}"
name = "ООО «Оптика»"
address = "Москва, Тверская, 1"
tax_system = "osn"
"""
TEXT: Final = """\
The till is ready.  Ctrl-C pulls its plug; {state} keeps it.

  API      {api}  (curl -k: its CA is in the box)
  rig      {rig}
  console  {console}
  monitor  {monitor}
  admin    {admin}

A sale and what the FN has signed:

  curl -k -H 'Authorization: Bearer {admin}' \\
    -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" \\
    -H 'Content-Type: application/json' -d '{sale}' {api}/v1/kkt/receipt
  curl {rig}/fn/documents
"""
SALE: Final = (
    '{"pos_id":"POS-001","type":"sale","cashier":{"name":"Петрова А."},'
    '"items":[{"name":"Оправа","qty":1,"price":"1990.00","vat":"22%"}],'
    '"payments":[{"method":"cash","amount":"2000.00"}]}'
)


class Stopped(Exception):
    """SIGTERM or Ctrl-C came."""


class Bench:
    """The rig's process and the virtual till of one state directory."""

    def __init__(self, state: DevState, image: Path, *, watched: bool = False) -> None:
        """`watched` gives tests a root's eyes, `look`, by an add-on on the disk of this one box."""
        self._state = state
        self._rig: Child | None = None
        self.till = VirtualTill(state.root / "box", image, state.ports)
        self.look = Look(self.till) if watched else None

    def start(self, extra: Sequence[str] = ()) -> dict[str, Any]:
        """Returns the line for scripts when the till answers; raises ChildDied, TimeoutError."""
        rig = self._start_rig()
        new = not self.till.disk.exists()
        self.till.make()
        if new:
            places = {name: str(rig[name]).replace("127.0.0.1", HOST) for name in ("ofd", "odoo")}
            secrets = {"ofd.token": self._state.ofd_token, "odoo.token": self._state.odoo_token}
            self.till.provision(SETTINGS.format(pos_id=POS_ID, inn=INN, **places), secrets)
        started_s = time.monotonic()
        self.power_on(extra)
        self.wait(self.sells)
        ready_s = time.monotonic() - started_s
        tokens = self._state.read_tokens()
        if not tokens:
            self.wait(lambda: self._code() is not None)
            tokens = {"admin": self._pair(self._code() or "")}
            self._state.write_tokens(tokens)
        return {
            "api": f"https://127.0.0.1:{self._state.ports['api']}",
            "metrics": f"http://127.0.0.1:{self._state.ports['metrics']}/metrics",
            "rig": rig["control"],
            "ofd": rig["ofd"],
            "odoo": rig["odoo"],
            "tokens": tokens,
            "console": str(self.till.console),
            "monitor": str(self.till.monitor),
            "state": str(self._state.root),
            "ready_s": round(ready_s, 1),
        }

    def power_on(self, extra: Sequence[str] = ()) -> None:
        if self.look is None:
            self.till.power_on(extra)
            return
        self.look.install()
        self.till.power_on([*self.look.machine(), *extra])

    def _start_rig(self) -> dict[str, Any]:
        state, ports = self._state, self._state.ports
        command = [sys.executable, "-m", "rig", "--state", str(state.root / "rig")]
        command += [
            "--tcp",
            f"127.0.0.1:{ports['printer']}",
            "--control-port",
            str(ports["control"]),
        ]
        command += ["--ofd-port", str(ports["ofd"]), f"--ofd-token={state.ofd_token}"]
        command += [
            "--odoo-port",
            str(ports["odoo"]),
            f"--odoo-token={state.odoo_token}",
            "--inn",
            INN,
        ]
        environment = {"PYTHONPATH": str(REPOSITORY / "tests" / "hil"), "PYTHONUNBUFFERED": "1"}
        self._rig = Child("rig", command, state.log("rig"), environment, announces=True)
        found: list[dict[str, Any]] = []

        def announced() -> bool:
            assert self._rig is not None
            if (said := self._rig.find_announcement()) is not None:
                found.append(said)
            return bool(found)

        self.wait(announced)
        return found[0]

    def sells(self) -> bool:
        """The daemon answers, its printer is ready."""
        try:
            status, health = self.till.ask("/v1/health")
        except (OSError, ValueError):
            return False
        printer = health["components"]["kkt_device"]["status"]
        return status == 200 and bool(health["can_sell"]) and printer == "healthy"

    def _code(self) -> str | None:
        """The last one on the console."""
        said = self.till.console.read_text(encoding="utf-8", errors="replace")
        codes = CODE.findall(said)
        return codes[-1] if codes else None

    def _pair(self, code: str) -> str:
        answer = requests.post(
            f"https://127.0.0.1:{self._state.ports['api']}/v1/pair",
            json={"code": code},
            verify=False,  # its CA is inside the box  # noqa: S501
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["token"])

    def wait(self, what: Callable[[], bool]) -> None:
        """Until it is so; raises ChildDied, TimeoutError."""
        until_s = time.monotonic() + READY_S
        while not what():
            self.check()
            if time.monotonic() > until_s:
                raise TimeoutError(f"not ready within {READY_S:.0f} s: {self.till.console}")
            time.sleep(0.5)

    def check(self) -> None:
        """Raises ChildDied."""
        self.till.check()
        if self._rig is not None:
            self._rig.check()

    def stop(self) -> None:
        self.till.power_cut()
        if self._rig is not None:
            self._rig.stop(5.0)


def main() -> int:
    options = _options()

    def stop(_signal: int, _frame: object) -> NoReturn:
        raise Stopped

    for one in STOP_SIGNALS:
        signal.signal(one, stop)
    try:
        bench = Bench(DevState(options.state), options.image)
    except StateInUse as error:
        print(f"till: {error}", file=sys.stderr)
        return 1
    try:
        found = bench.start()
        if options.json:
            print(json.dumps(found), flush=True)
        else:
            shown = {**found, "admin": found["tokens"]["admin"], "sale": SALE}
            print(TEXT.format(**shown), flush=True)
        while True:
            bench.check()
            time.sleep(1)
    except Stopped:
        return 0
    except (ChildDied, TimeoutError) as error:
        print(f"till: {error}", file=sys.stderr)
        return 1
    finally:
        bench.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./build.sh till", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line for scripts")
    parser.add_argument("--state", type=Path, default=REPOSITORY / "build" / "till", metavar="DIR")
    parser.add_argument("--image", type=Path, required=True, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
