"""A port in memory with a simulated device at its far end, under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rig.line import Line

from kktd.clock import Deadline
from kktd.wire.port import PortGone
from tests.support.clock import VirtualClock


class Device(Protocol):
    """What `rig.printer.SimulatedPrinter` shows to a line."""

    def receive(self, data: bytes, now_s: float) -> None: ...

    def transmit(self, now_s: float) -> bytes: ...

    def next_due_s(self) -> float | None: ...

    def is_up(self, now_s: float) -> bool: ...

    def reconnect(self, now_s: float) -> int: ...

    def drops(self) -> int: ...


class Machine:
    """What stands behind a bare link: remembers what ran and echoes it."""

    def __init__(self) -> None:
        self.ran: list[bytes] = []
        self.answer: Callable[[bytes], bytes] = lambda question: question[:1] + b"\0" + question[1:]

    def execute(self, payload: bytes, now_s: float) -> bytes:
        self.ran.append(payload)
        return self.answer(payload)

    def power_on(self, now_s: float) -> None:
        """It has nothing to forget."""

    def power_off(self, now_s: float) -> None:
        """Nor to save."""


class LinkDevice:
    """A bare `rig.line.Line` as a Device, for tests of the exchange alone."""

    def __init__(self, link: Line) -> None:
        self.link = link
        self.receive = link.receive
        self.transmit = link.transmit
        self.next_due_s = link.next_due_s
        self.is_up = link.is_up

    def reconnect(self, now_s: float) -> int:
        self.link.reconnect(now_s)
        return self.link.wire.drops

    def drops(self) -> int:
        return self.link.wire.drops


class MemoryPort:
    """Implements `kktd.wire.port.Port`.  Waiting moves the clock to the next thing that happens.

    `hangs_up` tells what a dropped line looks like from here: a closed connection, as over TCP and
    USB, or plain silence, as over RS-232.
    """

    def __init__(self, device: Device, clock: VirtualClock, *, hangs_up: bool = True) -> None:
        self._device = device
        self._clock = clock
        self._hangs_up = hangs_up
        self._open = False
        self._drops_seen = 0
        self._arrived = b""
        self.bytes_sent = 0
        self.bytes_received = 0

    @property
    def is_open(self) -> bool:
        return self._open

    def open(self, by: Deadline) -> None:
        if self._open:
            return
        now_s = self._clock.monotonic_s()
        if self._hangs_up:
            if not self._device.is_up(now_s):
                raise PortGone("nobody listens")
            self._drops_seen = self._device.reconnect(now_s)
        self._open = True
        self._arrived = b""

    def close(self) -> None:
        self._open = False

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        self._receive()
        while not self._arrived and not by.passed():
            due_s = self._device.next_due_s()
            self._clock.advance_to(by.at_s if due_s is None else min(due_s, by.at_s))
            self._receive()
        data, self._arrived = self._arrived[:max_bytes], self._arrived[max_bytes:]
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        self._check()
        self._device.receive(data, self._clock.monotonic_s())
        self.bytes_sent += len(data)
        self._receive()

    def drain_input(self) -> None:
        self._receive()
        self._arrived = b""

    def shake(self, by: Deadline) -> None:
        """Nothing to reset."""

    def _receive(self) -> None:
        """Bytes that made it before the line dropped are still read."""
        data = self._device.transmit(self._clock.monotonic_s())
        self.bytes_received += len(data)
        self._arrived += data
        if not self._arrived:
            self._check()

    def _check(self) -> None:
        if not self._open:
            raise PortGone("the port is not open")
        if self._hangs_up and self._device.drops() != self._drops_seen:
            raise PortGone("the line dropped")
