"""Refunds over HTTPS: who may, what is answered, and the check a point of sale makes before."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from kktd.store.tokens import Role
from tests.support.api import ApiBench, Reply, item, sale

PAPER = {"fn": "9999078900000001", "fd": 17, "fp": "0060838650"}


def _sold(bench: ApiBench, rubles: str = "500.00", method: str = "card") -> dict[str, Any]:
    """A registered sale that the ОФД has."""
    body = sale(items=[item(qty=1, price=rubles)], payments=[{"method": method, "amount": rubles}])
    reply = bench.sell(body)
    assert reply.status == 200, reply.body
    assert bench.till is not None
    bench.till.deliver(reply.body["receipt_id"])
    answer: dict[str, Any] = reply.body
    return answer


def _refund(rubles: str = "500.00", method: str = "card", **original: Any) -> dict[str, Any]:
    return sale(
        type="refund",
        items=[item(qty=1, price=rubles)],
        payments=[{"method": method, "amount": rubles}],
        **original,
    )


def _post(
    bench: ApiBench, body: object, role: Role = Role.CASHIER, key: str | None = None
) -> Reply:
    return bench.lan(
        "POST", "/v1/kkt/receipt", body, token=bench.token(role), key=key or str(uuid.uuid4())
    )


def _check(bench: ApiBench, role: Role = Role.CASHIER, **original: Any) -> Reply:
    return bench.lan("POST", "/v1/pos/refund", original, token=bench.token(role))


def test_a_delivered_sale_is_refunded(bench: ApiBench) -> None:
    sold = _sold(bench)
    checked = _check(bench, original_receipt_id=sold["receipt_id"].upper())
    assert (checked.status, checked.body) == (200, {"allowed": True, "sync_status": "synced"})
    reply = _post(bench, _refund(original_receipt_id=sold["receipt_id"]))
    assert reply.status == 200, reply.body
    assert reply.body["change"] == "0.00"
    assert reply.body["fiscal_doc"]["qr"].endswith("&n=2")


def test_a_sale_is_found_by_its_paper(bench: ApiBench) -> None:
    fiscal = _sold(bench)["fiscal_doc"]
    name = f"{fiscal['fn']}:{fiscal['fd']}"
    assert _check(bench, original_fiscal_doc_id=name).status == 200
    original = {name: fiscal[name] for name in ("fn", "fd", "fp")}
    assert _post(bench, _refund(original=original)).status == 200
    wrong = _post(bench, _refund(original=original | {"fp": "1"}))
    assert (wrong.status, wrong.body["details"]["field"]) == (422, "original.fp")


def test_an_undelivered_sale_has_to_wait_and_the_cashier_hears_why(bench: ApiBench) -> None:
    sold = bench.sell().body
    checked = _check(bench, original_receipt_id=sold["receipt_id"])
    assert checked.status == 409
    assert "не синхронизирован" in checked.body.pop("message")
    assert checked.body == {
        "allowed": False,
        "reason": "refund_unsynced",
        "sync_status": "pending",
        "retry_after_seconds": 300,
    }
    before = bench.stored_receipts(), bench.stored_keys()
    reply = _post(bench, _refund("199.00", original_receipt_id=sold["receipt_id"]))
    assert (reply.status, reply.code) == (409, "REFUND_NOT_SYNCED")
    assert "не синхронизирован" in reply.body["message"]
    assert reply.headers["Retry-After"] == "300"
    assert (bench.stored_receipts(), bench.stored_keys()) == before


@pytest.mark.parametrize(
    "original", [{"original_receipt_id": str(uuid.uuid4())}, {"original": PAPER}]
)
def test_an_unknown_sale_is_not_refunded_by_a_cashier(
    bench: ApiBench, original: dict[str, Any]
) -> None:
    reply = _post(bench, _refund(**original))
    assert (reply.status, reply.code) == (409, "REFUND_NOT_SYNCED")
    assert reply.body["message"].startswith("Чек не найден в системе, повторите через 10 мин")
    assert reply.body["details"]["sync_status"] == "not_found"
    assert reply.body["details"]["retry_after_seconds"] == 600
    assert reply.headers["Retry-After"] == "600"


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.ENGINEER, Role.ADMIN])
def test_a_supervisor_goes_on_with_the_paper_alone(bench: ApiBench, role: Role) -> None:
    unknown = _post(bench, _refund(original_receipt_id=str(uuid.uuid4())), role)
    assert unknown.status == 409
    name = f"{PAPER['fn']}:{PAPER['fd']}"
    assert _check(bench, original_fiscal_doc_id=name).status == 409
    checked = _check(bench, role, original_fiscal_doc_id=name)
    assert (checked.status, checked.body) == (200, {"allowed": True, "sync_status": "not_found"})
    reply = _post(bench, _refund("10.00", original=PAPER), role)
    assert reply.status == 200, reply.body
    assert bench.till is not None
    kept = bench.till.stored(reply.body["receipt_id"]).receipt.original
    assert kept is not None
    assert kept.document is not None
    assert kept.document.fp == "60838650", "as a number has it"


def test_the_check_wants_a_token_and_takes_a_key_or_none(bench: ApiBench) -> None:
    sold = _sold(bench)
    body = {"original_receipt_id": sold["receipt_id"]}
    assert bench.lan("POST", "/v1/pos/refund", body).status == 401
    token, key = bench.token(Role.CASHIER), str(uuid.uuid4())
    keys_before = bench.stored_keys()
    for _ in range(2):
        reply = bench.lan("POST", "/v1/pos/refund", body, token=token, key=key)
        assert reply.status == 200
        assert "Idempotency-Replayed" not in reply.headers
    assert bench.stored_keys() == keys_before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "original_receipt_id"),
        ({"original_receipt_id": "17"}, "original_receipt_id"),
        ({"original_fiscal_doc_id": "17"}, "original_fiscal_doc_id"),
        ({"original_fiscal_doc_id": f"{PAPER['fn']}:0"}, "original_fiscal_doc_id"),
        ({"original": PAPER}, "original"),
        (
            {
                "original_receipt_id": str(uuid.uuid4()),
                "original_fiscal_doc_id": f"{PAPER['fn']}:1",
            },
            "original_fiscal_doc_id",
        ),
    ],
)
def test_a_check_of_nothing_in_particular_names_its_field(
    bench: ApiBench, body: dict[str, Any], field: str
) -> None:
    reply = _check(bench, **body)
    assert (reply.status, reply.code) == (422, "INVALID")
    assert reply.body["details"]["field"] == field


def test_a_refund_is_no_original(bench: ApiBench) -> None:
    sold = _sold(bench)
    refund = _post(bench, _refund(original_receipt_id=sold["receipt_id"])).body["receipt_id"]
    for reply in (
        _check(bench, original_receipt_id=refund),
        _post(bench, _refund("1.00", original_receipt_id=refund)),
    ):
        assert (reply.status, reply.code) == (422, "INVALID")
        assert reply.body["details"]["reason"] == "not a registered sale"


def test_more_than_the_sale_is_refused_and_names_what_is_left(bench: ApiBench) -> None:
    sold = _sold(bench, "500.00")["receipt_id"]
    assert _post(bench, _refund("499.99", original_receipt_id=sold)).status == 200
    reply = _post(bench, _refund("0.02", original_receipt_id=sold))
    assert (reply.status, reply.code) == (422, "INVALID")
    assert reply.body["details"]["left"] == "0.01"
    assert "осталось вернуть" in reply.body["message"]
    assert _post(bench, _refund("0.01", original_receipt_id=sold)).status == 200
    nothing = _check(bench, original_receipt_id=sold)
    assert (nothing.status, nothing.body["reason"]) == (409, "refund_nothing_left")
    assert "Retry-After" not in nothing.headers


def test_two_refunds_at_once_take_the_money_once(own_bench: ApiBench) -> None:
    sold = _sold(own_bench, method="cash")["receipt_id"]
    replies: list[Reply] = []

    def refund() -> None:
        replies.append(_post(own_bench, _refund(method="cash", original_receipt_id=sold)))

    own_bench.token(Role.CASHIER)
    threads = [threading.Thread(target=refund) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(one.status for one in replies) == [200, 422, 422, 422]
    assert own_bench.till is not None
    assert [one["sign"] for one in own_bench.till.fn_receipts()] == [1, 2]


def test_cash_that_is_not_there_is_not_promised(own_bench: ApiBench) -> None:
    sold = _sold(own_bench)["receipt_id"]
    reply = _post(own_bench, _refund("100.00", "cash", original_receipt_id=sold))
    assert (reply.status, reply.code) == (409, "NOT_ENOUGH_CASH")
    assert reply.body["details"] == {"wanted": "100.00", "available": "0.00"}
    assert "наличных" in reply.body["message"]
    _sold(own_bench, "100.00", "cash")
    assert _post(own_bench, _refund("100.00", "cash", original_receipt_id=sold)).status == 200


def test_a_repeat_of_a_refund_is_replayed_even_after_a_restart(own_bench: ApiBench) -> None:
    body = _refund(original_receipt_id=_sold(own_bench)["receipt_id"])
    key = str(uuid.uuid4())
    first = _post(own_bench, body, key=key)
    again = _post(own_bench, body, key=key)
    assert (first.status, again.raw) == (200, first.raw)
    assert again.headers["Idempotency-Replayed"] == "true"
    own_bench.restart()
    assert _post(own_bench, body, key=key).raw == first.raw
    assert own_bench.till is not None
    assert len(own_bench.till.fn_receipts()) == 2


def test_a_refused_refund_leaves_its_key_free(own_bench: ApiBench) -> None:
    sold = own_bench.sell().body["receipt_id"]
    body, key = _refund("199.00", original_receipt_id=sold), str(uuid.uuid4())
    assert _post(own_bench, body, key=key).status == 409
    assert own_bench.till is not None
    own_bench.till.deliver(sold)
    assert _post(own_bench, body, key=key).status == 200
