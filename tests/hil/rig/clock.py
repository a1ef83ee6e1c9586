"""The wall clock of the bench: real time in one zone, and as far ahead as an engineer pushed it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo


class BenchClock:
    """What a simulated registrar takes for its quartz.

    Pushing it forward reaches a shift of 24 hours or an FN near its end in a second.  The push is
    kept in `state_file`, since a till whose time runs backwards over a restart is another story.
    """

    def __init__(self, zone: ZoneInfo, state_file: Path | None = None) -> None:
        self._zone, self._state_file = zone, state_file
        self._lock = threading.Lock()
        self._ahead_s = 0.0
        if state_file is not None and state_file.exists():
            self._ahead_s = float(state_file.read_text(encoding="ascii"))

    def __call__(self) -> datetime:
        """Naive local time: a till knows no time zones."""
        return datetime.now(self._zone).replace(tzinfo=None) + timedelta(seconds=self._ahead_s)

    def advance(self, seconds: float) -> float:
        """Push the clock; returns how far ahead it is now."""
        with self._lock:
            self._ahead_s += seconds
            if self._state_file is not None:
                self._state_file.write_text(str(self._ahead_s), encoding="ascii")
            return self._ahead_s
