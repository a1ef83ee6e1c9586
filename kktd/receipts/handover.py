"""How an idle lane lets the desk store the next receipt as begun, so that a sale costs two commits.

The lane offers the intent it would store itself; the desk stores it in the transaction that accepts
the receipt (contract 2.10).  The row is `printing` then: a crash leaves a doubt, which the FN
settles.  That nothing was sent yet is known in memory alone, here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kktd.model.receipt import ReceiptId
from kktd.store.receipts import Intent


class Handover:
    """One receipt at a time.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._make: Callable[[ReceiptId], Intent] | None = None
        self._begun: ReceiptId | None = None
        self._intent: Intent | None = None

    def offer(self, make: Callable[[ReceiptId], Intent] | None) -> None:
        """`make` gives a receipt's intent; None: the lane is not idle, or the printer not ready."""
        with self._lock:
            self._make = make

    def take(self, receipt_id: ReceiptId) -> Intent | None:
        """The intent to store with the receipt, or None: then it is stored as accepted alone.

        Before the commit, so that the lane never meets the row without knowing of it.
        """
        with self._lock:
            if self._make is None or self._begun is not None:
                return None
            self._begun, self._intent = receipt_id, self._make(receipt_id)
            return self._intent

    def find(self, receipt_id: ReceiptId) -> Intent | None:
        """Its intent if it is stored as begun and nothing was sent."""
        with self._lock:
            return self._intent if self._begun == receipt_id else None

    def drop(self, receipt_id: ReceiptId) -> None:
        """It was not stored, was given back, or is about to be sent."""
        with self._lock:
            if self._begun == receipt_id:
                self._begun = None
