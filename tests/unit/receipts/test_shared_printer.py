"""Two tills on one printer: one shift and one drawer, whoever opened it, whoever took the money."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kktd.errors import DoubtOpen, NotEnoughCash, UnknownPos
from kktd.model.money import Kopecks
from kktd.model.receipt import Original, PaymentMethod, Receipt
from kktd.receipts.answers import Answer
from kktd.store import sessions
from kktd.store.operations import OperationKind, Request
from kktd.store.sessions import Session
from tests.support.crash import Killed
from tests.support.receipts import CASHIER, a_line, a_receipt, a_refund
from tests.support.till import TillBench

ONE, TWO = "POS-001", "POS-002"


@pytest.fixture
def till(tmp_path: Path) -> Iterator[TillBench]:
    bench = TillBench(tmp_path, pos_ids=(ONE, TWO))
    yield bench
    bench.close()


def _operate(
    till: TillBench, kind: OperationKind, pos_id: str, kopecks: int | None = None
) -> Answer:
    asked = Request(kind, CASHIER, None if kopecks is None else Kopecks(kopecks), "размен")
    ticket = till.desk.operate(asked, pos_id, str(uuid.uuid4()), b"x")
    till.run(200, until=ticket)
    till.desk.leave(ticket)
    return till.desk.operation_answer(ticket.id)


def _cash_sale(pos_id: str, kopecks: int) -> Receipt:
    line = a_line(kopecks)
    return replace(a_receipt(line, payments={PaymentMethod.CASH: kopecks}), pos_id=pos_id)


def _session(till: TillBench, pos_id: str) -> Session:
    return till.store.read(lambda db: sessions.find_last(db, pos_id))


def _cash(till: TillBench, pos_id: str) -> int:
    session = _session(till, pos_id)
    assert not till.store.read(lambda db: sessions.find_differences(db, session.session_id))
    return session.balances[PaymentMethod.CASH]


def _device_cash(till: TillBench) -> Any:
    return till.printer.fn_status()["cash_kopecks"]


def _made(till: TillBench, kind: str) -> int:
    return sum(one["type"] == kind for one in till.printer.documents())


def test_the_second_till_begins_its_part_of_an_open_shift_without_a_document(
    till: TillBench,
) -> None:
    first = _operate(till, OperationKind.SHIFT_OPEN, ONE)
    second = _operate(till, OperationKind.SHIFT_OPEN, TWO)
    assert (first.status, second.status) == (200, 200)
    assert first.body["shift_number"] == second.body["shift_number"] == 1
    assert first.body["fiscal_document_number"] == 2  # after the registration
    assert second.body["fiscal_document_number"] is None
    assert _made(till, "shift_open") == 1
    again = _operate(till, OperationKind.SHIFT_OPEN, TWO)
    assert (again.status, again.code) == (409, "SHIFT_OPEN")


def test_a_sale_of_one_till_opens_the_shift_and_the_other_sells_into_it(till: TillBench) -> None:
    for pos_id in (ONE, TWO, ONE):
        assert till.sell(_cash_sale(pos_id, 100_00)).status == 200
    assert _made(till, "shift_open") == 1
    assert (_cash(till, ONE), _cash(till, TWO)) == (200_00, 100_00)
    assert _device_cash(till) == 300_00


def test_the_z_report_of_one_counts_and_closes_both(till: TillBench) -> None:
    till.sell(_cash_sale(ONE, 123_45))
    till.sell(_cash_sale(TWO, 1_000_01))
    till.sell(replace(a_receipt(a_line(50_00)), pos_id=TWO))
    x_report = _operate(till, OperationKind.X_REPORT, TWO)
    z_report = _operate(till, OperationKind.Z_REPORT, ONE)
    for report in (x_report.body, z_report.body):
        assert (report["cash_total"], report["card_total"]) == ("1123.46", "50.00")
        assert report["total_sales"] == "1173.46"
    for pos_id in (ONE, TWO):
        session = _session(till, pos_id)
        assert session.closed_at_s is not None
        assert session.z_report is not None
        assert session.z_report["total_sales"] == "1173.46"
    assert _made(till, "shift_close") == 1
    assert _operate(till, OperationKind.Z_REPORT, TWO).code == "SHIFT_CLOSED"


def test_a_till_that_sold_nothing_closes_the_shift_of_the_other(till: TillBench) -> None:
    till.sell(_cash_sale(ONE, 100_00))
    assert _operate(till, OperationKind.Z_REPORT, TWO).body["cash_total"] == "100.00"
    assert _session(till, ONE).closed_at_s is not None


def test_cash_of_one_till_is_refunded_and_taken_out_at_the_other(till: TillBench) -> None:
    sale = _cash_sale(ONE, 500_00)
    till.sell(sale)
    till.deliver(sale.id)
    refund = a_refund(
        Original(receipt_id=sale.id), *sale.lines, payments={PaymentMethod.CASH: 500_00}
    )
    assert till.sell(replace(refund, pos_id=TWO)).status == 200
    assert (_cash(till, ONE), _cash(till, TWO)) == (500_00, -500_00)
    assert _device_cash(till) == 0
    assert _operate(till, OperationKind.CASH_IN, ONE, 70_00).status == 200
    assert _operate(till, OperationKind.CASH_OUT, TWO, 70_00).status == 200
    assert _device_cash(till) == 0


def test_money_on_its_way_out_at_one_till_is_not_there_for_the_other(till: TillBench) -> None:
    till.sell(_cash_sale(ONE, 100_00))
    waiting = till.desk.operate(
        Request(OperationKind.CASH_OUT, CASHIER, Kopecks(60_00), "инкассация"), ONE, None, b"x"
    )
    with pytest.raises(NotEnoughCash) as caught:
        till.desk.operate(
            Request(OperationKind.CASH_OUT, CASHIER, Kopecks(60_00), "инкассация"), TWO, None, b"y"
        )
    assert caught.value.details["available"] == "40.00"
    till.run(60, until=waiting)
    till.desk.leave(waiting)
    assert _cash(till, ONE) == _device_cash(till) == 40_00


def test_doubt_of_one_till_keeps_the_other_from_the_z_report(till: TillBench) -> None:
    till.sell(_cash_sale(ONE, 100_00))
    till.faults.add("printer", "lose_reply", command="close_receipt")
    sale = _cash_sale(ONE, 10_00)
    ticket = till.post(sale)
    while till.stored(sale.id).state != "in_doubt":
        till.lane.step(till.clock.monotonic_s())
    till.desk.leave(ticket)
    with pytest.raises(DoubtOpen):
        till.desk.operate(Request(OperationKind.Z_REPORT, CASHIER), TWO, None, b"z")


def test_a_shift_closed_at_the_device_ends_for_every_till_with_the_next_sale(
    till: TillBench,
) -> None:
    till.sell(_cash_sale(ONE, 100_00))
    till.sell(_cash_sale(TWO, 40_00))
    by = till.clock.after_ms(60_000)
    till.lane._printer.close_shift(CASHIER, by)
    assert till.sell(_cash_sale(TWO, 7_00)).status == 200
    assert _session(till, ONE).closed_at_s is not None
    assert _session(till, ONE).z_report is None, "nobody's report was made here"
    with pytest.raises(NotEnoughCash):
        till.desk.operate(
            Request(OperationKind.CASH_OUT, CASHIER, Kopecks(8_00), "размен"), ONE, None, b"x"
        )


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_kill_while_joining_a_shift_leaves_it_joinable(
    till: TillBench, *, after_commit: bool
) -> None:
    till.sell(_cash_sale(ONE, 100_00))
    till.desk.operate(Request(OperationKind.SHIFT_OPEN, CASHIER), TWO, "a-key", b"x")
    till.store.die_in, till.store.die_after_commit = 1, after_commit  # of the intent
    with pytest.raises(Killed):
        till.run(5)
    till.crash()
    till.run(5)
    answer = till.desk.operate(
        Request(OperationKind.SHIFT_OPEN, CASHIER), TWO, "a-key", b"x"
    ).answer
    assert answer is not None
    if answer.status == 422:  # the intent alone was stored: nothing ran, and the caller is told
        answer = _operate(till, OperationKind.SHIFT_OPEN, TWO)
    assert answer.status == 200
    assert _made(till, "shift_open") == 1


def test_a_till_nobody_serves_is_refused(till: TillBench) -> None:
    with pytest.raises(UnknownPos):
        till.post(_cash_sale("POS-003", 1_00))
    with pytest.raises(UnknownPos):
        till.desk.operate(Request(OperationKind.X_REPORT, CASHIER), "POS-003", None, b"x")
