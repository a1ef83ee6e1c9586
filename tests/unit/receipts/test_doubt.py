"""Sent and unanswered: the FN settles it, and where it cannot, a person is told what is known."""

from __future__ import annotations

import pytest
from rig.printer import SimulatedPrinter

from kktd.errors import DoubtOpen
from kktd.model.states import FiscalState
from kktd.receipts.books import mark_of
from kktd.store import receipts
from kktd.store.operations import OperationKind, Request
from kktd.store.receipts import Intent
from tests.support.crash import Killed
from tests.support.receipts import CASHIER, a_line, a_receipt
from tests.support.till import POS_ID, TillBench


def _cut_power(till: TillBench, when: str) -> None:
    till.faults.add("printer", "power_cut", 1, command="close_receipt", when=when)


@pytest.mark.parametrize("when", ["before", "after"])
def test_power_that_fails_at_the_close_is_one_document(till: TillBench, when: str) -> None:
    till.sell(a_receipt())
    _cut_power(till, when)
    receipt = a_receipt()
    answer = till.sell(receipt, seconds=20)
    assert answer.status == 200, "the caller waits while the FN is asked"
    till.run(2)
    assert till.stored(receipt.id).state is FiscalState.PRINTED
    assert [one["mark"] for one in till.fn_receipts()].count(mark_of(receipt.id)) == 1


def test_doubt_holds_the_lane_but_takes_new_sales(till: TillBench) -> None:
    till.sell(a_receipt())
    _cut_power(till, "after")
    first = a_receipt()
    ticket = till.post(first)
    till.run(0.1)
    till.printer.unplug()
    second = a_receipt()
    till.desk.leave(till.post(second))
    till.run(20)
    assert till.stored(first.id).state is FiscalState.IN_DOUBT
    assert till.stored(second.id).state is FiscalState.ACCEPTED
    till.printer.plug()
    till.run(20)
    assert till.stored(first.id).state is FiscalState.PRINTED
    assert till.stored(second.id).state is FiscalState.PRINTED
    till.desk.leave(ticket)


def test_no_shift_closes_over_a_doubt(till: TillBench) -> None:
    till.sell(a_receipt())
    _cut_power(till, "after")
    till.desk.leave(till.post(a_receipt()))
    till.run(0.1)
    till.printer.unplug()
    till.run(5)
    with pytest.raises(DoubtOpen):
        till.desk.operate(Request(OperationKind.Z_REPORT, CASHIER), POS_ID, None, b"")


def test_a_kill_between_the_intent_and_the_device_prints_once(till: TillBench) -> None:
    till.sell(a_receipt())
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    intent = Intent("0380490041048485", "9999078902019097", 3, 1, mark_of(receipt.id))
    till.store.write(lambda db: receipts.begin_printing(db, receipt.id, intent, 0))
    till.crash()
    assert till.stored(receipt.id).state is FiscalState.IN_DOUBT
    till.run(10)
    assert till.stored(receipt.id).state is FiscalState.PRINTED
    assert len(till.fn_receipts()) == 2


def test_a_document_of_the_same_sum_made_by_others_is_not_ours(till: TillBench) -> None:
    till.sell(a_receipt())
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    stranger = a_receipt(*receipt.lines)
    last_fd = max(int(str(one["fd"])) for one in till.printer.documents())
    intent = Intent("0380490041048485", "9999078902019097", last_fd, 1, mark_of(receipt.id))
    till.store.write(lambda db: receipts.begin_printing(db, receipt.id, intent, 0))
    till.lane._printer.register(stranger, mark_of(stranger.id), till.clock.after_ms(9_000))
    till.run(10)
    stored = till.stored(receipt.id)
    assert stored.document is not None
    assert [one["mark"] for one in till.fn_receipts()][-1] == mark_of(receipt.id)
    assert stored.document.fd == last_fd + 2


def test_another_fn_is_put_before_a_person_with_what_is_known(till: TillBench) -> None:
    till.sell(a_receipt())
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    intent = Intent("0380490041048485", "9999999999999999", 2, 1, mark_of(receipt.id))
    till.store.write(lambda db: receipts.begin_printing(db, receipt.id, intent, 0))
    till.run(10)
    stored = till.stored(receipt.id)
    assert stored.state is FiscalState.IN_DOUBT
    assert stored.problem is not None
    assert stored.problem["remedy"] == "fn_changed"
    assert stored.problem["fn_noted"] == "9999999999999999"
    assert not till.lane.health.ready
    assert len(till.fn_receipts()) == 1, "nothing is sent to an FN nobody asked for"


def test_an_fn_that_counts_backwards_gets_no_receipt(till: TillBench) -> None:
    for _ in range(3):
        till.sell(a_receipt())
    # The same numbers again, as after a reset of the FN: nothing it said could be believed.
    till.printer = SimulatedPrinter(None, till.faults, clock=till.clock.local)
    till.crash()
    receipt = a_receipt(a_line(5))
    till.sell(receipt, seconds=10)
    assert till.stored(receipt.id).state is FiscalState.ACCEPTED
    assert not till.fn_receipts()
    assert till.lane.health.remedy == "fn_changed"


def test_an_outcome_that_could_not_be_stored_is_read_back_from_the_fn(till: TillBench) -> None:
    till.sell(a_receipt())
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    till.store.die_in = 2  # the intent is stored, the outcome is not
    with pytest.raises(Killed):
        till.run(10)
    assert len(till.fn_receipts()) == 2
    till.crash()
    assert till.stored(receipt.id).state is FiscalState.IN_DOUBT
    till.run(10)
    assert till.stored(receipt.id).state is FiscalState.PRINTED
    assert len(till.fn_receipts()) == 2
