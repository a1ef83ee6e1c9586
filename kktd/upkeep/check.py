"""The nightly check of the file; found damaged, the daemon starts anew: a start looks closer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfo

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.store import chores
from kktd.store.store import Store
from kktd.upkeep.nightly import is_due

LOOK_S: Final = 60.0
NAME: Final = "quick_check"


class NightCheck:
    """A worker's step.  `damaged` is called once with SQLite's complaints in the log."""

    def __init__(
        self, clock: Clock, store: Store, zone: ZoneInfo, at: str, damaged: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._store = store
        self._zone = zone
        self._at = at
        self._damaged = damaged
        self._due_s = float("-inf")
        self._told = False

    def step(self, now_s: float) -> float:
        """Check if it is time; when to look again (monotonic s)."""
        if now_s < self._due_s or self._told:
            return max(self._due_s, now_s + LOOK_S)
        self._due_s = now_s + LOOK_S
        done_s = self._store.read(lambda db: chores.find_done(db, NAME))
        if is_due(done_s, self._clock.wall_s(), self._at, self._zone):
            complaints = self._store.read(chores.quick_check)
            if complaints:
                self._told = True
                log.event(Event.STORE_DAMAGED, complaints=complaints)
                self._damaged()
            else:
                now = int(self._clock.wall_s())
                self._store.write(lambda db: chores.note_done(db, NAME, now))
        return self._due_s
