"""A port in memory with a simulated printer at its far end, under a virtual clock."""

from __future__ import annotations

from rig.printer import SimulatedPrinter

from kktd.clock import Deadline
from kktd.wire.port import PortGone
from tests.support.clock import VirtualClock


class MemoryPort:
    """Implements `kktd.wire.port.Port`.  Waiting moves the clock to the next thing that happens.

    `hangs_up` tells what a dropped line looks like from here: a closed connection, as over TCP and
    USB, or plain silence, as over RS-232.
    """

    def __init__(
        self, printer: SimulatedPrinter, clock: VirtualClock, *, hangs_up: bool = True
    ) -> None:
        self._printer = printer
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
            if not self._printer.is_up(now_s):
                raise PortGone("nobody listens")
            self._drops_seen = self._printer.reconnect(now_s)
        self._open = True
        self._arrived = b""

    def close(self) -> None:
        self._open = False

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        self._receive()
        while not self._arrived and not by.passed():
            due_s = self._printer.next_due_s()
            self._clock.advance_to(by.at_s if due_s is None else min(due_s, by.at_s))
            self._receive()
        data, self._arrived = self._arrived[:max_bytes], self._arrived[max_bytes:]
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        self._check()
        self._printer.receive(data, self._clock.monotonic_s())
        self.bytes_sent += len(data)
        self._receive()

    def drain_input(self) -> None:
        self._receive()
        self._arrived = b""

    def _receive(self) -> None:
        """Bytes that made it before the line dropped are still read."""
        data = self._printer.transmit(self._clock.monotonic_s())
        self.bytes_received += len(data)
        self._arrived += data
        if not self._arrived:
            self._check()

    def _check(self) -> None:
        if not self._open:
            raise PortGone("the port is not open")
        if self._hangs_up and self._printer.drops() != self._drops_seen:
            raise PortGone("the line dropped")
