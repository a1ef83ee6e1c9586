"""Ports in real time: a pseudo terminal and a loopback socket, each pulled out once."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import time
import tty
from collections.abc import Iterator

import pytest

from kktd.clock import Deadline, SystemClock
from kktd.errors import BadConfig
from kktd.settings_file import parse
from kktd.wire.address import open_port
from kktd.wire.port import Port, PortGone, SerialPort, TcpPort

CLOCK = SystemClock()
TIOCGEXCL = 0x80045440  # not in termios


def soon(ms: float = 2_000) -> Deadline:
    return Deadline.after_ms(CLOCK, ms)


class FarEnd:
    """The other side of a port, as a descriptor."""

    def __init__(self, port: Port, fd: int, *extra: int) -> None:
        self.port, self.fd, self._extra = port, fd, extra

    def hang_up(self) -> None:
        for fd in (self.fd, *self._extra):
            os.close(fd)
        self.fd = -1


@pytest.fixture(params=["serial", "tcp"])
def far(request: pytest.FixtureRequest) -> Iterator[FarEnd]:
    if request.param == "serial":
        master, slave = os.openpty()
        tty.setraw(slave)
        port: Port = open_port(f"serial://{os.ttyname(slave)}?baudrate=115200")
        port.open(soon())
        os.close(slave)
        end = FarEnd(port, master)
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = open_port(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
            port.open(soon())
            client, _ = listener.accept()
            end = FarEnd(port, client.detach())
    yield end
    port.close()
    if end.fd >= 0:
        os.close(end.fd)


def test_bytes_go_both_ways(far: FarEnd) -> None:
    far.port.write(b"\x05abc", soon())
    assert os.read(far.fd, 10) == b"\x05abc"
    os.write(far.fd, b"\x15\x11\x13\x00")  # XON and XOFF are bytes like others
    received = b""
    while len(received) < 4:
        received += far.port.read(10, soon())
    assert received == b"\x15\x11\x13\x00"


def test_reading_ends_at_the_deadline(far: FarEnd) -> None:
    started_s = time.monotonic()
    assert far.port.read(10, soon(50)) == b""
    assert 0.04 < time.monotonic() - started_s < 1


def test_reading_takes_no_more_than_asked_for(far: FarEnd) -> None:
    os.write(far.fd, b"abcdef")
    assert len(far.port.read(2, soon())) <= 2


def test_what_has_arrived_can_be_forgotten(far: FarEnd) -> None:
    os.write(far.fd, b"abcdef")
    far.port.read(1, soon())
    far.port.drain_input()
    assert far.port.read(10, soon(50)) == b""


def ask_in_vain(port: Port) -> None:
    for _ in range(3):  # the first write may still be taken by the kernel
        port.write(b"\x05", soon())
        port.read(10, soon())


def test_a_line_that_hangs_up_is_gone(far: FarEnd) -> None:
    far.hang_up()
    with pytest.raises(PortGone):
        ask_in_vain(far.port)


def test_a_port_that_takes_nothing_is_gone_by_the_deadline(far: FarEnd) -> None:
    with pytest.raises(PortGone):
        far.port.write(bytes(64_000_000), soon(200))


def test_closing_twice_is_harmless_and_a_closed_port_is_gone(far: FarEnd) -> None:
    far.port.close()
    far.port.close()
    assert not far.port.is_open
    with pytest.raises(PortGone):
        far.port.read(1, soon())


def test_a_device_that_is_not_there_is_gone() -> None:
    with pytest.raises(PortGone):
        SerialPort("/dev/no-such-till").open(soon())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PortGone):
        TcpPort("127.0.0.1", port).open(soon())


def test_a_serial_port_is_held_exclusively() -> None:
    master, slave = os.openpty()
    first, second = SerialPort(os.ttyname(slave)), SerialPort(os.ttyname(slave))
    try:
        first.open(soon())
        with pytest.raises(PortGone):
            second.open(soon())
    finally:
        first.close()
        os.close(master)
        os.close(slave)


def test_a_serial_port_is_closed_to_programs_that_take_no_locks_until_it_is_let_go() -> None:
    master, slave = os.openpty()
    port = SerialPort(os.ttyname(slave))
    try:
        assert not _is_exclusive(slave)
        port.open(soon())
        assert _is_exclusive(slave)
        port.close()
        assert not _is_exclusive(slave)
    finally:
        os.close(master)
        os.close(slave)


def _is_exclusive(fd: int) -> bool:
    held = array.array("i", [0])
    fcntl.ioctl(fd, TIOCGEXCL, held)
    return bool(held[0])


@pytest.mark.parametrize(
    "url",
    [
        "serial:///dev/ttyACM0",
        "serial:///dev/ttyACM0?baudrate=115200",
        "serial:///dev/serial/by-id/usb-SHTRIH-M_NANO-F_0380490041048485-if00",
        "serial:///dev/serial/by-path/platform-3f980000.usb-usb-0:1.2:1.0",
        "serial:///dev/ttyS0?baudrate=4800",
    ],
)
def test_serial_names_of_usb_tills_are_taken(url: str) -> None:
    assert isinstance(open_port(url), SerialPort)
    assert parse(f"[printer]\nurl = '{url}'\n").printer.url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/dev/ttyUSB0",
        "serial://",
        "serial:///dev/x?baudrate=fast",
        "serial:///dev/x?baudrate=0",
        "serial:///dev/x?speed=9600",
        "tcp://",
        "tcp://host:port",
        "udp://host:1",
    ],
)
def test_a_port_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(BadConfig):
        open_port(url)
