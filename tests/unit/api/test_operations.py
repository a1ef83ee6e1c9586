"""Cash in and out, X-report and drawer over the API: who may, what is asked, what is answered."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from kktd.store.tokens import Role
from tests.support.api import ApiBench, Reply

CASH = {"amount": "100.50", "reason": "размен", "pos_id": "POS-001"}
CASHIER = {"cashier": {"name": "Иванова А. П."}}


def _post(
    bench: ApiBench, path: str, body: Any, role: Role = Role.SUPERVISOR, key: str | None = None
) -> Reply:
    return bench.lan(
        "POST",
        f"/v1/kkt/{path}",
        body,
        token=bench.token(role),
        key=key or str(uuid.uuid4()),
    )


def _open(bench: ApiBench) -> None:
    assert _post(bench, "shift/open", CASHIER).status in (200, 409)


def test_cash_in_and_out_answer_with_the_balance_and_a_repeat_moves_nothing(
    bench: ApiBench,
) -> None:
    _open(bench)
    key = str(uuid.uuid4())
    first = _post(bench, "cash_in", CASH, key=key)
    assert (first.status, first.body["amount"]) == (200, "100.50")
    assert set(first.body) == {"operation_id", "amount", "cash_balance", "datetime"}
    again = _post(bench, "cash_in", CASH, key=key)
    assert (again.body, again.headers["Idempotency-Replayed"]) == (first.body, "true")
    out = _post(bench, "cash_out", CASH | {"amount": first.body["cash_balance"]})
    assert (out.status, out.body["cash_balance"]) == (200, "0.00")
    short = _post(bench, "cash_out", CASH | {"amount": 1, "cashier": {"name": "Иванова А. П."}})
    assert (short.status, short.code) == (409, "NOT_ENOUGH_CASH")
    assert short.body["details"]["available"] == "0.00"


@pytest.mark.parametrize("path", ["cash_in", "cash_out"])
def test_money_is_a_supervisor_s(bench: ApiBench, path: str) -> None:
    assert _post(bench, path, CASH, Role.CASHIER).status == 403


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"reason": " "}, "reason"),
        ({"sum": 1}, "sum"),
    ],
)
def test_a_wrong_movement_names_its_field(
    bench: ApiBench, wrong: dict[str, Any], field: str
) -> None:
    reply = _post(bench, "cash_in", CASH | wrong)
    assert (reply.status, reply.code) == (422, "INVALID")
    assert reply.body["details"]["field"] == field


def test_an_x_report_has_totals_and_no_document(bench: ApiBench) -> None:
    _open(bench)
    reply = _post(bench, "x_report", CASHIER, Role.CASHIER)
    assert (reply.status, reply.body["report_type"]) == (200, 1)
    assert reply.body["fiscal_document_number"] is reply.body["fiscal_sign"] is None
    assert set(reply.body) >= {"cash_total", "card_total", "total_sales", "total_refunds"}


@pytest.mark.parametrize("body", [{}, b"", {"pos_id": "POS-001", **CASHIER}])
def test_a_cashier_opens_the_drawer(bench: ApiBench, body: Any) -> None:
    assert _post(bench, "drawer", body, Role.CASHIER).status == 200


def test_a_sale_in_an_old_shift_reminds_of_the_z_report(own_bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    own_bench.old_shifts = frozenset({"POS-001"})
    sold = own_bench.sell(key=key)
    assert sold.status == 200
    if sold.body["print_state"] == "printed":
        assert "23 часов" in sold.body["message"]
    own_bench.old_shifts = frozenset()
    later = own_bench.until_final(str(uuid.uuid4())).body
    assert "23 часов" not in later.get("message", "")
