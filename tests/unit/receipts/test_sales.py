"""What a cashier meets at the till: sales, waiting, holding, cancelling, paper, copies."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from kktd.errors import (
    BufferFull,
    InProgress,
    KeyReused,
    PrinterUnavailable,
    ShuttingDown,
    TooLate,
    UnknownPos,
)
from kktd.model.receipt import PaymentMethod
from kktd.model.states import FiscalState
from kktd.receipts.books import mark_of
from kktd.store import sessions
from tests.support.receipts import a_line, a_receipt
from tests.support.till import POS_ID, TillBench


def test_a_sale_is_answered_with_what_the_fn_made(till: TillBench) -> None:
    receipt = a_receipt(a_line(19_990))
    answer = till.sell(receipt)
    (document,) = till.fn_receipts()
    assert answer.status == 200
    assert answer.body["print_state"] == "printed"
    assert answer.body["fiscal_doc"]["fd"] == document["fd"]
    assert str(document["fp"]) == answer.body["fiscal_doc"]["fp"]
    assert document["mark"] == mark_of(receipt.id)
    assert document["total_kopecks"] == 19_990


def test_the_first_sale_opens_the_shift(till: TillBench) -> None:
    till.sell(a_receipt())
    assert [one["type"] for one in till.printer.documents()][-2:] == ["shift_open", "receipt"]


def test_every_tender_is_booked_where_it_belongs(till: TillBench) -> None:
    payments = {
        PaymentMethod.CASH: 1_000_00,
        PaymentMethod.CARD: 300_00,
        PaymentMethod.PREPAID: 100_00,
        PaymentMethod.CREDIT: 50_00,
        PaymentMethod.OTHER: 25_00,
    }
    answer = till.sell(a_receipt(a_line(1_250_00), payments=payments))
    assert answer.body["change"] == "225.00"
    session = till.store.read(lambda db: sessions.find_open(db, POS_ID))
    assert session is not None
    assert session.balances == {**payments, PaymentMethod.CASH: 775_00}
    assert session.sales_total == 1_250_00
    assert not till.store.read(lambda db: sessions.find_differences(db, session.session_id))


def test_the_same_key_again_is_the_same_answer_over_a_restart(till: TillBench) -> None:
    receipt, key = a_receipt(), str(uuid.uuid4())
    first = till.sell(receipt, key)
    till.crash()
    ticket = till.post(a_receipt(*receipt.lines), key)
    assert ticket.replayed
    assert ticket.answer is not None
    assert ticket.answer.body == first.body
    assert len(till.fn_receipts()) == 1


def test_the_same_key_for_another_sale_is_refused(till: TillBench) -> None:
    key = str(uuid.uuid4())
    till.sell(a_receipt(), key)
    with pytest.raises(KeyReused):
        till.post(a_receipt(a_line(1)), key)


def test_one_repeat_waits_beside_the_first_and_a_third_is_told_so(till: TillBench) -> None:
    receipt, key = a_receipt(), str(uuid.uuid4())
    first = till.post(receipt, key)
    second = till.post(a_receipt(*receipt.lines), key)
    with pytest.raises(InProgress):
        till.post(a_receipt(*receipt.lines), key)
    till.run(5, until=first)
    assert first.waiter is not None
    assert second.waiter is not None
    assert first.waiter.result(0) == second.waiter.result(0)
    assert len(till.fn_receipts()) == 1


def test_an_unplugged_printer_answers_at_once_that_the_sale_waits(till: TillBench) -> None:
    till.sell(a_receipt())
    till.printer.unplug()
    receipt = a_receipt()
    answer = till.sell(receipt, seconds=5)
    assert (answer.status, answer.body["status"], answer.hint) == (202, "buffered", "printer_away")
    till.printer.plug()
    till.run(10)
    assert till.stored(receipt.id).state is FiscalState.PRINTED


def test_what_waited_over_a_minute_is_held_and_printed_only_when_asked(till: TillBench) -> None:
    till.printer.unplug()
    receipt = a_receipt()
    till.sell(receipt, seconds=2)
    till.run(70)
    till.printer.plug()
    till.run(30)
    assert till.stored(receipt.id).held
    assert not till.fn_receipts(), "nothing prints in the morning after it was rung up again"
    till.desk.leave(till.desk.print_again(receipt.id))
    till.run(10)
    assert till.stored(receipt.id).state is FiscalState.PRINTED


def test_a_held_receipt_can_be_cancelled_and_never_prints(till: TillBench) -> None:
    till.printer.unplug()
    receipt, key = a_receipt(), str(uuid.uuid4())
    till.sell(receipt, key, seconds=2)
    till.desk.cancel(receipt.id)
    till.printer.plug()
    till.run(30)
    assert not till.fn_receipts()
    again = till.post(a_receipt(*receipt.lines), key).answer
    assert again is not None
    assert (again.status, again.code) == (409, "TOO_LATE")


def test_what_the_fn_holds_cannot_be_cancelled(till: TillBench) -> None:
    receipt = a_receipt()
    till.sell(receipt)
    with pytest.raises(TooLate):
        till.desk.cancel(receipt.id)


def test_sales_stop_when_too_many_wait_for_the_printer(tmp_path: Path) -> None:
    till = TillBench(tmp_path, max_unprinted=3)
    till.printer.unplug()
    for _ in range(3):
        till.sell(a_receipt(), seconds=2)
    with pytest.raises(PrinterUnavailable):
        till.post(a_receipt())
    till.printer.plug()
    till.run(10)
    assert till.sell(a_receipt()).status == 200
    assert len(till.fn_receipts()) == 4
    till.close()


def test_a_full_buffer_refuses_the_next_sale_and_evicts_nothing(tmp_path: Path) -> None:
    till = TillBench(tmp_path, capacity=5)
    for _ in range(5):
        assert till.sell(a_receipt()).status == 200
    with pytest.raises(BufferFull):
        till.post(a_receipt())
    assert len(till.fn_receipts()) == 5
    till.close()


def test_an_unknown_till_is_refused_and_nothing_is_stored(till: TillBench) -> None:
    receipt = a_receipt()
    object.__setattr__(receipt, "pos_id", "POS-777")
    with pytest.raises(UnknownPos):
        till.post(receipt)
    assert till.store.read(lambda db: db.execute("SELECT count(*) FROM receipts").get) == 0


def test_a_closing_till_takes_no_sale(till: TillBench) -> None:
    till.desk.close()
    with pytest.raises(ShuttingDown):
        till.post(a_receipt())


def test_empty_paper_before_the_sale_makes_it_wait_and_print_by_itself(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "paper_out", 1, when="before")
    receipt = a_receipt()
    answer = till.sell(receipt, seconds=5)
    assert (answer.status, answer.hint) == (202, "paper")
    till.printer.insert_paper()
    till.run(10)
    assert till.stored(receipt.id).state is FiscalState.PRINTED


def test_paper_that_ends_after_the_fn_signed_is_a_sale_with_paper_pending(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "paper_out", 1, when="after")
    receipt = a_receipt()
    answer = till.sell(receipt, seconds=5)
    till.run(5)
    assert answer.status == 200
    assert len(till.fn_receipts()) == 2
    till.printer.insert_paper()
    till.run(10)
    assert till.stored(receipt.id).state is FiscalState.PRINTED
    assert len(till.fn_receipts()) == 2


def test_the_last_receipt_is_printed_again_as_a_copy(till: TillBench) -> None:
    receipt = a_receipt()
    till.sell(receipt)
    ticket = till.desk.print_again(receipt.id)
    till.run(5, until=ticket)
    assert ticket.waiter is not None
    assert ticket.waiter.result(0).body["copied"]
    assert any("КОПИЯ" in line for line in till.printer.paper())
    assert len(till.fn_receipts()) == 1


def test_an_older_receipt_cannot_be_copied_and_the_cashier_is_told(till: TillBench) -> None:
    receipt = a_receipt()
    till.sell(receipt)
    till.sell(a_receipt())
    ticket = till.desk.print_again(receipt.id)
    till.run(5, until=ticket)
    assert ticket.waiter is not None
    answer = ticket.waiter.result(0)
    assert (answer.status, answer.hint) == (409, "copy_only_last")


def test_a_line_the_till_refuses_leaves_the_fn_unchanged(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "refuse", 1, command="operation", code=0x33)
    receipt, key = a_receipt(), str(uuid.uuid4())
    answer = till.sell(receipt, key)
    assert (answer.status, answer.code, answer.body["device_code"]) == (
        422,
        "PRINTER_REFUSED",
        0x33,
    )
    assert len(till.fn_receipts()) == 1
    again = till.post(a_receipt(*receipt.lines), key).answer
    assert again is not None
    assert again.status == 422
    assert till.sell(a_receipt()).status == 200
