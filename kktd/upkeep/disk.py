"""The disk rule: an alert at 70 %, no sales from 80 % on, both before SQLite has no room.

Counted is what is in use without the ballast and without SQLite's own free pages.  On a partition
of more than 10 GiB the same room counts as on one of 10: it is room that sells, not a share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kktd import log
from kktd.clock import Clock
from kktd.errors import DiskFilled, StoreUnavailable
from kktd.events import Event
from kktd.store import journal
from kktd.store.space import Partition, read_free_bytes, read_partition
from kktd.store.store import Store

LOOK_S: Final = 2.0
STOP_PERCENT: Final = 80.0  # contract 4, design 3
REOPEN_PERCENT: Final = 79.0  # so that one sale does not open and close it
COUNTED_BYTES_MAX: Final = 10 * 2**30


@dataclass(frozen=True, slots=True)
class Disk:
    """One reading.  `full`: sales stand still until there is room again."""

    percent: float = 0.0
    ballast_bytes: int = 0
    full: bool = False


def percent_used(partition: Partition, ballast: int, free_pages: int) -> float:
    """All in bytes."""
    counted = max(1, min(partition.total, COUNTED_BYTES_MAX))
    left = partition.left + ballast + free_pages
    return round(100 * max(0, counted - left) / counted, 1)


class DiskWatch:
    """A worker's step; `seen` and `bar` may be asked from any thread."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        folder: Path,
        read: Callable[[Path], Partition] = read_partition,
    ) -> None:
        self._clock = clock
        self._store = store
        self._folder = folder
        self._read = read
        self._due_s = float("-inf")
        self.seen = Disk()

    def step(self, now_s: float) -> float:
        """Look, and make the ballast anew where there is room; when to look again."""
        if now_s >= self._due_s:
            self._due_s = now_s + LOOK_S
            self._look()
        return self._due_s

    def bar(self) -> DiskFilled | None:
        """What a sale is refused with, or None."""
        seen = self.seen
        if not seen.full:
            return None
        return DiskFilled(
            "the disk is too full to sell", remedy="disk_filled", percent_full=seen.percent
        )

    def _look(self) -> None:
        try:
            partition = self._read(self._folder)
            free_pages = self._store.read(read_free_bytes)
        except (OSError, StoreUnavailable):
            return  # the store says so itself
        ballast = self._store.ballast
        percent = percent_used(partition, ballast.bytes, free_pages)
        limit = REOPEN_PERCENT if self.seen.full else STOP_PERCENT
        full = percent >= limit
        if not ballast.bytes and not full:
            ballast.make(partition)
        was, self.seen = self.seen, Disk(percent, ballast.bytes, full)
        if was.full != full:
            self._tell(Event.DISK_FILLED if full else Event.DISK_HAS_ROOM, percent)

    def _tell(self, event: Event, percent: float) -> None:
        now_ms = int(self._clock.wall_s() * 1000)
        log.event(event, percent_full=percent)
        self._store.write(lambda db: journal.append(db, event, now_ms, percent_full=percent))
