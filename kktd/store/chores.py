"""What the till does by night, and when it was done last: one row each.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

from itertools import islice

import apsw

from kktd.store.connection import Db


def find_done(db: Db, name: str) -> int | None:
    """When it was done last (wall clock, s); None if never."""
    for (done_at_s,) in db.execute("SELECT done_at FROM chores WHERE name = ?", (name,)):
        return int(str(done_at_s))
    return None


def note_done(db: Db, name: str, now_s: int) -> None:
    """It is done for this night."""
    db.execute("INSERT OR REPLACE INTO chores (name, done_at) VALUES (?, ?)", (name, now_s))


def quick_check(db: Db) -> list[str]:
    """SQLite's complaints about the file, in one snapshot; empty when it is whole."""
    try:
        found = [str(row[0]) for row in islice(db.execute("PRAGMA quick_check(5)"), 5)]
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return [str(error)]
    return [] if found == ["ok"] else found
