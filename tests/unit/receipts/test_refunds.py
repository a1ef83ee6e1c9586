"""Refunds at the desk: the table, what is left of the original, the drawer."""

from __future__ import annotations

import itertools
import uuid

import pytest

from kktd.errors import Invalid, KeyReused, NotEnoughCash, RefundNotSynced
from kktd.model.receipt import (
    DocumentNumbers,
    Original,
    PaymentMethod,
    Receipt,
    ReceiptId,
    ReceiptType,
)
from kktd.model.states import Delivery, DeliveryStep, FiscalState
from kktd.receipts.refunds import RULES, Here, Odoo, decide
from kktd.store import receipts, sessions
from kktd.store.connection import Db
from tests.support.receipts import PAPER, a_line, a_receipt, a_refund
from tests.support.till import POS_ID, TillBench

CASH = PaymentMethod.CASH


# ---- the table ----------------------------------------------------------------------------------

# original here, Odoo, FN/FD/FP given, a supervisor asks: allowed, sync_status, wait in seconds
TABLE = [
    *((Here.SYNCED, odoo, None, None, True, "synced", None) for odoo in Odoo),
    *((Here.UNSYNCED, odoo, None, None, False, "pending", 300) for odoo in Odoo),
    *((Here.FAILED, odoo, None, None, False, "failed", 600) for odoo in Odoo),
    (Here.UNKNOWN, Odoo.SYNCED, None, None, True, "synced", None),
    (Here.UNKNOWN, Odoo.PENDING, None, None, False, "pending", 300),
    (Here.UNKNOWN, Odoo.DOES_NOT_KNOW, True, None, True, "not_found", None),
    (Here.UNKNOWN, Odoo.DOES_NOT_KNOW, False, None, False, "not_found", None),
    (Here.UNKNOWN, Odoo.AWAY, True, True, True, "not_found", None),
    (Here.UNKNOWN, Odoo.AWAY, True, False, False, "not_found", 600),
    (Here.UNKNOWN, Odoo.AWAY, False, True, False, "not_found", 600),
    (Here.UNKNOWN, Odoo.AWAY, False, False, False, "not_found", 600),
]


@pytest.mark.parametrize(
    ("here", "odoo", "paper", "supervised", "allowed", "status", "retry_s"), TABLE
)
def test_each_row_of_the_contract_is_decided_so(
    here: Here,
    odoo: Odoo,
    paper: bool | None,
    supervised: bool | None,
    allowed: bool,
    status: str,
    retry_s: int | None,
) -> None:
    for given in (False, True) if paper is None else (paper,):
        for by in (False, True) if supervised is None else (supervised,):
            verdict = decide(here, odoo, paper=given, supervised=by)
            assert (verdict.allowed, verdict.sync_status) == (allowed, status)
            assert verdict.retry_after_s == retry_s
            assert (verdict.hint is None) == allowed


def test_exactly_one_row_fits_each_case() -> None:
    for here, odoo, paper, supervised in itertools.product(
        Here, Odoo, (False, True), (False, True)
    ):
        fitting = [one for one in RULES if one.fits(here, odoo, paper=paper, supervised=supervised)]
        assert len(fitting) == 1, (here, odoo, paper, supervised)


# ---- the original -------------------------------------------------------------------------------


def sold(till: TillBench, kopecks: int = 500_00, *, cash: bool = False) -> Receipt:
    """A sale the ОФД has."""
    payments = {CASH: kopecks} if cash else None
    receipt = a_receipt(a_line(kopecks), payments=payments)
    assert till.sell(receipt).status == 200
    till.deliver(receipt.id)
    return receipt


def refund_of(sale: Receipt, kopecks: int, *, cash: bool = False) -> Receipt:
    payments = {CASH: kopecks} if cash else None
    return a_refund(Original(receipt_id=sale.id), a_line(kopecks), payments=payments)


def test_a_refund_of_a_delivered_sale_is_registered_with_its_sign(till: TillBench) -> None:
    sale = sold(till)
    refund = refund_of(sale, 500_00)
    assert till.sell(refund).status == 200
    assert [one["sign"] for one in till.fn_receipts()] == [1, 2]
    stored, original = till.stored(refund.id), till.stored(sale.id).document
    assert original is not None
    assert stored.receipt.original == Original(
        sale.id, DocumentNumbers(original.fn, original.fd, original.fp)
    )


def test_an_original_is_found_by_its_paper_too(till: TillBench) -> None:
    sale = sold(till)
    document = till.stored(sale.id).document
    assert document is not None
    paper = DocumentNumbers(document.fn, document.fd, document.fp)
    refund = a_refund(Original(document=paper), a_line(100_00))
    assert till.sell(refund).status == 200
    found = till.stored(refund.id).receipt.original
    assert found == Original(sale.id, paper)
    with pytest.raises(Invalid) as caught:
        till.post(a_refund(Original(document=DocumentNumbers(paper.fn, paper.fd, "1")), a_line(1)))
    assert caught.value.details["field"] == "original.fp"


def test_a_refund_waits_for_the_delivery_of_its_original(till: TillBench) -> None:
    sale = a_receipt(a_line(500_00))
    assert till.sell(sale).status == 200
    with pytest.raises(RefundNotSynced) as caught:
        till.post(refund_of(sale, 500_00))
    assert caught.value.details["sync_status"] == "pending"
    till.deliver(sale.id)
    assert till.sell(refund_of(sale, 500_00)).status == 200


def test_what_the_ofd_refused_needs_an_engineer_first(till: TillBench) -> None:
    sale = a_receipt(a_line(500_00))
    till.sell(sale)

    def refuse(db: Db) -> None:
        receipts.move_delivery(db, sale.id, DeliveryStep.TAKE, Delivery.PENDING)
        receipts.move_delivery(db, sale.id, DeliveryStep.GIVE_UP, Delivery.SYNCING)

    till.store.write(refuse)
    with pytest.raises(RefundNotSynced) as caught:
        till.post(refund_of(sale, 500_00))
    assert caught.value.details["remedy"] == "refund_failed"


def test_an_unknown_original_needs_its_paper_and_a_supervisor(till: TillBench) -> None:
    unknown = Original(receipt_id=ReceiptId(str(uuid.uuid4())))
    for original, supervised in ((unknown, False), (unknown, True), (PAPER, False)):
        with pytest.raises(RefundNotSynced) as caught:
            till.post(a_refund(original), supervised=supervised)
        assert caught.value.details["retry_after_seconds"] == 600
    refund = a_refund(PAPER)
    assert till.sell(refund, supervised=True).status == 200
    assert till.stored(refund.id).receipt.original == PAPER


def test_only_a_registered_sale_can_be_taken_back(till: TillBench) -> None:
    sale = sold(till)
    refund = refund_of(sale, 500_00)
    till.sell(refund)
    till.deliver(refund.id)
    cancelled = a_receipt()
    till.post(cancelled)
    if till.stored(cancelled.id).state is FiscalState.ACCEPTED:
        till.desk.cancel(cancelled.id)
    for original in (refund, cancelled):
        with pytest.raises(Invalid) as caught:
            till.post(refund_of(original, 1_00))
        assert caught.value.details["field"] == "original_receipt_id"


def test_a_refund_without_an_original_is_refused_even_at_the_desk(till: TillBench) -> None:
    refund = a_receipt(type=ReceiptType.REFUND)
    object.__setattr__(refund, "original", None)
    with pytest.raises(Invalid):
        till.post(refund)


# ---- how much -----------------------------------------------------------------------------------


def test_no_more_is_refunded_than_was_sold(till: TillBench) -> None:
    sale = sold(till, 500_00)
    assert till.sell(refund_of(sale, 200_00)).status == 200
    till.post(refund_of(sale, 200_00))  # accepted is enough to count
    with pytest.raises(Invalid) as caught:
        till.post(refund_of(sale, 100_01))
    assert caught.value.details["left"] == "100.00"
    assert till.sell(refund_of(sale, 100_00)).status == 200
    check = till.desk.check_refund(Original(receipt_id=sale.id), Odoo.AWAY, supervised=False)
    assert (check.allowed, check.hint) == (False, "refund_nothing_left")


def test_a_refused_or_cancelled_refund_gives_its_share_back(till: TillBench) -> None:
    sale = sold(till, 500_00, cash=True)
    till.faults.add("printer", "refuse", 1, command="operation", code=0x33)
    assert till.sell(refund_of(sale, 500_00, cash=True)).status == 422
    till.printer.unplug()
    till.run(5)
    waiting = refund_of(sale, 500_00, cash=True)
    till.post(waiting)
    with pytest.raises(Invalid):
        till.post(refund_of(sale, 1))
    till.desk.cancel(waiting.id)
    till.printer.plug()
    assert till.sell(refund_of(sale, 500_00, cash=True)).status == 200


def test_a_repeat_is_answered_and_not_counted_twice(till: TillBench) -> None:
    sale, key = sold(till), str(uuid.uuid4())
    refund = refund_of(sale, 500_00)
    first = till.sell(refund, key)
    again = till.sell(refund_of(sale, 500_00), key)
    assert (again.status, again.body) == (200, first.body)
    assert len(till.fn_receipts()) == 2
    with pytest.raises(KeyReused):
        till.post(refund_of(sale, 1), key)


# ---- the drawer ---------------------------------------------------------------------------------


def test_a_cash_refund_needs_the_cash_in_the_drawer(till: TillBench) -> None:
    sale = sold(till, 500_00)  # by card
    with pytest.raises(NotEnoughCash) as caught:
        till.post(refund_of(sale, 100_00, cash=True))
    assert caught.value.details == {"wanted": "100.00", "available": "0.00"}
    sold(till, 100_00, cash=True)
    assert till.sell(refund_of(sale, 100_00, cash=True)).status == 200
    session = till.store.read(lambda db: sessions.find_open(db, POS_ID))
    assert session is not None
    assert session.balances[CASH] == 0
    assert session.refunds_total == 100_00


def test_cash_on_its_way_out_is_spoken_for(till: TillBench) -> None:
    sale = sold(till, 500_00, cash=True)
    other = sold(till, 500_00)
    till.printer.unplug()
    till.run(5)
    waiting = refund_of(sale, 300_00, cash=True)
    till.post(waiting)
    with pytest.raises(NotEnoughCash) as caught:
        till.post(refund_of(other, 200_01, cash=True))
    assert caught.value.details["available"] == "200.00"
    till.post(refund_of(other, 200_01))  # the card needs no drawer
    till.desk.cancel(waiting.id)
    till.post(refund_of(other, 200_01, cash=True))


def test_a_refund_that_waited_into_another_shift_needs_cash_there(till: TillBench) -> None:
    sale = sold(till, 500_00, cash=True)
    till.printer.unplug()
    till.run(5)
    waiting = refund_of(sale, 300_00, cash=True)
    till.post(waiting)
    till.run(90)
    assert till.stored(waiting.id).held
    till.printer.plug()
    assert till.z_report().status == 200
    sold(till, 100_00, cash=True)
    with pytest.raises(NotEnoughCash):
        till.desk.print_again(waiting.id)
    sold(till, 200_00, cash=True)
    till.desk.leave(till.desk.print_again(waiting.id))
    till.run(30)
    assert till.stored(waiting.id).state is FiscalState.PRINTED


def test_a_lost_answer_does_not_free_the_cash(till: TillBench) -> None:
    sale = sold(till, 500_00, cash=True)
    till.faults.add("printer", "lose_reply", 30, command="close_receipt")
    till.post(refund_of(sale, 500_00, cash=True))
    till.run(2)
    with pytest.raises((NotEnoughCash, Invalid)):
        till.post(refund_of(sale, 1, cash=True))
    till.faults.clear()
    till.run(60)
    assert [one["sign"] for one in till.fn_receipts()] == [1, 2]
