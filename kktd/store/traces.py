"""The trace a receipt is part of, kept in its row: StoredReceipt.trace."""

from __future__ import annotations

from kktd.store.connection import Db
from kktd.trace import Trace


def keep(db: Db, receipt_id: str, trace: Trace) -> None:
    """In the transaction that accepts it."""
    db.execute("UPDATE receipts SET traceparent = ? WHERE id = ?", (trace.as_header(), receipt_id))
