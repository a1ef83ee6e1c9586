"""How full the buffer is: receipts on their way to the FN or to the ОФД (contract 1.1).

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

from dataclasses import dataclass

from kktd.model.states import Delivery, FiscalState
from kktd.store.connection import Db
from kktd.store.receipts import IN_BUFFER, StoredReceipt


@dataclass(frozen=True, slots=True)
class BufferCount:
    """How full the buffer is; `oldest_*` of the receipt waiting longest, or None."""

    queued: int
    waiting_for_printer: int
    in_doubt: int
    held: int
    oldest_id: str | None
    oldest_created_at_s: int | None


def count_buffer(db: Db) -> BufferCount:
    """Reads only the rows still on their way."""
    counts = db.execute(
        f"""SELECT count(*), count(*) FILTER (WHERE print_state IN ('accepted', 'printing',
              'in_doubt')), count(*) FILTER (WHERE print_state = 'in_doubt'),
              count(*) FILTER (WHERE held = 1)
            FROM receipts WHERE {IN_BUFFER}"""
    ).fetchone()
    queued, waiting, doubt, held = counts or (0, 0, 0, 0)
    oldest = db.execute(
        f"""SELECT id, created_at FROM receipts WHERE {IN_BUFFER}
            ORDER BY hlc_local_time, hlc_logical_counter LIMIT 1"""
    ).fetchone()
    oldest_id, oldest_at = oldest or (None, None)
    return BufferCount(queued, waiting, doubt, held, oldest_id, oldest_at)


def count_queued(db: Db) -> int:
    """Receipts in the buffer (contract 1.1)."""
    return _number(db, f"SELECT count(*) FROM receipts WHERE {IN_BUFFER}")


def count_printing(db: Db) -> int:
    """Receipts the lane has sent, or may have, and knows no end of."""
    return _number(db, "SELECT count(*) FROM receipts WHERE print_state = 'printing'")


def count_ahead(db: Db, stored: StoredReceipt) -> int | None:
    """How many of the buffer stand before this one; None if it is not in the buffer."""
    if stored.state in (FiscalState.REFUSED, FiscalState.CANCELLED):
        return None
    if stored.delivery not in (Delivery.PENDING, Delivery.SYNCING):
        return None
    return _number(
        db,
        f"""SELECT count(*) FROM receipts WHERE {IN_BUFFER}
            AND (hlc_local_time, hlc_logical_counter) < (?, ?)""",
        (stored.hlc.local_time_s, stored.hlc.logical_counter),
    )


def _number(db: Db, sql: str, values: tuple[int, ...] = ()) -> int:
    return int(str(db.execute(sql, values).get))
