"""Lines that carry bytes: serial and USB ports, TCP.  Every call takes a Deadline and ends by it.

These ports wait in real time: their deadlines come from the system clock.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import termios
from contextlib import suppress
from fcntl import ioctl
from typing import Final, Protocol

import serial

from kktd.clock import Deadline
from kktd.errors import KktdError

BAUDRATE_DEFAULT: Final = 115_200  # [SHTRIH] 1: 4800 or 115200 by model
TCP_PORT_DEFAULT: Final = 7778  # [SHTRIH] 1
CONNECT_MS: Final = 3_000  # a till on the same desk answers in milliseconds
KEEPALIVE_IDLE_S: Final = 10
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3
CHUNK_BYTES: Final = 4_096
DRAIN_CHUNKS_MAX: Final = 256  # a megabyte of babble; more is a broken device


class PortGone(KktdError):
    """The line is not there: unplugged, refused, reset.  Open it again later."""


class PortUnusable(PortGone):
    """Nor will it be there later: settings, rights or a library are missing.  Call an engineer."""


class Port(Protocol):
    """One line to one device.  Opened before use; may be opened again after it was closed."""

    def open(self, by: Deadline) -> None:
        """Raises PortGone.  Nothing if it is open."""

    def close(self) -> None:
        """Never raises."""

    @property
    def is_open(self) -> bool: ...

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        """At least one byte as soon as there is one, or b"" at the deadline; raises PortGone."""

    def write(self, data: bytes, by: Deadline) -> None:
        """All of it; raises PortGone, also when the line takes nothing until the deadline."""

    def drain_input(self) -> None:
        """Forget what has arrived and was not read; raises PortGone."""

    def shake(self, by: Deadline) -> None:
        """The far end answers nothing and has nothing under way that a restart could cut short.

        A closed line that can be reset may be, if it was silent for long enough; the others do
        nothing.  Never raises.
        """


class _DescriptorPort:
    """What serial ports and sockets share once they are open: a non-blocking descriptor."""

    def __init__(self) -> None:
        self._fd: int | None = None

    @property
    def is_open(self) -> bool:
        return self._fd is not None

    def shake(self, by: Deadline) -> None:
        """There is nothing to reset."""

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        fd = self._descriptor()
        try:
            readable, _, _ = select.select([fd], [], [], by.left_s())
            if not readable:
                return b""
            data = os.read(fd, max_bytes)
        except BlockingIOError:
            return b""  # another reader was faster; exclusive ports make this a curiosity
        except OSError as error:
            raise self._gone(error) from error
        if not data:  # readable and empty: the far end hung up
            raise PortGone("the line was closed")
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        fd = self._descriptor()
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[os.write(fd, rest) :]  # a line that is not full takes it at once
                except BlockingIOError as error:
                    if not select.select([], [fd], [], by.left_s())[1]:
                        raise PortGone("the line takes no bytes") from error
        except OSError as error:
            raise self._gone(error) from error

    def drain_input(self) -> None:
        fd = self._descriptor()
        try:
            for _ in range(DRAIN_CHUNKS_MAX):
                readable, _, _ = select.select([fd], [], [], 0)
                if not readable:
                    return
                if not os.read(fd, CHUNK_BYTES):
                    raise PortGone("the line was closed")
        except BlockingIOError:
            return
        except OSError as error:
            raise self._gone(error) from error

    def _descriptor(self) -> int:
        if self._fd is None:
            raise PortGone("the port is not open")
        return self._fd

    @staticmethod
    def _gone(error: OSError) -> PortGone:
        return PortGone(f"line failed: {errno.errorcode.get(error.errno or 0, error)}")


class SerialPort(_DescriptorPort):
    """RS-232, USB CDC and pseudo terminals: 8N1, no flow control, held exclusively."""

    def __init__(self, device: str, baudrate: int = BAUDRATE_DEFAULT) -> None:
        super().__init__()
        self._device = device
        self._baudrate = baudrate
        self._serial: serial.Serial | None = None

    def open(self, by: Deadline) -> None:
        if self._serial is not None:
            return
        try:
            self._serial = serial.Serial(
                self._device, self._baudrate, timeout=0, write_timeout=0, exclusive=True
            )
        except (OSError, ValueError) as error:  # SerialException is an OSError
            kind = PortUnusable if getattr(error, "errno", None) == errno.EACCES else PortGone
            raise kind(f"cannot open {self._device}: {error}") from error
        self._fd = self._serial.fileno()
        with suppress(OSError):  # besides pyserial's lock, which only other pyserials ask for
            ioctl(self._fd, termios.TIOCEXCL)
        with suppress(ValueError):  # bridges hold bytes back for 16 ms otherwise; ptys know it not
            self._serial.set_low_latency_mode(True)

    def close(self) -> None:
        port, self._serial, self._fd = self._serial, None, None
        if port is not None:
            try:
                ioctl(port.fileno(), termios.TIOCNXCL)  # it outlives us while another holds it open
                port.close()
            except OSError:
                return  # it is gone all the same


class TcpPort(_DescriptorPort):
    """A till's TCP server (RNDIS, Ethernet, WiFi): no delay, keep-alive, one client at a time."""

    def __init__(self, host: str, port: int = TCP_PORT_DEFAULT) -> None:
        super().__init__()
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def open(self, by: Deadline) -> None:
        if self._socket is not None:
            return
        wait_s = by.within_ms(CONNECT_MS).left_s()
        if wait_s <= 0:
            raise PortGone("no time left to connect")
        try:
            link = socket.create_connection(self._address, wait_s)
        except OSError as error:
            raise PortGone(f"cannot connect to {self._address[0]}: {error}") from error
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        link.setblocking(False)
        self._socket, self._fd = link, link.fileno()

    def close(self) -> None:
        link, self._socket, self._fd = self._socket, None, None
        if link is not None:
            try:
                link.close()
            except OSError:
                return  # it is gone all the same
