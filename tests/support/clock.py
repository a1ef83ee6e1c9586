"""A clock that only moves when it is told to: eight hours take no time, and a seed replays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from kktd.clock import Deadline

START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class VirtualClock:
    """Implements `kktd.clock.Clock`.  `sleep` moves it, so do ports that wait for bytes."""

    def __init__(self, start: datetime = START) -> None:
        self._wall_s = start.timestamp()
        self._monotonic_s = 1_000.0

    def wall_s(self) -> float:
        return self._wall_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass; never backwards."""
        if seconds > 0:
            self._wall_s += seconds
            self._monotonic_s += seconds

    def advance_to(self, monotonic_s: float) -> None:
        self.advance(monotonic_s - self._monotonic_s)

    def go_back_to(self, monotonic_s: float) -> None:
        """For what runs beside the work that has just been done, in the same seconds."""
        seconds = self._monotonic_s - monotonic_s
        self._wall_s -= seconds
        self._monotonic_s -= seconds

    def jump_wall(self, seconds: float) -> None:
        """Somebody set the wall clock; intervals do not notice."""
        self._wall_s += seconds

    def local(self) -> datetime:
        """What a till's own clock shows: local time without a zone (here UTC)."""
        return datetime.fromtimestamp(self._wall_s, UTC).replace(tzinfo=None)

    def after_ms(self, ms: float) -> Deadline:
        return Deadline.after_ms(self, ms)
