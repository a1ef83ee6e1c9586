"""A Shtrih-M registrar on a desk: python -m rig.shtrih --tcp 127.0.0.1:7778 --state DIR.

Prints one JSON line when it listens and runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.transport import PtyTransport, TcpTransport


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rig.shtrih", description=__doc__)
    parser.add_argument("--tcp", metavar="HOST:PORT", help="listen here; port 0 picks one")
    parser.add_argument("--pty", metavar="PATH", type=Path, help="link a pseudo-terminal here")
    parser.add_argument("--state", metavar="DIR", type=Path, help="memory; without it RAM only")
    parser.add_argument("--baud", type=int, help="pace bytes as this speed would")
    parser.add_argument("--real-time", action="store_true", help="commands take their time")
    parser.add_argument("--print-ms", type=int, default=0, help="printing of one document")
    parser.add_argument("--stray-ff", action="store_true", help="RNDIS: FF after the host's ACK")
    parser.add_argument(
        "--protocol", choices=("auto", "1", "2"), default="auto", help="auto: the first byte says"
    )
    parser.add_argument("--vat-bytes", choices=("standard", "nano"), default="nano")
    parser.add_argument("--no-fsync", action="store_true", help="faster; survives kill -9 only")
    parser.add_argument("--control", metavar="PORT", type=int, help="HTTP control port")
    arguments = parser.parse_args(argv)
    if not arguments.tcp and not arguments.pty:
        parser.error("--tcp or --pty is needed")
    return arguments


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    faults = Faults()
    printer = SimulatedPrinter(
        arguments.state,
        faults,
        fsync=not arguments.no_fsync,
        baud=arguments.baud,
        fast=not arguments.real_time,
        print_ms=arguments.print_ms,
        stray_ff=arguments.stray_ff,
        vat_bytes=arguments.vat_bytes,
        protocol=arguments.protocol,
    )
    ready: dict[str, object] = {"ready": "shtrih", "fn": printer.fn_status()["fn"]}
    closers = [printer.close]
    if arguments.tcp:
        host, _colon, port = arguments.tcp.rpartition(":")
        tcp = TcpTransport(printer, host or "127.0.0.1", int(port))
        closers.insert(0, tcp.close)
        ready["tcp"] = f"{tcp.host}:{tcp.port}"
    if arguments.pty:
        pty = PtyTransport(printer, arguments.pty)
        closers.insert(0, pty.close)
        ready["pty"] = str(arguments.pty)
    if arguments.control is not None:
        from rig.control import serve_control

        control = serve_control(arguments.control, printer, None, faults)
        closers.insert(0, control.close)
        ready["control"] = control.port
    print(json.dumps(ready), flush=True)
    stop.wait()
    for close in closers:
        close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
