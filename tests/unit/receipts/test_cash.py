"""Cash in, cash out, X-report and drawer: exactly once, and the drawer right to the kopeck."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from kktd.errors import KeyReused, NotEnoughCash, ShiftClosed
from kktd.model.cash import CashCounters
from kktd.model.money import Kopecks
from kktd.model.receipt import PaymentMethod
from kktd.receipts import settle
from kktd.receipts.answers import Answer
from kktd.store import sessions
from kktd.store.operations import OperationKind, Request
from tests.support.crash import Killed
from tests.support.receipts import CASHIER, a_line, a_receipt
from tests.support.till import POS_ID, TillBench

IN, OUT = OperationKind.CASH_IN, OperationKind.CASH_OUT
CHANGE = 5_000_07


def _ask(till: TillBench, asked: Request, key: str | None = None, seconds: float = 200) -> Answer:
    ticket = till.desk.operate(asked, POS_ID, key or str(uuid.uuid4()), repr(asked).encode())
    if ticket.answer is not None:
        return ticket.answer
    till.run(seconds, until=ticket)
    till.desk.leave(ticket)
    return till.desk.operation_answer(ticket.id)


def _move(till: TillBench, kind: OperationKind, kopecks: int, key: str | None = None) -> Answer:
    return _ask(till, Request(kind, CASHIER, Kopecks(kopecks), "размен"), key)


def _open(till: TillBench) -> None:
    assert _ask(till, Request(OperationKind.SHIFT_OPEN, CASHIER)).status == 200


def _balance(till: TillBench) -> int:
    session = till.store.read(lambda db: sessions.find_open(db, POS_ID))
    assert session is not None
    assert not till.store.read(lambda db: sessions.find_differences(db, session.session_id))
    return session.balances[PaymentMethod.CASH]


def _device(till: TillBench) -> Any:
    return till.printer.fn_status()["cash_kopecks"]


def _events(till: TillBench) -> list[str]:
    rows = till.store.read(
        lambda db: db.execute("SELECT event_type FROM buffer_events ORDER BY id").fetchall()
    )
    return [str(row[0]) for row in rows]


# ---- the good day ------------------------------------------------------------------------------


def test_cash_goes_in_and_out_to_the_kopeck_here_and_in_the_device(till: TillBench) -> None:
    _open(till)
    paid_in = _move(till, IN, CHANGE)
    assert (paid_in.status, paid_in.body["amount"], paid_in.body["cash_balance"]) == (
        200,
        "5000.07",
        "5000.07",
    )
    assert paid_in.body["datetime"].startswith("2026-03-02T09:")
    till.sell(a_receipt(a_line(199_99), payments={PaymentMethod.CASH: 500_00}))
    assert _move(till, OUT, 5_000_06).body["cash_balance"] == "200.00"
    assert _balance(till) == _device(till) == 200_00
    assert _events(till).count("cash_paid_in") == _events(till).count("cash_paid_out") == 1
    assert till.z_report().body["cash_total"] == "200.00"


def test_a_repeat_with_the_same_key_moves_nothing_and_answers_the_same(till: TillBench) -> None:
    _open(till)
    key = str(uuid.uuid4())
    first = _move(till, IN, CHANGE, key)
    till.crash()
    assert _move(till, IN, CHANGE, key) == first
    assert _balance(till) == _device(till) == CHANGE
    with pytest.raises(KeyReused):
        _move(till, IN, CHANGE + 1, key)


def test_cash_belongs_to_an_open_shift(till: TillBench) -> None:
    till.run(1)
    answer = _move(till, IN, CHANGE)
    assert (answer.status, answer.code) == (409, "SHIFT_CLOSED")
    with pytest.raises(ShiftClosed):
        _move(till, OUT, 1)
    assert _device(till) == 0


def test_a_shift_of_yesterday_still_lets_its_cash_out(till: TillBench) -> None:
    _open(till)
    _move(till, IN, CHANGE)
    till.clock.advance(25 * 3600)
    assert _move(till, OUT, CHANGE).status == 200
    assert _balance(till) == _device(till) == 0


# ---- not enough --------------------------------------------------------------------------------


def test_more_than_the_drawer_holds_is_refused_before_anything_is_stored(till: TillBench) -> None:
    _open(till)
    _move(till, IN, 100_00)
    with pytest.raises(NotEnoughCash) as caught:
        _move(till, OUT, 100_01)
    assert caught.value.details == {"wanted": "100.01", "available": "100.00"}
    assert _move(till, OUT, 100_00).body["cash_balance"] == "0.00"


def test_two_cash_outs_under_way_cannot_take_the_same_money(till: TillBench) -> None:
    _open(till)
    _move(till, IN, 100_00)
    asked = Request(OUT, None, Kopecks(60_00), "инкассация")
    till.desk.leave(till.desk.operate(asked, POS_ID, str(uuid.uuid4()), b""))
    with pytest.raises(NotEnoughCash):
        till.desk.operate(asked, POS_ID, str(uuid.uuid4()), b"")
    till.run(10)
    assert _balance(till) == _device(till) == 40_00


@pytest.mark.parametrize("code", [0x46, 0x2E])
def test_a_device_that_holds_less_than_we_know_says_not_enough_cash(
    till: TillBench, code: int
) -> None:
    _open(till)
    _move(till, IN, 100_00)
    till.faults.add("printer", "refuse", 1, command="cash_out", code=code)
    answer = _move(till, OUT, 50_00)
    assert (answer.status, answer.code) == (409, "NOT_ENOUGH_CASH")
    assert till.lane.health.ready, "a refusal says nothing against the printer"
    assert _balance(till) == _device(till) == 100_00
    assert _move(till, OUT, 50_00).status == 200


# ---- doubt -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [IN, OUT])
@pytest.mark.parametrize("when", ["before", "after"])
def test_power_that_fails_in_a_cash_movement_moves_it_once_or_not_at_all(
    till: TillBench, kind: OperationKind, when: str
) -> None:
    _open(till)
    _move(till, IN, 1_000_00)
    till.faults.add("printer", "power_cut", 1, command=kind.value, when=when)
    answer = _move(till, kind, 300_03)
    ran = when == "after"
    assert answer.status == (200 if ran else 422), answer
    way = 300_03 if kind is IN else -300_03
    assert _balance(till) == _device(till) == 1_000_00 + (way if ran else 0)
    if not ran:
        assert answer.hint == "operation_did_not_run"
        assert _move(till, kind, 300_03).status == 200
        assert _balance(till) == _device(till) == 1_000_00 + way


def test_a_till_that_does_not_ask_the_counters_is_caught(
    till: TillBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: a settlement that guesses leaves a drawer that does not agree."""
    monkeypatch.setattr(settle, "_has_moved", lambda *_: False)
    _open(till)
    till.faults.add("printer", "power_cut", 1, command="cash_in", when="after")
    assert _move(till, IN, CHANGE).status == 422
    assert (_balance(till), _device(till)) == (0, CHANGE)


def test_a_reply_lost_for_good_is_settled_by_the_counters(till: TillBench) -> None:
    _open(till)
    till.faults.add("printer", "lose_reply", 30, command="cash_in")
    asked = Request(IN, None, Kopecks(CHANGE), "размен")
    ticket = till.desk.operate(asked, POS_ID, str(uuid.uuid4()), b"")
    till.desk.leave(ticket)
    till.run(60)
    till.faults.clear()
    till.run(120)
    assert till.desk.operation_answer(ticket.id).status == 200
    assert "shift_operation_in_doubt" in _events(till)
    assert _balance(till) == _device(till) == CHANGE


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_a_kill_at_any_commit_of_a_cash_movement_moves_it_once(
    till: TillBench, commits: int, after: bool
) -> None:
    _open(till)
    key = str(uuid.uuid4())
    till.store.die_in, till.store.die_after_commit = commits, after
    try:
        _move(till, IN, CHANGE, key)
    except Killed:
        till.crash()
    till.store.die_in = None
    answer = _move(till, IN, CHANGE, key)
    if answer.status == 422:  # the counters said that it never ran
        answer = _move(till, IN, CHANGE)
    assert answer.status == 200
    assert _balance(till) == _device(till) == CHANGE


BEFORE = CashCounters(10, 2, 1, 500_00, 100_00, 400_00)


@pytest.mark.parametrize(
    ("now", "ran"),
    [
        (CashCounters(10, 2, 1, 500_00, 100_00, 400_00), False),
        (CashCounters(11, 3, 1, 577_00, 100_00, 477_00), True),
        (CashCounters(11, 2, 2, 500_00, 150_00, 350_00), False),  # another program's cash-out
        (CashCounters(12, 3, 2, 577_00, 150_00, 427_00), True),  # ours beside it
        (CashCounters(11, 3, 1, 590_00, 100_00, 490_00), False),  # one, of another sum
        (CashCounters(12, 4, 1, 667_00, 100_00, 567_00), None),  # two: ours may be among them
        (CashCounters(1, 0, 0, 0, 0, 0), None),  # counted from the start again
        (CashCounters(11, 2, 1, 577_00, 100_00, 477_00), None),  # sums without a count
    ],
)
def test_the_counters_tell_whether_it_ran_or_that_they_cannot_tell(
    now: CashCounters, ran: bool | None
) -> None:
    assert settle._has_moved(Request(IN, None, Kopecks(77_00)), BEFORE, now) is ran


def test_two_movements_since_the_intent_ask_a_person_with_what_is_known(till: TillBench) -> None:
    _open(till)
    till.faults.add("printer", "lose_reply", 30, command="cash_in")
    asked = Request(IN, None, Kopecks(77_00), "размен")
    ticket = till.desk.operate(asked, POS_ID, str(uuid.uuid4()), b"")
    till.desk.leave(ticket)
    till.run(12)
    till.crash()
    till.faults.clear()
    by = till.clock.after_ms(60_000)
    till.lane._printer.status(by)
    till.lane._printer.cash_in(Kopecks(5_00), by)  # another program in the meantime
    till.run(60)
    answer = till.desk.operation_answer(ticket.id)
    assert (answer.status, answer.code) == (409, "CASH_UNCLEAR")
    assert answer.body["noted"]["ins"] == 0
    assert answer.body["now"]["ins"] == 2
    assert till.sell(a_receipt()).status == 200, "the lane is free again"


# ---- X-report and drawer -----------------------------------------------------------------------


def test_an_x_report_tells_the_shift_and_changes_nothing(till: TillBench) -> None:
    till.sell(a_receipt(a_line(123_45), payments={PaymentMethod.CASH: 200_00}))
    till.sell(a_receipt(a_line(1_000_01)))
    before = till.printer.fn_status()["last_fd"]
    for _ in range(2):
        answer = _ask(till, Request(OperationKind.X_REPORT, CASHIER))
        assert answer.status == 200
        assert answer.body | {"operation_id": "", "datetime": "", "fn": ""} == {
            "operation_id": "",
            "datetime": "",
            "fn": "",
            "report_type": 1,
            "shift_number": 1,
            "fiscal_document_number": None,
            "fiscal_sign": None,
            "cash_total": "123.45",
            "card_total": "1000.01",
            "total_sales": "1123.46",
            "total_refunds": "0.00",
            "offline": False,
        }
    assert till.printer.fn_status()["last_fd"] == before
    assert sum("X-ОТЧЕТ" in line for line in till.printer.paper()) == 2
    assert till.z_report().body["total_sales"] == "1123.46"


def test_an_x_report_needs_a_shift(till: TillBench) -> None:
    answer = _ask(till, Request(OperationKind.X_REPORT, CASHIER))
    assert (answer.status, answer.code) == (409, "SHIFT_CLOSED")


def test_the_drawer_opens_with_and_without_a_shift(till: TillBench) -> None:
    assert _ask(till, Request(OperationKind.DRAWER)).status == 200
    _open(till)
    assert _ask(till, Request(OperationKind.DRAWER)).status == 200
    assert _events(till).count("drawer_opened") == 2


def test_a_drawer_does_not_spring_open_when_the_printer_comes_back(till: TillBench) -> None:
    till.run(1)
    till.printer.unplug()
    answer = _ask(till, Request(OperationKind.DRAWER))
    assert (answer.status, answer.hint) == (422, "link")
    till.printer.plug()
    till.run(30)
    assert "drawer_opened" not in _events(till)


@pytest.mark.parametrize("kind", [OperationKind.DRAWER, OperationKind.X_REPORT])
def test_what_counts_nothing_is_refused_after_a_kill_and_may_be_asked_for_again(
    till: TillBench, kind: OperationKind
) -> None:
    _open(till)
    key = str(uuid.uuid4())
    till.store.die_in, till.store.die_after_commit = 2, True
    with pytest.raises(Killed):
        _ask(till, Request(kind, CASHIER), key)
    till.crash()
    till.run(5)
    answer = _ask(till, Request(kind, CASHIER), key)
    assert (answer.status, answer.hint) == (422, "operation_did_not_run")
    assert _ask(till, Request(kind, CASHIER)).status == 200
