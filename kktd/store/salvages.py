"""The book of a salvage: what was found, what each FN has that the till does not, who saw it.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kktd.store.connection import Db


@dataclass(frozen=True, slots=True)
class Salvage:
    """`lost`: rows by table that read and could not stand; `missing`: by printer, FDs of receipts
    its FN holds and the till does not, for those that were counted."""

    reason: str
    found_at_s: int
    set_aside: str
    lost: dict[str, int]
    missing: dict[str, list[int]]
    confirmed_by: str | None

    def is_open(self, printers: Sequence[str]) -> bool:
        """Whether sales wait: nobody confirmed, and something is missing or not counted yet."""
        if self.confirmed_by is not None:
            return False
        return any(self.missing.get(name) != [] for name in printers)


def note_found(db: Db, reason: str, now_s: int, set_aside: str, lost: dict[str, int]) -> None:
    """A new one takes the place of one before it."""
    db.execute("DELETE FROM salvage_counts")
    db.execute(
        """INSERT OR REPLACE INTO salvages (id, reason, found_at, set_aside, lost)
           VALUES (1, ?, ?, ?, ?)""",
        (reason, now_s, set_aside, json.dumps(lost)),
    )


def find(db: Db) -> Salvage | None:
    """The last one; None on a till that never had one."""
    missing = {
        str(printer): list(json.loads(str(fds)))
        for printer, fds in db.execute("SELECT printer, missing FROM salvage_counts")
    }
    for reason, found_at_s, set_aside, lost, by in db.execute(
        "SELECT reason, found_at, set_aside, lost, confirmed_by FROM salvages"
    ):
        return Salvage(
            str(reason),
            int(str(found_at_s)),
            str(set_aside),
            dict(json.loads(str(lost))),
            missing,
            None if by is None else str(by),
        )
    return None


def note_count(db: Db, printer: str, fn: str, missing: list[int], now_s: int) -> None:
    """The FN of this printer was read."""
    db.execute(
        """INSERT OR REPLACE INTO salvage_counts (printer, fn, missing, counted_at)
           VALUES (?, ?, ?, ?)""",
        (printer, fn, json.dumps(missing), now_s),
    )


def confirm(db: Db, user: str, now_s: int) -> None:
    """A person saw what is missing: sales open."""
    db.execute(
        """UPDATE salvages SET confirmed_by = ?, confirmed_at = ? WHERE confirmed_by IS NULL""",
        (user, now_s),
    )


def find_without_intent(db: Db, printer: str, fn: str) -> list[tuple[str, int]]:
    """Receipts in doubt that nothing could settle: id, and the last FD of `fn` known before it."""
    rows = db.execute(
        """SELECT id, coalesce((SELECT max(k.fd) FROM receipts AS k WHERE k.fn = ?2
             AND (k.hlc_local_time, k.hlc_logical_counter)
               < (r.hlc_local_time, r.hlc_logical_counter)), 0)
           FROM receipts AS r WHERE unfinished = 1 AND print_state = 'in_doubt' AND printer = ?1
             AND NOT EXISTS (SELECT 1 FROM intents WHERE receipt_id = r.id)""",
        (printer, fn),
    )
    return [(str(row[0]), int(str(row[1]))) for row in rows]
