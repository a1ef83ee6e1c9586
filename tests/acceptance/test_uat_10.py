"""UAT-10b and UAT-10c: a full buffer, and the ways out of it."""

from __future__ import annotations

import pytest

from kktd.errors import BufferFull
from kktd.model.states import CircuitState
from tests.acceptance.reading import MINUTE_S, alerts, assert_all_delivered_once, ids
from tests.support.receipts import a_receipt
from tests.support.shop import Shop


def test_10b_fifty_go_and_the_link_is_lost_again(shop: Shop) -> None:
    """50 synced, 150 pending, sales open again, FIFO, no duplicates on the second sync."""
    shop.ofd.outage = "refused"
    sold = ids([shop.sell(a_receipt()) for _ in range(200)])
    with pytest.raises(BufferFull):
        shop.sell(a_receipt())
    shop.ofd.outage = None
    shop.wait(lambda: len(shop.ofd.stored) >= 50, 10 * MINUTE_S)
    shop.ofd.outage = "lost"  # the last one arrives, its answer does not
    shop.run(3 * MINUTE_S)
    assert list(shop.ofd.stored) == sold[: len(shop.ofd.stored)], "first in, first out"
    assert 148 <= shop.queued() <= 150
    sold += ids([shop.sell(a_receipt())])
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, sold)


def test_10c_full_with_an_ofd_that_answers_503(shop: Shop) -> None:
    """P1, the breaker opens, the cashier is told; unblocked ≤ 15 min after it answers."""
    shop.ofd.outage = "503"
    sold = []
    for _ in range(200):
        sold += ids([shop.sell(a_receipt())])
        shop.run(10)
    with pytest.raises(BufferFull):
        shop.sell(a_receipt())
    assert shop.parts.till.breaker().state is CircuitState.OPEN
    health = shop.get("/v1/health")
    assert (health.status, health.body["obstacle"]) == (503, "BUFFER_FULL")
    assert "Офлайн-буфер переполнен" in health.body["message"]
    assert "P1" in [level for level, _ in alerts(shop)]
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() < 200, 15 * MINUTE_S)
    sold += ids([shop.sell(a_receipt())])
    shop.wait(lambda: shop.queued() == 0, 15 * MINUTE_S)
    assert_all_delivered_once(shop, sold)


def test_10c_twenty_survive_the_loss_of_power(shop: Shop) -> None:
    """20 queued, power gone: 20 there, WAL and FULL read back."""
    shop.ofd.outage = "503"
    sold = ids([shop.sell(a_receipt()) for _ in range(20)])
    shop.restart()
    assert shop.queued() == 20
    assert shop.parts.store.write(lambda db: list(db.execute("PRAGMA journal_mode"))) == [("wal",)]
    assert shop.parts.store.write(lambda db: list(db.execute("PRAGMA synchronous"))) == [(2,)]
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, sold)


def test_10c_a_raised_capacity_opens_the_till_at_once(shop: Shop) -> None:
    """200 → 300 in the settings: the next sale is taken, without a restart."""
    shop.ofd.outage = "refused"
    sold = ids([shop.sell(a_receipt()) for _ in range(200)])
    with pytest.raises(BufferFull):
        shop.sell(a_receipt())
    shop.configure("capacity = 200", "capacity = 300")
    shop.run(2)
    sold += ids([shop.sell(a_receipt())])
    assert shop.get("/v1/kkt/buffer/status").body["total_capacity"] == 300
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 15 * MINUTE_S)
    assert_all_delivered_once(shop, sold)
