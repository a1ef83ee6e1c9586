"""What delivery does to the queue of registered receipts, each call one transaction's work.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kktd.errors import StaleState
from kktd.model.states import Delivery, DeliveryStep
from kktd.store import receipts
from kktd.store.connection import Db
from kktd.store.receipts import IN_BUFFER, StoredReceipt


def count(db: Db) -> int:
    """Registered receipts the ОФД does not have yet."""
    for (number,) in db.execute(
        f"SELECT count(*) FROM receipts WHERE {IN_BUFFER} AND fd IS NOT NULL"
    ):
        return int(number)
    return 0


def find(
    db: Db, limit: int, skipped_max: int, may_go: Callable[[StoredReceipt], bool]
) -> list[StoredReceipt]:
    """The first `limit` in the FN's order that `may_go` lets through; it stops `skipped_max`."""
    found = receipts.find_to_deliver(db, limit + skipped_max)
    return [one for one in found if may_go(one)][:limit]


def take(db: Db, batch: Iterable[StoredReceipt]) -> None:
    """Mark them `syncing`; those left so by a step that failed stay so."""
    for stored in batch:
        if stored.delivery is Delivery.PENDING:
            receipts.move_delivery(db, stored.id, DeliveryStep.TAKE, Delivery.PENDING)


def give_back(db: Db, receipt_ids: Iterable[str]) -> None:
    """Mark those of them that are still `syncing` as `pending`."""
    for receipt_id in receipt_ids:
        try:
            receipts.move_delivery(db, receipt_id, DeliveryStep.GIVE_BACK, Delivery.SYNCING)
        except StaleState:
            continue  # it ended before the step that held it failed
