"""What the cashier is told while the printer is away, silent, out of paper or says no."""

from __future__ import annotations

import uuid

from kktd.store.tokens import Role
from tests.support.api import ApiBench

CLOSE = "close_receipt"


def test_a_printer_that_is_away_takes_a_few_sales_and_then_none(own_bench: ApiBench) -> None:
    assert own_bench.till is not None
    assert own_bench.sell().status == 200
    own_bench.till.faults.add("printer", "unplug")
    limit = own_bench.settings.printer.max_unprinted
    keys = [str(uuid.uuid4()) for _ in range(limit)]
    for key in keys:
        waiting = own_bench.sell(key=key)
        assert (waiting.status, waiting.body["print_state"]) == (202, "accepted")
        assert "проверьте кабель и питание" in waiting.body["message"]
    refused = own_bench.sell()
    assert (refused.status, refused.code) == (503, "PRINTER_UNAVAILABLE")
    health = own_bench.lan("GET", "/v1/health")
    assert (health.status, health.body["obstacle"]) == (503, "PRINTER_UNAVAILABLE")
    assert health.body["components"]["kkt_device"]["status"] == "unhealthy"
    own_bench.till.faults.clear("printer")
    for key in keys:
        assert own_bench.until_final(key).status == 200
    assert len(own_bench.till.fn_receipts()) == limit + 1


def test_a_lost_reply_is_settled_by_the_fn_and_never_printed_twice(own_bench: ApiBench) -> None:
    assert own_bench.till is not None
    own_bench.sell()
    own_bench.till.faults.add("printer", "lose_reply", command=CLOSE, times=1)
    key = str(uuid.uuid4())
    first = own_bench.sell(key=key)
    assert first.status in (200, 202)
    if first.status == 202:
        assert first.body["print_state"] in ("printing", "in_doubt")
        assert first.body["message"] == "Не пробивайте повторно: проверяем."
    settled = own_bench.until_final(key)
    assert settled.status == 200
    assert len(own_bench.till.fn_receipts()) == 2


def test_a_refusal_of_the_printer_says_what_to_do_and_is_replayed(own_bench: ApiBench) -> None:
    assert own_bench.till is not None
    own_bench.sell()
    own_bench.till.faults.add("printer", "refuse", command=CLOSE, code=0x33, times=1)
    key = str(uuid.uuid4())
    refused = own_bench.sell(key=key)
    assert (refused.status, refused.code) == (422, "PRINTER_REFUSED"), refused.body
    assert refused.body["details"]["device_code"] == 0x33
    assert refused.body["message"]
    again = own_bench.sell(key=key)
    assert again.body["details"] == refused.body["details"]
    assert again.headers["Idempotency-Replayed"] == "true"
    token = own_bench.token(Role.CASHIER)
    path = f"/v1/kkt/receipt/{refused.body['details']['receipt_id']}"
    assert own_bench.lan("GET", path, token=token).body["print_state"] == "refused"
    assert len(own_bench.till.fn_receipts()) == 1
