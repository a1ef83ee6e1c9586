"""The dead-letter queue: deliveries set aside for a person, each with its own copy (§5.3).

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kktd.errors import NotFound, TooLate
from kktd.events import Event
from kktd.model.codec import dump_document, load_document
from kktd.model.fiscal import FiscalDocument
from kktd.model.states import Delivery, DeliveryStep
from kktd.store import journal, receipts
from kktd.store.connection import Db


class Reason(StrEnum):
    """Why a delivery was given up."""

    MAX_RETRIES = "max_retries_exceeded"
    WRONG_NUMBERS = "wrong_numbers"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row; `resolved_*` are None while it waits for a person."""

    id: str
    receipt_id: str
    failed_at_s: int
    reason: str
    document: FiscalDocument
    retry_attempts: int
    last_error: str | None
    resolved_at_s: int | None
    resolved_by: str | None
    note: str | None


_COLUMNS: Final = """id, original_receipt_id, failed_at, reason, fiscal_doc, retry_attempts,
  last_error, resolved_at, resolved_by, note"""


def move(db: Db, receipt_id: str, reason: Reason, now_ms: int) -> str:
    """Give a `syncing` receipt up: row, status and event together.  Returns the row's id."""
    stored = receipts.find(db, receipt_id)
    if stored.document is None:
        raise NotFound("not registered", receipt_id=receipt_id)
    letter_id = str(uuid.uuid4())
    db.execute(
        """INSERT INTO dlq (id, original_receipt_id, failed_at, reason, fiscal_doc, retry_attempts,
             last_error) VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            letter_id,
            receipt_id,
            now_ms // 1000,
            reason,
            dump_document(stored.document),
            stored.retry_count,
            stored.last_error,
        ),
    )
    receipts.move_delivery(db, receipt_id, DeliveryStep.GIVE_UP, Delivery.SYNCING)
    journal.append(
        db,
        Event.RECEIPT_FAILED,
        now_ms,
        receipt_id=receipt_id,
        dlq_id=letter_id,
        reason=reason,
        retry_attempts=stored.retry_count,
        error=stored.last_error,
    )
    return letter_id


def find(db: Db, letter_id: str) -> DeadLetter:
    """Raises NotFound."""
    for row in db.execute(f"SELECT {_COLUMNS} FROM dlq WHERE id = ?", (letter_id,)):
        return _from_row(row)
    raise NotFound("no such row in the DLQ", dlq_id=letter_id)


def find_all(
    db: Db, *, resolved: bool = False, limit: int = 500, offset: int = 0
) -> list[DeadLetter]:
    """Those that wait for a person, or those that did; the oldest first."""
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM dlq WHERE resolved_at IS {"NOT " if resolved else ""}NULL
            ORDER BY failed_at, id LIMIT ? OFFSET ?""",
        (limit, offset),
    )
    return [_from_row(row) for row in rows]


def count(db: Db, *, resolved: bool = False) -> int:
    """How many wait for a person, or did."""
    for (number,) in db.execute(
        f"SELECT count(*) FROM dlq WHERE resolved_at IS {'NOT ' if resolved else ''}NULL"
    ):
        return int(number)
    return 0


def retry(db: Db, letter_id: str, resolved_by: str, now_s: int) -> str:
    """Put its receipt back into the queue with all its attempts; returns the receipt's id.

    Raises NotFound, TooLate (resolved before).
    """
    letter = _close(db, letter_id, resolved_by, "retry", now_s)
    receipts.move_delivery(db, letter.receipt_id, DeliveryStep.RETRY, Delivery.FAILED)
    db.execute("UPDATE receipts SET retry_count = 0 WHERE id = ?", (letter.receipt_id,))
    return letter.receipt_id


def resolve(db: Db, letter_id: str, resolved_by: str, note: str, now_s: int) -> DeadLetter:
    """A person dealt with it elsewhere; the receipt stays `failed`.

    Raises NotFound, TooLate (resolved before).
    """
    return _close(db, letter_id, resolved_by, note, now_s)


def _close(db: Db, letter_id: str, resolved_by: str, note: str, now_s: int) -> DeadLetter:
    db.execute(
        """UPDATE dlq SET resolved_at = ?2, resolved_by = ?3, note = ?4
           WHERE id = ?1 AND resolved_at IS NULL""",
        (letter_id, now_s, resolved_by, note),
    )
    closed = db.changes() == 1
    letter = find(db, letter_id)
    if not closed:
        raise TooLate(
            "it was resolved before",
            dlq_id=letter_id,
            resolved_by=letter.resolved_by,
            remedy="dlq_resolved",
        )
    return letter


def _from_row(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(
        id=row[0],
        receipt_id=row[1],
        failed_at_s=row[2],
        reason=row[3],
        document=load_document(row[4]),
        retry_attempts=row[5],
        last_error=row[6],
        resolved_at_s=row[7],
        resolved_by=row[8],
        note=row[9],
    )
