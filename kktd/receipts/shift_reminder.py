"""A shift may last 24 hours, then the FN signs no receipt: from 23 hours on somebody is told."""

from __future__ import annotations

from typing import Any, Final

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.store import journal, sessions
from kktd.store.connection import Db
from kktd.store.sessions import Session
from kktd.store.store import Store

OLD_S: Final = 23 * 3_600.0
LOOK_S: Final = 30.0


class ShiftReminder:
    """A worker's step.  One event a shift, also where several tills share it."""

    def __init__(self, store: Store, clock: Clock, pos_ids: tuple[str, ...]) -> None:
        self._store = store
        self._clock = clock
        self._pos_ids = pos_ids
        self._told: set[tuple[str, int]] = set()
        self.old: frozenset[str] = frozenset()  # tills whose answers remind of it

    def step(self, _now_s: float) -> float:
        """Look at the open shifts; when to look again (monotonic s)."""
        old_since_s = self._clock.wall_s() - OLD_S

        def find(db: Db) -> list[Session]:
            found = [sessions.find_open(db, pos_id) for pos_id in self._pos_ids]
            return [one for one in found if one is not None and one.opened_at_s <= old_since_s]

        old = self._store.read(find)
        for session in old:
            if (session.fn, session.shift_number) not in self._told:
                self._told.add((session.fn, session.shift_number))
                self._tell(session)
        self.old = frozenset(one.pos_id for one in old)
        return self._clock.monotonic_s() + LOOK_S

    def _tell(self, session: Session) -> None:
        facts: dict[str, Any] = {"fn": session.fn, "shift": session.shift_number}
        now_ms = int(self._clock.wall_s() * 1000)

        def work(db: Db) -> bool:
            """False if it was told before a restart."""
            if journal.was_told(db, Event.SHIFT_OLD, session.opened_at_s * 1000, facts):
                return False
            journal.append(db, Event.SHIFT_OLD, now_ms, **facts)
            return True

        if self._store.write(work):
            log.event(Event.SHIFT_OLD, **facts)
