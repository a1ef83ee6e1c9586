"""A line between host and device with its speed and its accidents.  No sockets, no sleeping.

`cut_after` counts bytes in its direction: without a command from the moment the fault is first
seen; with one, to the device from the STX of that command's frame (the code must be in sight
by then), to the host from the byte that answers the frame.  The byte after the last allowed one
and all later ones are lost, the line drops, and is back `down_s` later.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from rig.faults import Fault, Faults

TO_DEVICE: Final = "to_device"
TO_HOST: Final = "to_host"
FOREVER: Final = float("inf")
BITS_PER_BYTE: Final = 10  # 8N1


@dataclass(slots=True)
class Cut:
    """A cut under way: how many bytes may still pass."""

    fault: Fault
    left: int


class Wire:
    """Bytes on their way, each with the second it is due."""

    def __init__(self, faults: Faults, *, baud: int | None, down_s: float) -> None:
        self._faults = faults
        self._byte_s = 0.0 if baud is None else BITS_PER_BYTE / baud
        self._down_s = down_s
        self._incoming: deque[tuple[float, int]] = deque()
        self._outgoing: deque[tuple[float, int]] = deque()
        self._last_s = {TO_DEVICE: -FOREVER, TO_HOST: -FOREVER}
        self._cuts: dict[str, Cut] = {}
        self._noise: dict[int, random.Random] = {}
        self._down_until_s = -FOREVER
        self._unplugged = False
        self.drops = 0  # transports close their socket when this grows

    # --- state of the line -----------------------------------------------------------------

    def is_up(self, now_s: float) -> bool:
        return not self._unplugged and now_s >= self._down_until_s

    def drop(self, now_s: float, back_s: float) -> None:
        """Lose what is under way; the line is dead until `back_s`."""
        self.drops += 1
        self._down_until_s = max(self._down_until_s, back_s)
        self._incoming.clear()
        self._last_s = {TO_DEVICE: now_s, TO_HOST: now_s}
        self._outgoing = deque(entry for entry in self._outgoing if entry[0] <= now_s)
        self._cuts.clear()

    def look_at_the_plug(self, now_s: float) -> None:
        """Notice the cable being pulled or put back."""
        fault = self._faults.find("printer", "unplug")
        if fault is not None and not self._unplugged:
            fault.bitten += 1
            self.drop(now_s, now_s)
        self._unplugged = fault is not None

    # --- host side -------------------------------------------------------------------------

    def from_host(self, data: bytes, now_s: float) -> None:
        """Put the host's bytes on the line; they arrive as fast as the line goes."""
        if self.is_up(now_s):
            for byte in self._garble(data, TO_DEVICE):
                self._incoming.append((self._next_slot(TO_DEVICE, now_s), byte))

    def to_host(self, now_s: float) -> bytes:
        """What has reached the host by now."""
        got = bytearray()
        while self._outgoing and self._outgoing[0][0] <= now_s:
            got.append(self._outgoing.popleft()[1])
        return bytes(got)

    def departure_s(self) -> float | None:
        """When the next byte reaches the host."""
        return self._outgoing[0][0] if self._outgoing else None

    # --- device side -----------------------------------------------------------------------

    def arrival_s(self) -> float | None:
        """When the next byte reaches the device."""
        return self._incoming[0][0] if self._incoming else None

    def take(self) -> int | None:
        """The next byte, or None when the line drops in its place."""
        at_s, byte = self._incoming[0]
        if self._cut_here(TO_DEVICE):
            self.drop(at_s, at_s + self._down_s)
            return None
        self._incoming.popleft()
        return byte

    def peek(self, count: int) -> bytes:
        """Bytes already on the line behind the one just taken."""
        return bytes(byte for _at, byte in list(self._incoming)[:count])

    def send(self, data: bytes, now_s: float) -> None:
        """The device speaks."""
        if not self.is_up(now_s):
            return
        sent_s = now_s
        for byte in self._garble(data, TO_HOST):
            if self._cut_here(TO_HOST):
                self.drop(sent_s, sent_s + self._down_s)
                return
            sent_s = self._next_slot(TO_HOST, now_s)
            self._outgoing.append((sent_s, byte))

    def arm_cut(self, command: str, direction: str, already: int) -> bool:
        """Start counting for a command's conversation; True when the line must drop at once."""
        fault = self._faults.find(
            "printer",
            "cut_after",
            command,
            lambda fault: (
                fault.settings["direction"] == direction
                and fault.settings.get("command") == command
            ),
        )
        if fault is None or direction in self._cuts:
            return False
        left = int(str(fault.settings["bytes"])) - already
        self._cuts[direction] = Cut(fault, left)
        return left < 0

    def cut_now(self, now_s: float, direction: str) -> None:
        """The cut just armed lies in the past."""
        cut = self._cuts.pop(direction)
        self._faults.use(cut.fault)
        self.drop(now_s, now_s + self._down_s)

    # --- inside ----------------------------------------------------------------------------

    def _next_slot(self, direction: str, now_s: float) -> float:
        at_s = max(now_s, self._last_s[direction]) + self._byte_s
        self._last_s[direction] = at_s
        return at_s

    def _cut_here(self, direction: str) -> bool:
        """Count one byte; True when it is the first that must not pass."""
        cut = self._cuts.get(direction)
        if cut is None or self._mended(cut):
            self._cuts.pop(direction, None)
            cut = self._new_cut(direction)
        if cut is None:
            return False
        cut.left -= 1
        if cut.left >= 0:
            return False
        del self._cuts[direction]
        self._faults.use(cut.fault)
        return True

    def _mended(self, cut: Cut) -> bool:
        """The fault was taken away while its bytes were counted."""
        command = cut.fault.settings.get("command")
        name = None if command is None else str(command)
        return not self._faults.find("printer", "cut_after", name, lambda fault: fault is cut.fault)

    def _new_cut(self, direction: str) -> Cut | None:
        fault = self._faults.find(
            "printer", "cut_after", None, lambda fault: fault.settings["direction"] == direction
        )
        if fault is None:
            return None
        self._cuts[direction] = Cut(fault, int(str(fault.settings["bytes"])))
        return self._cuts[direction]

    def _garble(self, data: bytes, direction: str) -> bytes:
        fault = self._faults.find(
            "printer",
            "noise",
            None,
            lambda fault: fault.settings.get("direction", direction) == direction,
        )
        if fault is None:
            return data
        seed = fault.settings.get("seed", 0)
        chance = self._noise.setdefault(fault.id, random.Random(str(seed)))
        rate = float(str(fault.settings.get("rate", 0.02)))
        garbled = bytearray()
        for byte in data:
            if chance.random() >= rate:
                garbled.append(byte)
                continue
            self._faults.use(fault)
            kind = chance.randrange(3)
            if kind == 0:
                garbled.append(byte ^ 1 << chance.randrange(8))
            elif kind == 1:
                garbled += bytes([byte, chance.randrange(256)])
        return bytes(garbled)
