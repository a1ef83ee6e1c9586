"""Shift opening and Z-report: an intent each, settled by the FN like a receipt."""

from __future__ import annotations

import uuid

import pytest

from kktd.errors import FnExpired, FnFull, ShiftExpired
from kktd.model.receipt import PaymentMethod
from kktd.model.states import FiscalState
from kktd.receipts.answers import Answer
from kktd.store import sessions
from kktd.store.operations import OperationKind, Request
from tests.support.receipts import CASHIER, a_line, a_receipt
from tests.support.till import POS_ID, TillBench


def _operate(till: TillBench, kind: OperationKind, seconds: float = 200) -> Answer:
    ticket = till.desk.operate(Request(kind, CASHIER), POS_ID, str(uuid.uuid4()), b"x")
    till.run(seconds, until=ticket)
    till.desk.leave(ticket)
    return till.desk.operation_answer(ticket.id)


def _types(till: TillBench) -> list[object]:
    return [one["type"] for one in till.printer.documents()]


def test_a_shift_is_opened_once(till: TillBench) -> None:
    assert _operate(till, OperationKind.SHIFT_OPEN).status == 200
    second = _operate(till, OperationKind.SHIFT_OPEN)
    assert (second.status, second.code) == (409, "SHIFT_OPEN")
    assert _types(till).count("shift_open") == 1


def test_the_z_report_agrees_with_the_drawer_to_the_kopeck(till: TillBench) -> None:
    cash = {PaymentMethod.CASH: 500_00}
    till.sell(a_receipt(a_line(123_45), payments=cash))
    till.sell(a_receipt(a_line(1_000_01)))
    answer = till.z_report()
    assert answer.status == 200
    assert answer.body["cash_total"] == "123.45"
    assert answer.body["card_total"] == "1000.01"
    assert answer.body["total_sales"] == "1123.46"
    assert answer.body["shift_number"] == 1
    assert till.store.read(lambda db: sessions.find_open(db, POS_ID)) is None


def test_a_closed_shift_cannot_be_closed(till: TillBench) -> None:
    answer = till.z_report()
    assert (answer.status, answer.code) == (409, "SHIFT_CLOSED")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", ["open_shift", "z_report"])
def test_power_that_fails_in_a_shift_operation_makes_one_document(
    till: TillBench, command: str, when: str
) -> None:
    if command == "z_report":
        till.sell(a_receipt())
    kind = OperationKind.Z_REPORT if command == "z_report" else OperationKind.SHIFT_OPEN
    till.faults.add("printer", "power_cut", 1, command=command, when=when)
    answer = _operate(till, kind)
    made = "shift_close" if command == "z_report" else "shift_open"
    ran = when == "after"
    assert answer.status == (200 if ran else 422), answer
    assert _types(till).count(made) == (1 if ran else 0)
    if not ran:
        assert _operate(till, kind).status == 200


def test_a_shift_of_yesterday_lets_a_z_report_through_and_sells_after_it(till: TillBench) -> None:
    till.sell(a_receipt())
    till.clock.advance(25 * 3600)
    till.printer.confirm_by_ofd(10)
    till.lane.step(till.clock.monotonic_s())
    with pytest.raises(ShiftExpired):
        till.post(a_receipt())
    assert till.z_report().status == 200
    assert till.sell(a_receipt()).status == 200


def test_a_sale_that_finds_the_shift_expired_waits_and_asks_after_the_z_report(
    till: TillBench,
) -> None:
    till.sell(a_receipt())
    receipt = a_receipt()
    till.clock.advance(25 * 3600)
    till.printer.confirm_by_ofd(10)
    answer = till.sell(receipt, seconds=2)
    assert (answer.status, answer.hint) == (202, "shift_expired")
    assert till.z_report().status == 200
    assert till.stored(receipt.id).held, "a sale older than its shift asks a person"
    assert till.sell(a_receipt()).status == 200


def test_nothing_waiting_prints_into_the_next_shift_unasked(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "refuse", 1, command="open_receipt", code=0x50)
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    till.run(1)
    till.z_report()
    till.run(5)
    assert till.stored(receipt.id).state in (FiscalState.PRINTED, FiscalState.ACCEPTED)
    assert till.stored(receipt.id).held or till.stored(receipt.id).document is not None


@pytest.mark.parametrize("ended", ["fn_full", "fn_expired"])
def test_a_refused_opening_is_not_asked_for_again_and_again(till: TillBench, ended: str) -> None:
    till.faults.add("printer", ended)
    answer = till.sell(a_receipt(), seconds=10)
    assert (answer.status, answer.hint) == (202, ended)
    till.run(10)
    asked = till.store.read(lambda db: db.execute("SELECT count(*) FROM operations").get)
    assert asked <= 22, "one a second"
    with pytest.raises(FnFull if ended == "fn_full" else FnExpired):
        till.post(a_receipt())
