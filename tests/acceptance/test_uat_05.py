"""UAT-05: what the till does when something does not answer.

a: printer timeout → buffer + alert; b: FN full → block + P1; c: no network → buffer, no alert;
d: ОФД 503 → buffer, retried.
"""

from __future__ import annotations

import pytest

from kktd.errors import KktdError
from tests.acceptance.reading import MINUTE_S, alerts, assert_all_delivered_once, ids
from tests.support.receipts import a_receipt
from tests.support.shop import Shop


@pytest.mark.parametrize("fault", ["unplug", "lose_reply"])
def test_a_a_printer_that_does_not_answer_buffers_the_receipt_and_says_so(
    shop: Shop, fault: str
) -> None:
    """Asked at least three times, never sent the receipt; P1 after a minute."""
    bites = shop.faults.add("printer", fault)
    answer = shop.sell(a_receipt())
    assert (answer.status, answer.body["print_state"]) == (202, "accepted")
    assert shop.queued() == 1
    shop.run(30)
    assert len(shop.fn_receipts()) == 0
    assert fault == "unplug" or bites.bitten >= 3
    printer = shop.get("/v1/health").body["components"]["kkt_device"]
    assert printer["status"] == "unhealthy"
    assert printer["message"]
    assert shop.lines("printer_lost")
    assert ("P1", True) in [(level, text.startswith("ККТ")) for level, text in alerts(shop)]
    shop.wait(lambda: _told_of(shop, "PrinterError"), 2 * MINUTE_S)
    shop.faults.clear("printer")
    shop.parts.desk.print_again(answer.body["receipt_id"])  # it is older than a minute by now
    shop.wait(lambda: shop.queued() == 0, 2 * MINUTE_S)
    assert_all_delivered_once(shop, ids([answer]))


def test_b_a_full_fn_blocks_sales_and_asks_for_another(shop: Shop) -> None:
    assert shop.sell(a_receipt()).status == 200
    shop.faults.add("printer", "fn_full")
    refused = shop.sell(a_receipt())
    assert (refused.status, refused.code) in {(422, "PRINTER_REFUSED"), (503, "FN_FULL")}
    shop.run(10)
    with pytest.raises(KktdError) as blocked:
        shop.sell(a_receipt())
    assert blocked.value.code == "FN_FULL"
    health = shop.get("/v1/health")
    assert (health.status, health.body["obstacle"]) == (503, "FN_FULL")
    assert "ФН" in health.body["message"]
    assert "замените ФН" in health.body["message"]
    assert ("P1", True) in [(level, "замените ФН" in text) for level, text in alerts(shop)]
    shop.wait(lambda: _told_of(shop, "FnEnded"), MINUTE_S)
    assert len(shop.fn_receipts()) == 1


def test_c_without_network_the_receipt_waits_and_nobody_is_alarmed(shop: Shop) -> None:
    shop.ofd.outage = "refused"
    before = alerts(shop)
    answer = shop.sell(a_receipt())
    assert answer.status == 200
    shop.run(10)
    assert shop.queued() == 1
    assert alerts(shop) == before == []
    assert not shop.lines("alert_sent")
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, ids([answer]))


def test_d_an_ofd_that_answers_503_gets_it_again(shop: Shop) -> None:
    shop.ofd.outage = "503"
    answer = shop.sell(a_receipt())
    shop.run(4 * MINUTE_S)
    assert shop.queued() == 1
    assert len(shop.ofd.sends) >= 2
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, ids([answer]))


def _told_of(shop: Shop, alert: str) -> bool:
    return any(line["alert"] == alert for line in shop.lines("alert_sent"))
