"""The same device behind a socket, a pseudo-terminal and in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rig.faults import Faults
from rig.link import frame
from rig.link2 import frame2
from rig.printer import SimulatedPrinter
from rig.transport import PtyTransport, TcpTransport

from tests.rig.bench import (
    ACK,
    ENQ,
    FN_STATUS,
    NAK,
    OPEN_SHIFT,
    STATUS,
    close,
    open_receipt,
    operation,
)

RIG = Path(__file__).parents[1] / "hil"


class Host:
    """A blocking host on a real socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=2)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            if not more:
                raise ConnectionError(got.hex())
            got += more
        return got

    def ask(self, payload: bytes) -> bytes:
        self.socket.sendall(ENQ)
        assert self.read(1) == NAK
        self.socket.sendall(frame(payload))
        head = self.read(3)
        answer = self.read(head[2] + 1)[:-1]
        self.socket.sendall(ACK)
        return answer


@contextmanager
def served(**options: Any) -> Iterator[tuple[SimulatedPrinter, TcpTransport]]:
    printer = SimulatedPrinter(None, Faults(), **options)
    transport = TcpTransport(printer)
    try:
        yield printer, transport
    finally:
        transport.close()


def test_a_receipt_goes_over_tcp() -> None:
    with served() as (printer, transport):
        host = Host(transport.port)
        for payload in (OPEN_SHIFT, open_receipt(0), operation(), close(cash=10_000)):
            assert b"\0" in host.ask(payload)[1:3]
        assert printer.documents()[-1]["total_kopecks"] == 10_000


def test_a_new_connection_takes_the_place_of_the_old() -> None:
    with served() as (_printer, transport):
        first, second = Host(transport.port), Host(transport.port)
        assert second.ask(STATUS)[:2] == b"\x10\x00"
        with pytest.raises(ConnectionError):
            first.read(1)


def test_a_cut_line_closes_the_connection_and_the_answer_waits() -> None:
    with served(down_s=0.05) as (printer, transport):
        host = Host(transport.port)
        printer.faults.add(
            "printer", "cut_after", times=1, bytes=4, direction="to_host", command="open_shift"
        )
        host.socket.sendall(ENQ)
        assert host.read(1) == NAK
        host.socket.sendall(frame(OPEN_SHIFT))
        assert host.read(4)[:2] == ACK + b"\x02"
        with pytest.raises(ConnectionError):
            host.read(1)
        time.sleep(0.1)
        host = Host(transport.port)
        host.socket.sendall(ENQ)
        time.sleep(0.05)
        host.socket.sendall(ENQ)
        assert host.read(4)[3:] == b"\xe0"


def test_an_unplugged_till_accepts_nobody() -> None:
    with served() as (printer, transport):
        printer.unplug()
        with pytest.raises(ConnectionError):
            Host(transport.port).ask(STATUS)
        printer.plug()
        assert Host(transport.port).ask(STATUS)[1] == 0


def test_a_pseudo_terminal_speaks_the_same(tmp_path: Path) -> None:
    printer = SimulatedPrinter(None, Faults(), baud=115200)
    transport = PtyTransport(printer, tmp_path / "till")
    port = os.open(tmp_path / "till", os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(port, ENQ)
        assert os.read(port, 1) == NAK
        os.write(port, frame(FN_STATUS))
        heard = b""
        while len(heard) < 37:
            heard += os.read(port, 64)
        assert heard[3:6] == b"\xff\x01\x00"
    finally:
        os.close(port)
        transport.close()


OPENED2 = frame2(2, b"\xe0\0\x1e")


def test_the_alternative_low_level_goes_over_tcp_and_keeps_its_numbers() -> None:
    with served() as (printer, transport):
        host = Host(transport.port)
        host.socket.sendall(frame2(2, OPEN_SHIFT))
        assert host.read(len(OPENED2)) == OPENED2
        host = Host(transport.port)
        host.socket.sendall(frame2(2, OPEN_SHIFT))
        assert host.read(len(OPENED2)) == OPENED2
        assert len(printer.documents()) == 2


def test_the_alternative_low_level_goes_over_a_pseudo_terminal(tmp_path: Path) -> None:
    transport = PtyTransport(SimulatedPrinter(None, Faults(), baud=115200), tmp_path / "till")
    port = os.open(tmp_path / "till", os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(port, frame2(2, OPEN_SHIFT))
        heard = b""
        while len(heard) < len(OPENED2):
            heard += os.read(port, 64)
        assert heard == OPENED2
    finally:
        os.close(port)
        transport.close()


@pytest.mark.parametrize("module", ["rig", "rig.shtrih"])
def test_a_process_can_be_told_its_low_level(module: str) -> None:
    with process(None, module, "--protocol", "2") as (_running, port):
        host = Host(port)
        host.socket.sendall(ENQ + frame2(None))
        assert host.read(7) == frame2(1)


@contextmanager
def process(
    state: Path | None, module: str = "rig.shtrih", *more: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    memory = [] if state is None else ["--state", str(state)]
    with subprocess.Popen(
        [sys.executable, "-m", module, "--tcp", "127.0.0.1:0", *memory, *more],
        cwd=RIG,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            ready = json.loads(running.stdout.readline())
            yield running, int((ready.get("tcp") or ready["printer"]).rpartition(":")[2])
        finally:
            running.kill()


def test_a_killed_registrar_remembers_everything_it_has_answered(tmp_path: Path) -> None:
    with process(tmp_path) as (running, port):
        host = Host(port)
        host.ask(OPEN_SHIFT)
        host.ask(open_receipt(0))
        host.ask(operation())
        sold = host.ask(close(cash=10_000))
        running.send_signal(signal.SIGKILL)
        running.wait(5)
    with process(tmp_path) as (running, port):
        host = Host(port)
        assert host.ask(FN_STATUS)[29:33] == sold[8:12] == b"\3\0\0\0"
        assert host.ask(b"\xff\x0a\x1e\0\0\0\3\0\0\0")[14:18] == sold[12:16]
        running.send_signal(signal.SIGTERM)
        assert running.wait(5) == 0
