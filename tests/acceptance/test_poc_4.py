"""POC-4: a day without OFD and Odoo, and everything that may go wrong in it."""

from __future__ import annotations

import pytest

from kktd.errors import BufferFull
from kktd.model.receipt import PaymentMethod
from kktd.model.states import CircuitState, Delivery
from kktd.store.connection import Db
from tests.acceptance.reading import (
    HOUR_S,
    MINUTE_S,
    alerts,
    assert_all_delivered_once,
    ids,
    p50,
)
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop


def test_eight_hours_offline_store_and_deliver_everything(shop: Shop) -> None:
    """50+ sales with mixed tenders; 100 % stored and delivered in order; 50 in ≤ 5 min (P50)."""
    shop.ofd.outage = "hang"
    sold = []
    for number in range(55):
        line = a_line(1_000_00 + number)
        cash = {0: 0, 1: line.total, 2: line.total // 2}[number % 3]
        tenders = {PaymentMethod.CASH: cash, PaymentMethod.CARD: line.total - cash}
        tenders = {method: amount for method, amount in tenders.items() if amount}
        sold += ids([shop.sell(a_receipt(line, payments=tenders))])
        shop.run(8 * HOUR_S / 55)
    assert shop.queued() == 55
    assert shop.get("/v1/kkt/buffer/status").body["network_status"] == "offline"

    shop.ofd.outage = None
    restored_s = shop.clock.monotonic_s()
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert shop.clock.monotonic_s() - restored_s <= 10 * MINUTE_S
    assert p50(_synced_after(shop, sold, restored_s)) <= 5 * MINUTE_S
    assert shop.get("/v1/kkt/buffer/status").body["dlq_size"] == 0
    assert_all_delivered_once(shop, sold)


def test_two_hundred_fill_the_buffer_and_drain_in_ten_minutes(shop: Shop) -> None:
    """Alerts at 80/90/100 %, the 201st refused with P1; 200 delivered in ≤ 10 min."""
    shop.ofd.outage = "refused"
    sold: list[str] = []
    warned: dict[int, list[tuple[str, str]]] = {}
    for _ in range(200):
        sold += ids([shop.sell(a_receipt())])
        shop.run(MINUTE_S)
        if len(sold) in (159, 160, 180, 200):
            warned[len(sold)] = alerts(shop)
    assert not _about_the_buffer(warned[159])
    assert [level for level, _ in _about_the_buffer(warned[160])] == ["P2"]
    assert "80" in _about_the_buffer(warned[160])[0][1]
    assert "90" in _about_the_buffer(warned[180])[0][1]
    assert [level for level, _ in _about_the_buffer(warned[200])] == ["P1"]
    with pytest.raises(BufferFull):
        shop.sell(a_receipt())
    assert len(shop.fn_receipts()) == 200

    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, sold)


def test_a_clock_ten_minutes_fast_changes_no_order(shop: Shop) -> None:
    """HLC rises through the jump and back; ids are unique, delivery keeps the FN's order."""
    shop.ofd.outage = "503"
    sold = ids([shop.sell(a_receipt()) for _ in range(5)])
    shop.clock.jump_wall(10 * MINUTE_S)
    sold += ids([shop.sell(a_receipt()) for _ in range(5)])
    shop.clock.jump_wall(-10 * MINUTE_S)
    sold += ids([shop.sell(a_receipt()) for _ in range(5)])
    stamps = shop.parts.store.read(_stamps)
    assert [receipt_id for _, _, receipt_id in sorted(stamps)] == sold
    assert len({stamp[:2] for stamp in stamps}) == 15
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, sold)


def test_a_restart_with_twenty_queued_loses_none(shop: Shop) -> None:
    """kill -9 offline; the twenty are there at once and go when the ОФД is back."""
    shop.ofd.outage = "refused"
    sold = ids([shop.sell(a_receipt()) for _ in range(20)])
    shop.restart()
    assert shop.queued() == 20
    shop.wait(lambda: shop.parts.lanes.first.health.ready, 2 * MINUTE_S)
    assert shop.sell(a_receipt()).status == 200
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert [shop.stored(one).delivery for one in sold] == [Delivery.SYNCED] * 20
    assert shop.parts.till.breaker().state is CircuitState.CLOSED


def _synced_after(shop: Shop, sold: list[str], since_s: float) -> list[float]:
    """Seconds from `since_s` until the ОФД first was sent each that it kept."""
    last = {receipt_id: at_s for at_s, receipt_id in shop.ofd.sends}
    return [last[one] - since_s for one in sold]


def _stamps(db: Db) -> list[tuple[int, int, str]]:
    query = "SELECT hlc_local_time, hlc_logical_counter, id FROM receipts"
    return [(int(str(s)), int(str(n)), str(i)) for s, n, i in db.execute(query)]


def _about_the_buffer(said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [alert for alert in said if "буфер" in alert[1].lower() and "%" in alert[1]] or [
        alert for alert in said if "переполнен" in alert[1].lower()
    ]
