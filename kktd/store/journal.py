"""`buffer_events`: what happened, kept for support beside the log (§5.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kktd.events import Event
from kktd.store.connection import Db


@dataclass(frozen=True, slots=True)
class Happening:
    """One row; `event` is a stored name of events.py, `facts` what was kept of it."""

    id: int
    timestamp_ms: int
    level: str
    event: str
    receipt_id: str | None
    facts: dict[str, Any]


def append(
    db: Db, event: Event, now_ms: int, *, receipt_id: str | None = None, **facts: object
) -> None:
    """Keep one event; events without a stored name are for the log alone and are skipped."""
    if event.stored_name is None:
        return
    db.execute(
        """INSERT INTO buffer_events (event_type, level, receipt_id, timestamp, metadata)
           VALUES (?, ?, ?, ?, ?)""",
        (
            event.stored_name,
            event.level,
            receipt_id,
            now_ms,
            json.dumps(facts, ensure_ascii=False) if facts else None,
        ),
    )


def find_page(
    db: Db, levels: tuple[str, ...], since_ms: int | None, limit: int, offset: int
) -> tuple[int, list[Happening]]:
    """How many there are, and one page of them, newest first.

    Order is that of the ids.  There is no index on time: `since_ms` is found among the ids by
    halving, so a clock that was set back in between blurs that border and nothing else.
    """
    first = 0 if since_ms is None else _first_since(db, since_ms)
    condition = f"id >= ? AND level IN ({', '.join('?' * len(levels))})"
    total = 0
    for (number,) in db.execute(
        f"SELECT count(*) FROM buffer_events WHERE {condition}", (first, *levels)
    ):
        total = int(str(number))
    rows = db.execute(
        f"""SELECT id, timestamp, level, event_type, receipt_id, metadata FROM buffer_events
            WHERE {condition} ORDER BY id DESC LIMIT ? OFFSET ?""",
        (first, *levels, limit, offset),
    )
    return total, [_from_row(row) for row in rows]


def newest_id(db: Db) -> int:
    """Rises by one with each event and for ever; 0 before the first."""
    for (newest,) in db.execute("SELECT id FROM buffer_events ORDER BY id DESC LIMIT 1"):
        return int(str(newest))
    return 0


def was_told(db: Db, event: Event, since_ms: int, facts: dict[str, Any]) -> bool:
    """Whether the same was kept since then."""
    rows = db.execute(
        "SELECT metadata FROM buffer_events WHERE id >= ? AND event_type = ?",
        (_first_since(db, since_ms), event.stored_name),
    )
    return any(json.loads(str(metadata or "{}")) == facts for (metadata,) in rows.fetchall())


def _first_since(db: Db, since_ms: int) -> int:
    """The lowest id from which on everything is as late; one past the last if nothing is."""
    low, high = 0, newest_id(db) + 1
    while low < high:
        middle = (low + high) // 2
        early = None
        for row_id, timestamp_ms in db.execute(
            "SELECT id, timestamp FROM buffer_events WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ):
            early = row_id if timestamp_ms < since_ms else None
        if early is None:
            high = middle
        else:
            low = early + 1
    return low


def _from_row(row: tuple[Any, ...]) -> Happening:
    return Happening(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]) if row[5] else {})
