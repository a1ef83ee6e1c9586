"""UAT-11: a restart with receipts queued, and reports without a network."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from kktd.model.receipt import PaymentMethod
from kktd.store.operations import OperationKind
from tests.acceptance.reading import MINUTE_S, assert_all_delivered_once, ids
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop


def test_a_restart_keeps_fifteen_and_sells_within_two_minutes(tmp_path: Path) -> None:
    """Up ≤ 2 min with the 15 still there, heartbeat ≤ 30 s; all 15 synced afterwards."""
    shop = Shop(tmp_path, has_odoo=True)
    shop.run(100)
    shop.ofd.outage = "refused"
    sold = ids([shop.sell(a_receipt()) for _ in range(15)])
    shop.kill()
    shop.clock.advance(5)
    shop.start()
    shop.odoo.beats.clear()
    shop.wait(lambda: bool(shop.odoo.beats), 30)
    assert shop.odoo.beats[0]["buffer"]["current_queued"] == 15
    assert shop.wait(lambda: shop.parts.lanes.first.health.ready, 2 * MINUTE_S) <= 2 * MINUTE_S
    assert shop.queued() == 15
    sold += ids([shop.sell(a_receipt())])
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, sold)
    shop.close()


def test_x_and_z_offline_agree_to_the_kopeck(shop: Shop) -> None:
    """±0 kopecks, `offline: true`."""
    shop.ofd.outage = "refused"
    shop.wait(lambda: shop.parts.mode() == "offline", 5 * MINUTE_S)
    cash = card = 0
    for number in range(12):
        line = a_line(333_33 + number, quantity="3", discount=number)
        part = line.total // 3
        tenders = {PaymentMethod.CASH: part, PaymentMethod.CARD: line.total - part}
        shop.sell(a_receipt(line, payments=tenders))
        cash, card = cash + part, card + line.total - part
    for kind, report_type in ((OperationKind.X_REPORT, 1), (OperationKind.Z_REPORT, 2)):
        report = shop.operate(kind)
        assert report.status == 200
        assert report.body["report_type"] == report_type
        assert report.body["offline"] is True
        assert Decimal(report.body["cash_total"]) * 100 == cash
        assert Decimal(report.body["card_total"]) * 100 == card
        assert Decimal(report.body["total_sales"]) * 100 == cash + card
        assert Decimal(report.body["total_refunds"]) == 0
