"""Another printer or FN at the line: noticed before anything is sent, and a person decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kktd.clock import Deadline
from kktd.errors import DoubtOpen, FnChanged, Invalid, TooLate, UnsentLeft
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt
from kktd.model.states import FiscalState, OperationState
from kktd.receipts.books import mark_of
from kktd.receipts.doubts import Decision
from kktd.store import journal, operations
from kktd.store.devices import Device
from kktd.store.operations import OperationKind, Request
from tests.support.crash import Killed
from tests.support.receipts import CASHIER, a_receipt
from tests.support.till import POS_ID, TillBench

SWAPS = ["swap_fn", "other_printer"]
ENGINEER = Decision("Петров", "бумага у покупателя")


def _events(till: TillBench, *names: str) -> list[dict[str, object]]:
    levels = ("INFO", "WARN", "ERROR", "CRITICAL")
    _, found = till.store.read(lambda db: journal.find_page(db, levels, None, 500, 0))
    return [{"event": one.event, **one.facts} for one in reversed(found) if one.event in names]


def _lose_at_the_close(till: TillBench, when: str, then: str) -> Receipt:
    """A sale whose close goes unanswered; another printer is there when the line comes back."""
    till.sell(a_receipt())
    till.run(3)
    till.faults.add("printer", "power_cut", 1, command="close_receipt", when=when)
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    till.run(0.1)
    till.faults.add("printer", then)
    till.run(15)
    return receipt


def _stranger(till: TillBench) -> Device:
    stranger = till.lane.health.stranger
    assert stranger is not None
    return stranger


@pytest.mark.parametrize("swap", SWAPS)
def test_a_stranger_gets_nothing_and_a_person_is_told_once(till: TillBench, swap: str) -> None:
    till.sell(a_receipt())
    known = till.lane.identity.known
    till.faults.add("printer", swap)
    answer = till.sell(a_receipt(), seconds=5)
    assert (answer.status, answer.hint) == (202, "fn_changed")
    till.run(20)
    assert not till.lane.health.ready
    assert till.lane.health.remedy == "fn_changed"
    assert _stranger(till) != known
    assert len(till.fn_receipts()) == 1
    (told,) = _events(till, "printer_strange")
    assert told["fn_now"] == _stranger(till).fn
    till.faults.clear("printer")
    till.run(5)
    assert till.lane.health.ready
    assert till.lane.health.stranger is None
    assert len(till.fn_receipts()) == 2


def test_the_first_printer_of_a_new_till_is_taken_and_remembered(till: TillBench) -> None:
    till.sell(a_receipt())
    known = till.lane.identity.known
    till.crash()
    assert till.lane.identity.known == known, "a restart makes nobody known"
    till.faults.add("printer", "other_printer")
    till.run(5)
    assert till.lane.health.remedy == "fn_changed"


@pytest.mark.parametrize("swap", SWAPS)
def test_an_accepted_stranger_sells(till: TillBench, swap: str) -> None:
    first = a_receipt()
    till.sell(first)
    till.deliver(first.id)
    till.faults.add("printer", swap)
    till.run(5)
    stranger = _stranger(till)
    till.lane.identity.accept(stranger, "Петров", leave_unsent=False)
    answer = till.sell(a_receipt())
    assert answer.status == 200, answer.body
    assert answer.body["fiscal_doc"]["fn"] == stranger.fn
    assert [one["user"] for one in _events(till, "printer_accepted")] == ["kktd", "Петров"]
    till.crash()
    till.run(5)
    assert till.lane.health.ready, "accepted for good"


def test_only_the_one_that_answers_is_accepted(till: TillBench) -> None:
    till.sell(a_receipt())
    with pytest.raises(FnChanged):
        till.lane.identity.accept(Device("1", "1" * 16), "Петров", leave_unsent=True)
    till.faults.add("printer", "swap_fn")
    till.run(5)
    stranger = _stranger(till)
    till.faults.clear("printer")
    till.run(5)
    with pytest.raises(FnChanged):
        till.lane.identity.accept(stranger, "Петров", leave_unsent=True)


def test_receipts_of_the_old_fn_are_not_left_by_accident(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "swap_fn")
    till.run(5)
    with pytest.raises(UnsentLeft) as refused:
        till.lane.identity.accept(_stranger(till), "Петров", leave_unsent=False)
    assert refused.value.details["unsent"] == 1
    till.lane.identity.accept(_stranger(till), "Петров", leave_unsent=True)
    till.run(5)
    assert till.lane.health.ready


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_swap_in_mid_receipt_leaves_the_doubt_and_the_old_one_settles_it(
    till: TillBench, when: str, swap: str
) -> None:
    receipt = _lose_at_the_close(till, when, swap)
    made = len(till.fn_receipts())
    stored = till.stored(receipt.id)
    assert stored.state is FiscalState.IN_DOUBT
    assert stored.problem is not None
    assert stored.problem["remedy"] == "fn_changed"
    assert stored.problem["fn_now"] == _stranger(till).fn
    with pytest.raises(DoubtOpen) as refused:
        till.lane.identity.accept(_stranger(till), "Петров", leave_unsent=True)
    assert refused.value.details["remedy"] == "old_printer_knows"
    till.desk.leave(till.post(a_receipt()))
    till.run(10)
    assert len(till.fn_receipts()) == made, "nothing goes to the stranger"
    till.faults.clear("printer")
    till.run(20)
    assert till.stored(receipt.id).state is FiscalState.PRINTED
    assert [one["mark"] for one in till.fn_receipts()].count(mark_of(receipt.id)) == 1


@pytest.mark.parametrize("at", range(1, 420, 23))
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_a_swap_at_any_byte_is_one_document_in_the_old_fn(
    till: TillBench, at: int, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.sell(a_receipt())
    till.run(3)
    opened, made_before = till.port.open, list[int]()

    def open_to_another(by: Deadline) -> None:
        if not till.port.is_open and not till.faults.find("printer", "other_printer"):
            till.faults.add("printer", "other_printer")
            made_before.append(len(till.fn_receipts()))
        opened(by)

    monkeypatch.setattr(till.port, "open", open_to_another)
    till.faults.add("printer", "cut_after", 1, bytes=at, direction=direction)
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    till.run(15)
    if made_before:
        assert till.lane.health.stranger is not None
        assert [len(till.fn_receipts())] == made_before, "nothing goes to the stranger"
    monkeypatch.setattr(till.port, "open", opened)
    till.faults.clear("printer")
    till.run(30)
    assert till.stored(receipt.id).state is FiscalState.PRINTED
    assert [one["mark"] for one in till.fn_receipts()].count(mark_of(receipt.id)) == 1


def test_a_z_report_in_doubt_waits_for_the_person_and_is_told_as_unknown(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "power_cut", 1, command="z_report", when="after")
    asked = Request(OperationKind.Z_REPORT, CASHIER)
    ticket = till.desk.operate(asked, POS_ID, None, b"z")
    till.run(0.1)
    till.faults.add("printer", "swap_fn")
    till.run(15)
    till.desk.leave(ticket)

    def state() -> OperationState:
        return till.store.read(lambda db: operations.find(db, ticket.id)).state

    assert state() is OperationState.IN_DOUBT
    till.lane.identity.accept(_stranger(till), "Петров", leave_unsent=True)
    till.run(5)
    assert state() is OperationState.REFUSED
    assert till.desk.operation_answer(ticket.id).code == "FN_CHANGED"


# ---- a person decides ---------------------------------------------------------------------------


def _paper(till: TillBench, receipt: Receipt, **other: object) -> FiscalDocument:
    """As the customer's paper shows it."""
    made = next(one for one in till.fn_receipts() if one["mark"] == mark_of(receipt.id))
    numbers = {"fn": "9999078902019097", "fd": made["fd"], "fp": made["fp"]} | other
    qr = "t=20260302T0901&s={}&fn={}&i={}&fp={}&n=1".format(
        f"{receipt.total / 100:.2f}", *numbers.values()
    )
    return FiscalDocument.from_qr(qr, 1, 2)


def test_the_paper_settles_what_the_old_printer_cannot(till: TillBench) -> None:
    receipt = _lose_at_the_close(till, "after", "other_printer")
    paper = _paper(till, receipt)
    settled = till.doubts.registered(receipt.id, paper, ENGINEER)
    assert settled.state is FiscalState.PRINTED
    assert settled.document == paper
    (kept,) = _events(till, "receipt_settled")
    assert (kept["user"], kept["note"], kept["fd"]) == ("Петров", ENGINEER.note, paper.fd)
    till.lane.identity.accept(_stranger(till), "Петров", leave_unsent=True)
    till.run(5)
    assert till.lane.health.ready
    assert till.stored(receipt.id).document == paper


def test_what_was_never_made_is_held_and_prints_when_a_person_says_so(till: TillBench) -> None:
    receipt = _lose_at_the_close(till, "before", "other_printer")
    settled = till.doubts.absent(receipt.id, Decision("Петров", "бумаги нет, ФН пуст"))
    assert (settled.state, settled.held) == (FiscalState.ACCEPTED, True)
    till.lane.identity.accept(_stranger(till), "Петров", leave_unsent=True)
    till.run(20)
    assert till.stored(receipt.id).state is FiscalState.ACCEPTED, "not by itself"
    ticket = till.desk.print_again(receipt.id)
    till.run(10, until=ticket)
    till.desk.leave(ticket)
    assert till.stored(receipt.id).document is not None


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"fn": "1" * 16}, "not the FN"),
        ({"fd": 1}, "not a document made since"),
        ({"fd": 100_000}, "not a document made since"),
    ],
)
def test_a_paper_of_another_document_is_refused(
    till: TillBench, other: dict[str, object], why: str
) -> None:
    receipt = _lose_at_the_close(till, "after", "other_printer")
    with pytest.raises(Invalid, match=why):
        till.doubts.registered(receipt.id, _paper(till, receipt, **other), ENGINEER)
    assert till.stored(receipt.id).state is FiscalState.IN_DOUBT


def test_while_the_fn_can_be_asked_no_person_decides(till: TillBench) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "power_cut", 1, command="close_receipt", when="after")
    receipt = a_receipt()
    till.desk.leave(till.post(receipt))
    till.run(0.1)
    assert till.stored(receipt.id).state is FiscalState.IN_DOUBT
    if till.lane.health.remedy != "printer_away":
        with pytest.raises(DoubtOpen):
            till.doubts.absent(receipt.id, ENGINEER)
    till.run(15)
    with pytest.raises(TooLate):
        till.doubts.absent(receipt.id, ENGINEER)


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("deed", ["accept", "registered", "absent"])
def test_a_kill_while_a_person_decides_leaves_all_or_nothing(
    till: TillBench, deed: str, after_commit: bool
) -> None:
    receipt = _lose_at_the_close(till, "after", "other_printer")
    deeds: dict[str, Callable[[], object]] = {
        "accept": lambda: till.lane.identity.accept(_stranger(till), "П", leave_unsent=True),
        "registered": lambda: till.doubts.registered(receipt.id, _paper(till, receipt), ENGINEER),
        "absent": lambda: till.doubts.absent(receipt.id, ENGINEER),
    }
    if deed == "accept":
        till.doubts.registered(receipt.id, _paper(till, receipt), ENGINEER)
    till.store.die_in, till.store.die_after_commit = 1, after_commit
    with pytest.raises(Killed):
        deeds[deed]()
    till.crash()
    till.run(5)
    stored, sentence = till.stored(receipt.id), _events(till, "receipt_settled")
    if deed == "accept":
        assert till.lane.health.ready is after_commit
        assert len(_events(till, "printer_accepted")) == 1 + after_commit
        return
    assert (stored.state is not FiscalState.IN_DOUBT) is after_commit
    assert len(sentence) == after_commit
    if not after_commit:
        deeds[deed]()
        assert till.stored(receipt.id).state is not FiscalState.IN_DOUBT


def test_a_new_fn_in_place_of_a_full_one_asks_to_be_accepted_and_not_replaced(
    till: TillBench,
) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "fn_full")
    till.sell(a_receipt(), seconds=5)
    till.run(10)
    full = till.lane.health
    assert full.fn_ended == "fn_full"
    till.faults.clear("printer")
    till.faults.add("printer", "swap_fn")
    till.run(10)
    swapped = till.lane.health
    assert (swapped.fn_ended, swapped.remedy) == (None, "fn_changed")
    assert _stranger(till) != till.lane.identity.known
