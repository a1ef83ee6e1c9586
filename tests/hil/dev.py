"""A whole till on a desk: kktd with the rig's printer and ОФД, until SIGTERM.

./build.sh dev runs it.  Everything it keeps stands in one directory, so that the same --state goes
on where it stood, also after kill -9 of everything.  Nothing listens beyond loopback.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn

from children import Child, ChildDied
from dev_api import ROLES, ask_as_root, mint_token, token_works
from dev_state import INN, POS_ID, DevState, StateInUse, pos_id_of

REPOSITORY: Final = Path(__file__).resolve().parents[2]
READY_S: Final = 60.0
KKTD_STOP_S: Final = 30.0  # as TimeoutStopSec of the unit
RIG_STOP_S: Final = 5.0
POLL_S: Final = 0.1
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
SALE: Final = (
    '{{"pos_id":"{pos_id}","type":"sale","cashier":{{"name":"Петрова А."}},'
    '"items":[{{"name":"Оправа","qty":1,"price":"1990.00","vat":"22%"}}],'
    '"payments":[{{"method":"cash","amount":"2000.00"}}]}}'
)
TEXT: Final = """\
The till is ready.  Ctrl-C stops it; {state} keeps it.

  API      {api}  (CA {ca_file})
  rig      {rig}  (printer {printer}, ОФД {ofd}, Odoo {odoo}, UPS {ups})
  socket   {socket}
  logs     {state}/log
{tokens}
Three lines to try: a sale, the buffer, the documents in the FN.

  curl --cacert {ca_file} -H 'Authorization: Bearer {cashier}' \\
    -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" -H 'Content-Type: application/json' \\
    -d '{sale}' {api}/v1/kkt/receipt
  curl --cacert {ca_file} {api}/v1/kkt/buffer/status
  curl {rig}/fn/documents
"""


class Stopped(Exception):
    """SIGTERM or Ctrl-C came."""


class Bench:
    """The processes of one state directory."""

    def __init__(self, state: DevState) -> None:
        self._state = state
        self._deadline_s = time.monotonic() + READY_S
        self._environment = {
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests' / 'hil'}",
            "PYTHONUNBUFFERED": "1",
        }
        self._rigs: list[Child] = []
        self._kktd: Child | None = None

    def start(self, pty: bool) -> dict[str, Any]:
        """Returns the line for scripts when the till answers; raises ChildDied, TimeoutError."""
        state, ports = self._state, self._state.ports
        line = (
            ["--pty", str(state.root / "printer.tty")]
            if pty
            else ["--tcp", f"127.0.0.1:{ports['printer']}"]
        )
        command = [sys.executable, "-m", "rig", "--state", str(state.root / "rig"), *line]
        # A token may begin with a dash.
        command += ["--ofd-port", str(ports["ofd"]), f"--ofd-token={state.ofd_token}"]
        command += ["--odoo-port", str(ports["odoo"]), f"--odoo-token={state.odoo_token}"]
        command += ["--control-port", str(ports["control"]), "--inn", INN]
        command += ["--ups-pty", str(state.root / "ups.tty")]
        rig = self._start_rig("rig", command)
        further = [self._start_further(number) for number in state.further]
        printers = [one["printer"] for one in (rig, *further)]
        state.write_settings(printers, ofd_url=rig["ofd"], odoo_url=rig["odoo"])
        command = [sys.executable, "-m", "kktd.daemon", "--config", str(state.settings_file)]
        self._kktd = Child("kktd", command, state.log("kktd"), self._environment)
        self._wait_until_ready()
        api = f"https://127.0.0.1:{ports['api']}"
        found = {
            "api": api,
            "ca_file": str(state.ca_file),
            "socket": str(state.socket),
            "tokens": self._tokens(api),
            "rig": rig["control"],
            "printer": rig["printer"],
            "ofd": rig["ofd"],
            "odoo": rig["odoo"],
            "ups": rig["ups"],
        }
        if further:
            found["further"] = {
                pos_id_of(number): {"rig": one["control"], "printer": one["printer"]}
                for number, one in zip(state.further, further, strict=True)
            }
        return found

    def _start_further(self, number: int) -> dict[str, Any]:
        """A registrar of its own kind; its ОФД and Odoo stay unused."""
        ports, name = self._state.ports, f"rig{number}"
        command = [sys.executable, "-m", "rig", "--state", str(self._state.root / name)]
        command += ["--tcp", f"127.0.0.1:{ports[f'printer{number}']}", "--inn", INN]
        command += ["--control-port", str(ports[f"control{number}"])]
        command += ["--serial", f"{number:016}", "--fn", f"99990789020191{number:02}"]
        return self._start_rig(name, command)

    def _start_rig(self, name: str, command: list[str]) -> dict[str, Any]:
        rig = Child(name, command, self._state.log(name), self._environment, announces=True)
        self._rigs.append(rig)
        while (found := rig.find_announcement()) is None:
            self._pause(name)
        return found

    def watch(self) -> NoReturn:
        """Returns never: raises ChildDied or Stopped."""
        while True:
            self._check()

    def stop(self) -> None:
        """The daemon first: it finishes the receipt it is printing."""
        if self._kktd is not None:
            self._kktd.stop(KKTD_STOP_S)
        for rig in self._rigs:
            rig.stop(RIG_STOP_S)

    def _check(self) -> None:
        """Let a moment pass; raises ChildDied and Stopped.

        Signals are blocked and asked for here alone: a handler that raises in the middle of
        Popen.poll() leaves its lock held for ever.
        """
        if signal.sigtimedwait(STOP_SIGNALS, POLL_S) is not None:
            raise Stopped
        for child in (self._kktd, *self._rigs):
            if child is not None:
                child.check()

    def _pause(self, name: str, answer: object = None) -> None:
        self._check()
        if time.monotonic() > self._deadline_s:
            raise TimeoutError(f"{name} is not ready after {READY_S:.0f} s: {answer}")

    def _wait_until_ready(self) -> None:
        answer: object = None
        while True:
            try:
                status, answer = ask_as_root(self._state.socket, "GET", "/v1/ready")
                if status == 200:
                    return
            except OSError as error:
                answer = error
            self._pause("kktd", answer)

    def _tokens(self, api: str) -> dict[str, str]:
        known = self._state.read_tokens()
        ca_file = self._state.ca_file
        tokens = {
            role: known[role]
            if role in known and token_works(api, ca_file, known[role])
            else mint_token(self._state.socket, role)
            for role in ROLES
        }
        self._state.write_tokens(tokens)
        return tokens


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./build.sh dev", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line when ready")
    parser.add_argument("--state", metavar="DIR", type=Path, default=Path(".state/dev"))
    parser.add_argument("--tills", type=int, choices=range(1, 5), default=1, help="and printers")
    parser.add_argument("--pty", action="store_true", help="the printer on a pseudo-terminal")
    return parser.parse_args(argv)


def describe(found: dict[str, Any], state: Path) -> str:
    tokens = "".join(f"  {role:<10} {token}\n" for role, token in found["tokens"].items())
    sale = SALE.format(pos_id=POS_ID)
    cashier = found["tokens"]["cashier"]
    further = "".join(
        f"  {pos_id}  rig {one['rig']}  (printer {one['printer']})\n"
        for pos_id, one in found.get("further", {}).items()
    )
    return further + TEXT.format(
        **{**found, "tokens": tokens}, state=state, sale=sale, cashier=cashier
    )


def _say(text: object) -> None:
    print(f"dev: {text}", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        state = DevState(arguments.state, arguments.tills)
    except (StateInUse, OSError) as error:
        _say(error)
        return 1
    bench = Bench(state)
    try:
        found = bench.start(arguments.pty)
        text = json.dumps(found) if arguments.json else describe(found, state.root)
        print(text, flush=True)
        bench.watch()
    except Stopped:
        return 0
    except ChildDied as died:
        _say(died)
        return died.child.exit_code() if died.child.name == "kktd" else 1
    except (OSError, RuntimeError) as error:  # TimeoutError is an OSError
        _say(error)
        return 1
    finally:
        bench.stop()


if __name__ == "__main__":
    sys.exit(main())
