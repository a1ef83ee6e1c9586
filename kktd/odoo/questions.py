"""What a cashier's request asks Odoo, at most for the time of one heartbeat, before it is decided.

Never inside a transaction.  A line of its own beside the link's: an HTTP line has one caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kktd.clock import Clock, Deadline
from kktd.model.product import Product
from kktd.model.receipt import Original
from kktd.odoo.client import Known, Odoo
from kktd.ofd.channel import DeliveryError
from kktd.receipts.refunds import Odoo as Verdict
from kktd.store import odoo
from kktd.store.store import Store

FOUND_MAX = 50
_VERDICTS = {
    Known.SYNCED: Verdict.SYNCED,
    Known.PENDING: Verdict.PENDING,
    Known.DOES_NOT_KNOW: Verdict.DOES_NOT_KNOW,
}


class Questions:
    """Thread-safe.  Who finds the line in use for the whole time hears that Odoo is away."""

    def __init__(
        self, client: Odoo, store: Store, clock: Clock, timeout_ms: Callable[[], int]
    ) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._timeout_ms = timeout_ms
        self._line = threading.Lock()

    def receipt(self, original: Original) -> Verdict:
        """What Odoo knows of the original of a refund (contract 6)."""
        by = Deadline.after_ms(self._clock, self._timeout_ms())
        if not self._line.acquire(timeout=max(0.0, by.left_s())):
            return Verdict.AWAY
        try:
            known = self._client.find_receipt(original.receipt_id, original.document, by)
            return _VERDICTS[known]
        except DeliveryError:
            return Verdict.AWAY
        finally:
            self._line.release()

    def products(self, *, sku: str | None, barcode: str | None, name: str | None) -> list[Product]:
        """Among what changed at Odoo since the last import; nothing is imported by looking."""
        by = Deadline.after_ms(self._clock, self._timeout_ms())
        if not self._line.acquire(timeout=max(0.0, by.left_s())):
            return []
        try:
            page = self._client.products(self._store.read(odoo.progress).cursor, by)
        except DeliveryError:
            return []
        finally:
            self._line.release()
        wanted = (name or "").casefold()
        return [
            one
            for one in page.items
            if (sku is not None and one.sku == sku)
            or (barcode is not None and one.barcode == barcode)
            or (wanted and wanted in one.name.casefold())
        ][:FOUND_MAX]
