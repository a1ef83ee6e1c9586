"""One reading of what status, health and metrics show: one snapshot, no history scanned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kktd.model.receipt import PaymentMethod
from kktd.store import buffer, dlq, journal, lanes, maintenance, sessions, unfinished
from kktd.store.buffer import BufferCount
from kktd.store.connection import Db
from kktd.store.lanes import LaneCount
from kktd.store.maintenance import Maintenance
from kktd.store.receipts import IN_BUFFER


@dataclass(frozen=True, slots=True)
class ShiftReading:
    """One till's open shift (None: closed) and the tenders Odoo has not seen."""

    cash_kopecks: int | None
    opened_at_s: int | None
    unsynced: int


@dataclass(frozen=True, slots=True)
class Reading:
    """All of one moment."""

    buffer: BufferCount
    lanes: dict[str, LaneCount]  # by printer
    dlq: int
    oldest_registered_at_s: int | None  # of those the ОФД does not have
    shifts: dict[str, ShiftReading]
    maintenance: Maintenance | None
    events: int  # ever written to buffer_events
    unfinished: tuple[tuple[str, str], ...] = ()  # (id, state) of some not in the FN


def read(db: Db, pos_ids: Iterable[str], printers: Iterable[str]) -> Reading:
    """Takes a reader inside Store.read."""
    return Reading(
        buffer=buffer.count_buffer(db),
        lanes={printer: lanes.count(db, printer) for printer in printers},
        dlq=dlq.count(db),
        oldest_registered_at_s=_oldest_registered(db),
        shifts={pos_id: _shift(db, pos_id) for pos_id in pos_ids},
        maintenance=maintenance.find(db),
        events=journal.newest_id(db),
        unfinished=unfinished.find(db),
    )


def _oldest_registered(db: Db) -> int | None:
    for (oldest,) in db.execute(
        f"SELECT min(registered_at) FROM receipts WHERE {IN_BUFFER} AND fd IS NOT NULL"
    ):
        return None if oldest is None else int(oldest)
    return None


def _shift(db: Db, pos_id: str) -> ShiftReading:
    unsynced = sessions.count_unsynced_transactions(db, pos_id)
    session = sessions.find_open(db, pos_id)
    if session is None:
        return ShiftReading(None, None, unsynced)
    return ShiftReading(session.balances[PaymentMethod.CASH], session.opened_at_s, unsynced)
