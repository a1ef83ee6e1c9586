"""An idle lane's sale: begun in the commit that accepts it, and safe whatever comes between."""

from __future__ import annotations

import pytest

from kktd.errors import StoreUnavailable
from kktd.model.states import FiscalState
from kktd.receipts.books import mark_of
from tests.support.receipts import a_receipt
from tests.support.till import TillBench


@pytest.fixture
def idle(till: TillBench) -> TillBench:
    """One sale made, and time for the lane to find nothing to do."""
    till.sell(a_receipt())
    till.run(1)
    return till


def test_a_sale_of_an_idle_till_costs_two_commits(idle: TillBench) -> None:
    before = idle.store.commits
    receipt = a_receipt()
    assert idle.sell(receipt).status == 200
    assert idle.store.commits - before == 2
    assert idle.stored(receipt.id).state is FiscalState.PRINTED


def test_two_sales_at_once_both_print_once(idle: TillBench) -> None:
    sold = [a_receipt(), a_receipt(), a_receipt()]
    for receipt in sold:
        idle.desk.leave(idle.post(receipt))
    states = [idle.stored(receipt.id).state for receipt in sold]
    assert states == [FiscalState.PRINTING, FiscalState.ACCEPTED, FiscalState.ACCEPTED]
    idle.run(10)
    marks = [one["mark"] for one in idle.fn_receipts()]
    assert marks[1:] == [mark_of(receipt.id) for receipt in sold], "in the order they came"


def test_a_kill_before_anything_was_sent_prints_once(idle: TillBench) -> None:
    receipt = a_receipt()
    idle.desk.leave(idle.post(receipt))
    idle.crash()
    assert idle.stored(receipt.id).state is FiscalState.IN_DOUBT, "memory alone knew better"
    idle.run(10)
    assert idle.stored(receipt.id).state is FiscalState.PRINTED
    assert len(idle.fn_receipts()) == 2


def test_a_printer_that_has_gone_gives_the_receipt_back(idle: TillBench) -> None:
    receipt = a_receipt()
    idle.printer.unplug()
    idle.desk.leave(idle.post(receipt))
    idle.run(5)
    stored = idle.stored(receipt.id)
    assert stored.state is FiscalState.ACCEPTED, "nothing was sent: no doubt"
    idle.printer.plug()
    idle.run(10)
    assert idle.stored(receipt.id).state is FiscalState.PRINTED


def test_a_document_of_others_in_between_gets_the_receipt_a_new_intent(idle: TillBench) -> None:
    receipt, stranger = a_receipt(), a_receipt()
    idle.desk.leave(idle.post(receipt))
    by = idle.clock.after_ms(9_000)
    made = idle.lane._printer.register(stranger, mark_of(stranger.id), by)
    idle.run(10)
    stored = idle.stored(receipt.id)
    assert stored.attempts == 2
    assert stored.document is not None
    assert stored.document.fd == made.fd + 1


def test_an_outcome_that_was_not_stored_is_a_doubt_and_never_a_second_receipt(
    idle: TillBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = a_receipt()
    idle.desk.leave(idle.post(receipt))

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(idle.lane._books, "confirm", fail)
        with pytest.raises(StoreUnavailable):
            idle.run(1)
    idle.run(10)
    assert idle.stored(receipt.id).state is FiscalState.PRINTED
    assert [one["mark"] for one in idle.fn_receipts()].count(mark_of(receipt.id)) == 1


def test_a_receipt_that_is_not_stored_leaves_the_lane_free(idle: TillBench) -> None:
    key = "00000000-0000-4000-8000-000000000001"
    sold = a_receipt()
    idle.sell(sold, key)
    idle.run(1)
    with pytest.raises(Exception, match="another request"):
        idle.desk.accept(a_receipt(), key, b"another body")
    before = idle.store.commits
    idle.sell(a_receipt())
    assert idle.store.commits - before == 2
