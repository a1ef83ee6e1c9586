"""POC-4: a day without OFD and Odoo, and everything that may go wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.errors import BufferFull
from kktd.model.money import Kopecks
from kktd.model.product import Product
from kktd.model.receipt import PaymentMethod, VatRate
from kktd.model.states import CircuitState, Delivery
from kktd.store import odoo
from kktd.store.connection import Db
from tests.acceptance.reading import (
    HOUR_S,
    MINUTE_S,
    alerts,
    assert_all_delivered_once,
    ids,
)
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Shop]:
    """With an Odoo."""
    made = Shop(tmp_path, has_odoo=True)
    made.run(100)
    yield made
    made.close()


def test_eight_hours_offline_store_and_deliver_everything(linked: Shop) -> None:
    """50+ sales with mixed tenders; 100 % stored and delivered in order; 50 in ≤ 5 min (P50)."""
    shop = linked
    shop.ofd.outage = shop.odoo.outage = "hang"
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

    shop.ofd.outage = shop.odoo.outage = None
    shop.ofd.latency_s = 1.0
    restored_s = shop.clock.monotonic_s()
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    took_s = sorted(_synced_after(shop, sold, restored_s))
    assert took_s[49] <= 5 * MINUTE_S, "the fiftieth"
    shop.wait(lambda: len(_told(shop)) == 55, 5 * MINUTE_S)
    assert _told(shop) == sold
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


def test_prices_are_not_imported_while_ten_receipts_are_queued(linked: Shop) -> None:
    """Refused and said; imported once they have left.  The 409 towards Odoo: hil/test_odoo.py."""
    shop = linked
    shop.ofd.outage = "refused"
    sold = ids([shop.sell(a_receipt()) for _ in range(10)])
    shop.odoo.catalogue = [Product("SKU-1", None, "Оправа", Kopecks(1990_00), VatRate.V22)]
    shop.parts.till.refresh_catalogue()
    shop.run(2 * HOUR_S)
    assert {line["code"] for line in shop.lines("catalogue_refused")} == {"UNSYNC_BUFFERS"}
    assert shop.parts.store.read(odoo.count_products) == 0
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    shop.wait(lambda: shop.parts.store.read(odoo.count_products) == 1, HOUR_S + MINUTE_S)
    assert_all_delivered_once(shop, sold)


def _told(shop: Shop) -> list[str]:
    """The receipts that Odoo was told of, in the order of its events."""
    told = [one for one in shop.odoo.events.values() if one["type"] == "receipt_registered"]
    return [str(event["receipt_id"]) for event in told]


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
