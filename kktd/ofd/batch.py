"""What delivery may send next: in the FN's order, less what was set back or is not ready yet."""

from __future__ import annotations

from kktd.ofd.channel import OfdChannel
from kktd.ofd.pace import Pace
from kktd.store import outbox
from kktd.store.connection import Db
from kktd.store.receipts import StoredReceipt


def find(
    db: Db, channel: OfdChannel, pace: Pace, limit: int, now_s: float
) -> tuple[list[StoredReceipt], int]:
    """At most `limit`, and how many wait in all if there is one; inside Store.read."""

    def may_go(one: StoredReceipt) -> bool:
        ready = one.document is not None and channel.is_ready(one.document)
        return ready and pace.may_go(one.id, now_s)

    skipped_max = outbox.count(db) if channel.waits else pace.troubled
    found = outbox.find(db, limit, skipped_max, may_go)
    return found, outbox.count(db) if found else 0
