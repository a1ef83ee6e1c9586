"""`buffer_events`: what happened, kept for support beside the log (§5.3)."""

from __future__ import annotations

import json

from kktd.events import Event
from kktd.store.connection import Db


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
