"""A buffer made larger for an outage is meant for hours (§5.5, A.1 case 4): remind of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.store import journal
from kktd.store.store import Store

REMIND_S: Final = 4 * 3_600.0
LOOK_S: Final = 1.0


class CapacityReminder:
    """A worker's step.  Counts from the raise, or from the start of a daemon that found it."""

    def __init__(self, clock: Clock, store: Store, usual: int, capacity: Callable[[], int]) -> None:
        """`usual` is the capacity that needs no reminder, `capacity` the one in force."""
        self._clock = clock
        self._store = store
        self._usual = usual
        self._capacity = capacity
        self._remind_at_s: float | None = None
        self.due = False  # reminded, and still raised: an alert of buffer/status

    def step(self, now_s: float) -> float:
        """Remind every four hours while it is raised; when to look again (monotonic s)."""
        capacity = self._capacity()
        if capacity <= self._usual:
            self._remind_at_s, self.due = None, False
        elif self._remind_at_s is None:
            self._remind_at_s = now_s + REMIND_S
        elif now_s >= self._remind_at_s:
            self._remind_at_s = now_s + REMIND_S
            self.due = True
            self._remind(capacity)
        return now_s + LOOK_S

    def _remind(self, capacity: int) -> None:
        facts: dict[str, Any] = {"capacity": capacity, "usual": self._usual}
        event, now_ms = Event.BUFFER_CAPACITY_REMINDER, int(self._clock.wall_s() * 1000)
        log.event(event, **facts)
        self._store.write(lambda db: journal.append(db, event, now_ms, **facts))
