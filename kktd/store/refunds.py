"""Refunds as the rows tell them: of which sale, how much already, what cash is spoken for.

A refund counts from the transaction that accepts it until it is refused or cancelled: the row is
the reservation, and leaving those states is what releases it (contract 6).
"""

from __future__ import annotations

from kktd.errors import NotFound
from kktd.model.receipt import Original
from kktd.store import receipts
from kktd.store.connection import Db
from kktd.store.receipts import StoredReceipt


def find_original(db: Db, original: Original) -> StoredReceipt | None:
    """The receipt it names, by our id, else by FN and document number; None if never ours."""
    receipt_id: str | None = original.receipt_id
    if receipt_id is None and original.document is not None:
        numbers = (original.document.fn, original.document.fd)
        for (found,) in db.execute("SELECT id FROM receipts WHERE fn = ? AND fd = ?", numbers):
            receipt_id = str(found)
    if receipt_id is None:
        return None
    try:
        return receipts.find(db, receipt_id)
    except NotFound:
        return None


def sum_refunded(db: Db, fn: str, fd: int) -> int:
    """Kopecks of all refunds of one document that were made or may still be made.

    Walks the whole table: refunds are rare, and an index would cost every sale a page.
    """
    rows = db.execute(
        """SELECT coalesce(sum(total_kopecks), 0) FROM receipts
           WHERE type = 'refund' AND print_state NOT IN ('refused', 'cancelled')
             AND request ->> '$.original.fn' = ? AND request ->> '$.original.fd' = ?""",
        (fn, fd),
    )
    return int(str(rows.get))


def sum_cash_on_the_way(db: Db, pos_id: str) -> int:
    """Kopecks of cash that accepted refunds will take from this till's drawer; not booked yet."""
    rows = db.execute(
        """SELECT coalesce(sum(tender.value ->> '$.amount'), 0)
           FROM receipts, json_each(receipts.request, '$.payments') AS tender
           WHERE unfinished = 1 AND receipts.type = 'refund' AND pos_id = ?
             AND print_state IN ('accepted', 'printing', 'in_doubt')
             AND tender.value ->> '$.method' = 'cash'""",
        (pos_id,),
    )
    return int(str(rows.get))
