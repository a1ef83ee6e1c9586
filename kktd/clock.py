"""Time: the wall for instants, the monotonic clock for intervals, the hybrid clock for order.

Every wait takes a Deadline and every worker an injected Clock, so that a simulation can make eight
hours of one second.  Hybrid clock: Kulkarni et al. 2014, [HLC].
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What a worker may know of time."""

    def wall_s(self) -> float:
        """Seconds since 1970, UTC.  May jump; for what is stored and shown only."""

    def monotonic_s(self) -> float:
        """Seconds since some start.  Never jumps; for intervals."""

    def sleep(self, seconds: float) -> None:
        """Block for a time that is part of a protocol, never to synchronise threads."""


class SystemClock:
    """The machine's clocks."""

    def wall_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock by which a call has to come back."""

    clock: Clock
    at_s: float

    @classmethod
    def after_ms(cls, clock: Clock, ms: float) -> Deadline:
        return cls(clock, clock.monotonic_s() + ms / 1000)

    def left_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - self.clock.monotonic_s())

    def passed(self) -> bool:
        return self.clock.monotonic_s() >= self.at_s

    def within_ms(self, ms: float) -> Deadline:
        """The earlier of this and `ms` from now."""
        return Deadline(self.clock, min(self.at_s, self.clock.monotonic_s() + ms / 1000))


@dataclass(frozen=True, slots=True, order=True)
class HlcStamp:
    """One tick: whole seconds of the highest wall clock seen, then a counter."""

    local_time_s: int
    logical_counter: int

    def as_json(self) -> dict[str, int]:
        return {"local_time": self.local_time_s, "logical_counter": self.logical_counter}


class HybridClock:
    """Stamps that only rise, over restarts too: starts from the highest stamp in the database."""

    def __init__(self, clock: Clock, last: HlcStamp) -> None:
        self._clock = clock
        self._last = last
        self._latest_s: int | None = None
        self._told_at_s = 0.0  # monotonic: the limit grows with the time since
        self._lock = threading.Lock()

    @property
    def last(self) -> HlcStamp:
        """The stamp given last."""
        return self._last

    def believe_until(self, latest_s: int | None) -> None:
        """Take no wall clock past this for true, so that one day in 2036 does not stick.

        `latest_s` is the printer's clock and a day; it grows with the time that passes, so that a
        printer that is away for days holds nothing up.  None believes everything.
        """
        with self._lock:
            self._latest_s = latest_s
            self._told_at_s = self._clock.monotonic_s()

    def tick(self) -> HlcStamp:
        """The next stamp; a wall clock behind, or too far ahead, only raises the counter."""
        now_s = int(self._clock.wall_s())
        with self._lock:
            passed_s = self._clock.monotonic_s() - self._told_at_s
            believed = self._latest_s is None or now_s <= self._latest_s + passed_s
            if believed and now_s > self._last.local_time_s:
                self._last = HlcStamp(now_s, 0)
            else:
                self._last = HlcStamp(self._last.local_time_s, self._last.logical_counter + 1)
            return self._last
