"""Maintenance mode: one row while an engineer works at the till, so that a restart keeps it.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

from dataclasses import dataclass

from kktd.events import Event
from kktd.store import journal
from kktd.store.connection import Db


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Why the till takes no sales, since when, for how long it was meant."""

    reason: str
    started_by: str
    started_at_s: int
    estimated_min: int

    @property
    def expected_end_s(self) -> int:
        """Wall clock; nothing ends by itself then."""
        return self.started_at_s + self.estimated_min * 60


def find(db: Db) -> Maintenance | None:
    """None while the till sells as usual."""
    for row in db.execute(
        "SELECT reason, started_by, started_at, estimated_min FROM maintenance WHERE id = 1"
    ):
        return Maintenance(str(row[0]), str(row[1]), int(str(row[2])), int(str(row[3])))
    return None


def begin(db: Db, wanted: Maintenance) -> None:
    """Start it, or replace reason and estimate of one that runs."""
    db.execute(
        """INSERT OR REPLACE INTO maintenance (id, reason, started_by, started_at, estimated_min)
           VALUES (1, ?, ?, ?, ?)""",
        (wanted.reason, wanted.started_by, wanted.started_at_s, wanted.estimated_min),
    )
    journal.append(
        db,
        Event.MAINTENANCE_STARTED,
        wanted.started_at_s * 1000,
        reason=wanted.reason,
        user=wanted.started_by,
        estimated_duration_minutes=wanted.estimated_min,
    )


def end(db: Db, user: str, now_s: int) -> Maintenance | None:
    """Sell again; returns what ended, None if nothing ran."""
    was = find(db)
    if was is not None:
        db.execute("DELETE FROM maintenance WHERE id = 1")
        journal.append(
            db,
            Event.MAINTENANCE_FINISHED,
            now_s * 1000,
            reason=was.reason,
            user=user,
            duration_seconds=max(0, now_s - was.started_at_s),
        )
    return was
