"""The whole bench in one process: registrar, ОФД and the control port over both.

python -m rig --state DIR --tcp 127.0.0.1:7778 prints one JSON line when it listens and runs until
SIGTERM.  One process, so that one board of faults and one control port see everything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from rig.clock import BenchClock
from rig.control import serve_control
from rig.faults import Faults
from rig.odoo import SimulatedOdoo
from rig.ofd import SimulatedOfd
from rig.printer import FN_NUMBER, SERIAL, SimulatedPrinter
from rig.transport import PtyTransport, TcpTransport
from rig.ups import SimulatedUps


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rig", description=__doc__)
    parser.add_argument("--state", metavar="DIR", type=Path, help="memory; without it RAM only")
    line = parser.add_mutually_exclusive_group()
    line.add_argument("--tcp", metavar="HOST:PORT", default="127.0.0.1:0", help="the registrar")
    line.add_argument("--pty", metavar="PATH", type=Path, help="or on a pseudo-terminal")
    parser.add_argument("--ofd-port", metavar="PORT", type=int, default=0, help="0 picks one")
    parser.add_argument("--ofd-token", metavar="TOKEN", default="rig-ofd", help="it asks for")
    parser.add_argument("--odoo-port", metavar="PORT", type=int, default=0, help="0 picks one")
    parser.add_argument("--odoo-token", metavar="KEY", default="rig-odoo", help="it asks for")
    parser.add_argument("--ups-pty", metavar="PATH", type=Path, help="a UPS, for apcupsd")
    parser.add_argument("--control-port", metavar="PORT", type=int, default=0, help="0 picks one")
    parser.add_argument("--timezone", default="Europe/Moscow", help="of the registrar's clock")
    parser.add_argument("--inn", default="9706048530", help="the registrar's owner")
    parser.add_argument("--serial", default=SERIAL, help="the registrar's")
    parser.add_argument("--fn", default=FN_NUMBER, help="the FN inside")
    parser.add_argument("--baud", type=int, help="pace bytes as this speed would")
    parser.add_argument(
        "--protocol", choices=("auto", "1", "2"), default="auto", help="auto: the first byte says"
    )
    parser.add_argument("--real-time", action="store_true", help="commands take their time")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before the first thread inherits its mask
    with contextlib.ExitStack() as stack:
        print(json.dumps(start(arguments, stack)), flush=True)
        signal.sigwait(stops)
    return 0


def start(arguments: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, object]:
    """Start everything; `stack` stops it in the opposite order.  Returns where it listens."""
    state: Path | None = arguments.state
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
    faults = Faults()
    clock = BenchClock(ZoneInfo(arguments.timezone), None if state is None else state / "clock")
    printer = SimulatedPrinter(
        state,
        faults,
        clock=clock,
        inn=arguments.inn,
        serial=arguments.serial,
        fn_number=arguments.fn,
        baud=arguments.baud,
        protocol=arguments.protocol,
        fast=not arguments.real_time,
        fsync=False,  # kill -9 is survived without it, and that is what the rig promises
    )
    stack.callback(printer.close)
    if arguments.pty is not None:
        pty = PtyTransport(printer, arguments.pty)
        stack.callback(pty.close)
        line = f"serial://{arguments.pty.absolute()}?baudrate=115200"
    else:
        host, _colon, port = arguments.tcp.rpartition(":")
        tcp = TcpTransport(printer, host or "127.0.0.1", int(port))
        stack.callback(tcp.close)
        line = f"tcp://{tcp.host}:{tcp.port}"
    ofd = SimulatedOfd(state, faults, arguments.ofd_token)
    ofd.start(arguments.ofd_port)
    stack.callback(ofd.close)
    odoo = SimulatedOdoo(state, faults, arguments.odoo_token)
    odoo.start(arguments.odoo_port)
    stack.callback(odoo.close)
    ups: SimulatedUps | None = None
    if arguments.ups_pty is not None:
        ups = SimulatedUps()
        stack.callback(PtyTransport(ups, arguments.ups_pty).close)
    control = serve_control(arguments.control_port, printer, ofd, faults, clock, odoo, ups)
    stack.callback(control.close)
    found: dict[str, object] = {
        "ready": "rig",
        "printer": line,
        "fn": printer.fn_status()["fn"],
        "ofd": ofd.url,
        "odoo": odoo.url,
        "control": control.url,
    }
    if ups is not None:
        found["ups"] = str(arguments.ups_pty.absolute())
    return found


if __name__ == "__main__":
    sys.exit(main())
