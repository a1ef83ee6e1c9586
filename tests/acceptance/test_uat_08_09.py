"""UAT-08 and UAT-09: selling offline, and what the cashier reads then."""

from __future__ import annotations

import pytest

from kktd.api.messages import Language, error_sentence
from kktd.errors import RefundNotSynced
from kktd.model.receipt import Original
from tests.acceptance.reading import HOUR_S, MINUTE_S, assert_all_delivered_once, ids, p95
from tests.support.receipts import a_receipt, a_refund
from tests.support.shop import Shop


def test_a_sale_offline_prints_at_once_and_goes_within_ten_minutes(shop: Shop) -> None:
    """Printed ≤ 7 s, buffered, «Офлайн»; sent ≤ 10 min after the network is back."""
    shop.ofd.outage = "refused"
    shop.run(3 * MINUTE_S)
    began_s = shop.clock.monotonic_s()
    answer = shop.sell(a_receipt())
    assert (answer.status, answer.body["print_state"]) == (200, "printed")
    assert shop.clock.monotonic_s() - began_s <= 7
    assert answer.body["buffer_info"]["total_queued"] == 1
    said = shop.get("/v1/kkt/buffer/status").body["network_message"]
    assert said.startswith("Офлайн")
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, ids([answer]))


def test_four_hours_and_thirty_sales_offline(shop: Shop) -> None:
    """«Офлайн 4ч 00мин, в буфере 30 чеков»; 100 % delivered; an unsynced sale is not refunded."""
    shop.ofd.outage = "hang"
    shop.wait(lambda: shop.parts.mode() == "offline", 5 * MINUTE_S)
    offline_s = shop.clock.monotonic_s()
    sold, paper_s = [], []
    for _ in range(30):
        began_s = shop.clock.monotonic_s()
        sold += ids([shop.sell(a_receipt())])
        paper_s.append(shop.clock.monotonic_s() - began_s)
        shop.run(7 * MINUTE_S)
    shop.run(offline_s + 4 * HOUR_S - shop.clock.monotonic_s())
    assert p95(paper_s) <= 7
    said = shop.get("/v1/kkt/buffer/status").body["network_message"]
    assert said == "Офлайн 4ч 00мин, в буфере 30 чеков"

    sale = shop.stored(sold[0]).receipt
    refund = a_refund(Original(receipt_id=sale.id), *sale.lines)
    with pytest.raises(RefundNotSynced) as blocked:
        shop.sell(refund)
    details = blocked.value.details
    said = error_sentence(blocked.value.code, details.get("remedy"), details, Language.RU)
    assert said.startswith("Исходный чек не синхронизирован")
    assert "Проверьте интернет" in said
    shop.ofd.outage = None
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, sold)
    assert shop.sell(a_refund(Original(receipt_id=sale.id), *sale.lines)).status == 200
