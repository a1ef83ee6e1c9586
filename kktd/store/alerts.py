"""Alerts that stand: a restart neither forgets one nor tells of it as if it were new.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

from kktd.store.connection import Db


def find_standing(db: Db) -> dict[str, float]:
    """Name to the wall-clock second it was raised at."""
    rows = db.execute("SELECT name, since_ms FROM alerts ORDER BY since_ms, name")
    return {str(name): int(str(since_ms)) / 1000 for name, since_ms in rows}


def begin(db: Db, name: str, now_ms: int) -> None:
    """It stands from now on."""
    db.execute("INSERT OR REPLACE INTO alerts (name, since_ms) VALUES (?, ?)", (name, now_ms))


def end(db: Db, name: str) -> None:
    """It is over; nothing for one that did not stand."""
    db.execute("DELETE FROM alerts WHERE name = ?", (name,))
