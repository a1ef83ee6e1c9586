"""Old rows leave the database a few at a time, between sales: no sale waits for it.

Once an hour it looks; then one small transaction a step until nothing is old any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.store import journal
from kktd.store.retention import KINDS, Limits, is_at_work
from kktd.store.store import Store

LOOK_S: Final = 3_600.0
NEXT_S: Final = 0.2  # between two transactions: the device of a sale takes longer
BUSY_S: Final = 2.0  # somebody sells


class Retention:
    """A worker's step."""

    def __init__(
        self, clock: Clock, store: Store, stamped_s: Callable[[], int], *, has_odoo: bool
    ) -> None:
        """`stamped_s`: the hybrid clock's last stamp.

        A wall clock that ran ahead is not believed past it: it would make a year of receipts old.
        """
        self._clock = clock
        self._store = store
        self._stamped_s = stamped_s
        self._has_odoo = has_odoo
        self._due_s = float("-inf")
        self._kind = KINDS[0]
        self._found: list[str | int] = []  # of that kind
        self._gone: Counter[str] = Counter()

    def step(self, now_s: float) -> float:
        """Drop one handful; returns when to look again (monotonic s).  Raises StoreUnavailable."""
        if now_s >= self._due_s:
            self._due_s = now_s + self._drop_next()
        return self._due_s

    def _drop_next(self) -> float:
        if self._store.waiting or self._store.read(is_at_work):
            return BUSY_S
        limits = Limits(min(int(self._clock.wall_s()), self._stamped_s()), self._has_odoo)
        if not self._found:
            self._find(limits)
        if self._found:
            handful = self._found[: self._kind.at_once]
            self._found = self._found[self._kind.at_once :]
            self._store.write(partial(self._kind.drop, keys=handful))
            self._gone[self._kind.name] += len(handful)
            return NEXT_S
        self._tell()
        return LOOK_S

    def _find(self, limits: Limits) -> None:
        """The next kind that has something old."""
        for kind in KINDS:
            self._kind, self._found = kind, self._store.read(partial(kind.find, limits=limits))
            if self._found:
                return

    def _tell(self) -> None:
        if not self._gone:
            return
        gone, self._gone = dict(self._gone), Counter()
        now_ms = int(self._clock.wall_s() * 1000)
        log.event(Event.HISTORY_TRIMMED, facts=gone)
        self._store.write(lambda db: journal.append(db, Event.HISTORY_TRIMMED, now_ms, facts=gone))
