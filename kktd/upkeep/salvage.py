"""Sales stay shut after a salvage until nothing is missing or a person has seen what is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kktd import log
from kktd.clock import Clock
from kktd.errors import RecordsMissing
from kktd.events import Event
from kktd.store import journal, salvages
from kktd.store.connection import Db
from kktd.store.salvages import Salvage
from kktd.store.store import Store

LOOK_S: Final = 2.0
QUIET_S: Final = 3_600.0


class SalvageWatch:
    """A worker's step; the rest from any thread."""

    def __init__(self, clock: Clock, store: Store, printers: Sequence[str]) -> None:
        self._clock = clock
        self._store = store
        self._printers = tuple(printers)
        self._due_s = float("-inf")
        self.seen: Salvage | None = store.read(salvages.find)

    @property
    def open(self) -> Salvage | None:
        """The salvage that keeps sales shut, or None."""
        seen = self.seen
        return seen if seen is not None and seen.is_open(self._printers) else None

    def step(self, now_s: float) -> float:
        """Look again while it is open; when to be called next (monotonic s)."""
        if now_s >= self._due_s:
            self._due_s = now_s + QUIET_S
            if self.open is not None:
                self._due_s = now_s + LOOK_S
                self.seen = self._store.read(salvages.find)
        return self._due_s

    def bar(self) -> RecordsMissing | None:
        """What a sale is refused with."""
        found = self.open
        if found is None:
            return None
        missing = sum(len(fds) for fds in found.missing.values())
        counted = all(name in found.missing for name in self._printers)
        return RecordsMissing("the database was damaged", missing=missing, counted=counted)

    def confirm(self, user: str) -> Salvage | None:
        """A person saw it; on disk when this returns.  None if there was none."""
        found = self.open
        if found is None:
            return None
        now_s = int(self._clock.wall_s())
        facts = {"user": user, "missing": found.missing}

        def work(db: Db) -> Salvage | None:
            salvages.confirm(db, user, now_s)
            journal.append(db, Event.SALVAGE_CONFIRMED, now_s * 1000, facts=facts)
            return salvages.find(db)

        self.seen = self._store.write(work)
        log.event(Event.SALVAGE_CONFIRMED, facts=facts)
        return self.seen
