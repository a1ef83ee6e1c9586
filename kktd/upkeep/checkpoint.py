"""Upkeep of the database file: the WAL is copied home while nobody sells.

Not after every sale: one page changed by ten sales is written home once.  Durability does not
depend on it, a committed receipt is as safe in the WAL.
"""

from __future__ import annotations

from typing import Final

from kktd.store.store import Store

LOOK_S: Final = 1.0
IDLE_S: Final = 2.0  # after the last write: the next customer is not there yet
IDLE_PAGES: Final = 250  # 1 MB; fewer are not worth the flash they wear
CHECKPOINT_PAGES: Final = 1_000  # then at once, sale or no sale (contract 2.11)


class Checkpointer:
    """A worker's step; the writer has a limit of its own, should this one stand still."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._commits = -1
        self._idle_since_s = 0.0

    def step(self, now_s: float) -> float:
        """Checkpoint if it is time; returns when to look again.  Raises StoreUnavailable."""
        commits, pages = self._store.commits, self._store.wal_pages
        if commits != self._commits:
            self._commits, self._idle_since_s = commits, now_s
        idle = now_s - self._idle_since_s >= IDLE_S
        if pages >= CHECKPOINT_PAGES or (idle and pages >= IDLE_PAGES):
            self._store.checkpoint()
        return now_s + LOOK_S
