"""Refunds as the rows tell them: of which sale, how much already, what cash is spoken for.

A refund counts from the transaction that accepts it until it is refused or cancelled: the row is
the reservation, and leaving those states is what releases it (contract 6).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kktd.errors import NotFound
from kktd.model.receipt import DocumentNumbers, Original, ReceiptType
from kktd.model.states import Delivery
from kktd.store import receipts
from kktd.store.connection import Db


@dataclass(frozen=True, slots=True)
class KnownOriginal:
    """What a refund asks of a receipt of ours, whether its row is still there or not.

    `numbers` are None while the FN does not have it; `state` is its print state; `total` kopecks.
    """

    id: str
    type: ReceiptType
    total: int
    numbers: DocumentNumbers | None
    delivery: Delivery
    state: str


def find_original(db: Db, original: Original) -> KnownOriginal | None:
    """The receipt it names, by our id, else by FN and document number; None if never ours."""
    receipt_id: str | None = original.receipt_id
    if receipt_id is None and original.document is not None:
        numbers = (original.document.fn, original.document.fd)
        for (found,) in db.execute(
            """SELECT id FROM receipts WHERE fn = ?1 AND fd = ?2
               UNION ALL SELECT receipt_id FROM past_documents WHERE fn = ?1 AND fd = ?2""",
            numbers,
        ):
            receipt_id = str(found)
    if receipt_id is None:
        return None
    try:
        stored = receipts.find(db, receipt_id)
    except NotFound:
        return _find_past(db, receipt_id)
    document = stored.document
    return KnownOriginal(
        id=stored.id,
        type=stored.receipt.type,
        total=stored.receipt.total,
        numbers=DocumentNumbers(document.fn, document.fd, document.fp) if document else None,
        delivery=stored.delivery,
        state=stored.state,
    )


def _find_past(db: Db, receipt_id: str) -> KnownOriginal | None:
    """Its row went because the ОФД had it (store/retention.py)."""
    for fn, fd, fp, kind, total in db.execute(
        "SELECT fn, fd, fp, type, total_kopecks FROM past_documents WHERE receipt_id = ?",
        (receipt_id,),
    ):
        return KnownOriginal(
            id=receipt_id,
            type=ReceiptType(kind),
            total=int(str(total)),
            numbers=DocumentNumbers(str(fn), int(str(fd)), str(fp)),
            delivery=Delivery.SYNCED,
            state="printed",
        )
    return None


def sum_refunded(db: Db, fn: str, fd: int) -> int:
    """Kopecks of all refunds of one document that were made or may still be made.

    Walks the whole table: refunds are rare, and an index would cost every sale a page.
    """
    rows = db.execute(
        """SELECT (SELECT coalesce(sum(total_kopecks), 0) FROM receipts
             WHERE type = 'refund' AND print_state NOT IN ('refused', 'cancelled')
               AND request ->> '$.original.fn' = ?1 AND request ->> '$.original.fd' = ?2)
           + coalesce((SELECT refunded_kopecks FROM past_documents WHERE fn = ?1 AND fd = ?2), 0)
        """,
        (fn, fd),
    )
    return int(str(rows.get))


def sum_cash_on_the_way(db: Db, tills: Iterable[str]) -> int:
    """Kopecks of cash that accepted refunds will take from these tills' drawer; not booked yet."""
    rows = db.execute(
        """SELECT coalesce(sum(tender.value ->> '$.amount'), 0)
           FROM receipts, json_each(receipts.request, '$.payments') AS tender
           WHERE unfinished = 1 AND receipts.type = 'refund'
             AND pos_id IN (SELECT value FROM json_each(?))
             AND print_state IN ('accepted', 'printing', 'in_doubt')
             AND tender.value ->> '$.method' = 'cash'""",
        (json.dumps(list(tills)),),
    )
    return int(str(rows.get))
