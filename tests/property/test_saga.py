"""The saga against everything that can happen at a till; the FN is compared with the store.

Whatever the order of sales, lost replies, dropped lines, dead power, empty paper and kills at any
byte or commit: the FN's receipts and the store's are the same ones, each exactly once.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from rig import tlv

from kktd.errors import KktdError
from kktd.model.money import Kopecks
from kktd.model.receipt import Original, PaymentMethod, Receipt, ReceiptId, ReceiptType
from kktd.model.states import IN_FN, Delivery, FiscalState
from kktd.receipts import saga, settle
from kktd.receipts.books import mark_of
from kktd.store import operations, sessions
from kktd.store.operations import OperationKind, Request
from kktd.store.receipts import StoredReceipt
from kktd.store.sessions import Session
from tests.support.crash import Killed
from tests.support.receipts import CASHIER, a_line, a_receipt, a_refund
from tests.support.till import POS_ID, TillBench

T = TypeVar("T")

COMMANDS = st.sampled_from(
    [
        "close_receipt",
        "operation",
        "open_receipt",
        "open_shift",
        "send_tlv",
        "fn_status",
        "shift_params",
        "find_document",
        "read_document",
        "short_status",
        "full_status",
        "subtotal",
        "cancel_receipt",
        "z_report",
        "cash_in",
        "cash_out",
        "money_register",
    ]
)
REGISTERING = st.sampled_from(["close_receipt"] * 6 + ["operation", "open_shift", "z_report"])
MISHAPS = st.one_of(
    st.just(("none",)),
    st.tuples(st.just("lose_reply"), REGISTERING, st.integers(1, 30)),
    st.tuples(st.just("power_cut"), REGISTERING, st.sampled_from(["before", "after"])),
    st.tuples(st.just("cut_after"), st.integers(0, 700), st.sampled_from(["to_device", "to_host"])),
    st.tuples(st.just("kill_after_bytes"), st.integers(1, 1_100)),
    st.tuples(st.just("kill_at_commit"), st.integers(1, 4), st.booleans()),
)
CASH_MISHAPS = st.one_of(
    st.tuples(st.just("power_cut"), st.sampled_from(["before", "after"])),
    st.tuples(st.just("lose_reply"), st.integers(1, 30)),
    st.tuples(st.just("cut_after"), st.integers(0, 700), st.sampled_from(["to_device", "to_host"])),
    st.tuples(st.just("kill_after_bytes"), st.integers(1, 600)),
    st.tuples(st.just("kill_at_commit"), st.integers(1, 4), st.booleans()),
)
# Drawn before it is known from how many: ids are random, and what the machine draws may not be.
PICKS = st.integers(0, 99)
SURELY_NOT_IN_FN = {FiscalState.ACCEPTED, FiscalState.REFUSED, FiscalState.CANCELLED}


class Till(RuleBasedStateMachine):
    """One till, one printer, a bad day."""

    @initialize(hangs_up=st.booleans())
    def open_the_shop(self, hangs_up: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.till = TillBench(self.folder, hangs_up=hangs_up)
        self.sold: dict[str, int] = {}
        self.keys: dict[str, Receipt] = {}
        self.cash_of: dict[int, int] = {}  # kopecks by document of the FN

    # ---- what people do ---------------------------------------------------------------------

    @rule(
        kopecks=st.integers(1, 99_999_99),
        lines=st.integers(1, 4),
        cash=st.booleans(),
        mishap=MISHAPS,
        seconds=st.sampled_from([0, 0.2, 2, 15]),
    )
    def sell(
        self, kopecks: int, lines: int, cash: bool, mishap: tuple[Any, ...], seconds: float
    ) -> None:
        line = a_line(kopecks)
        total = lines * kopecks
        payments = (
            {PaymentMethod.CASH: total // 2 + 100_00, PaymentMethod.CARD: total - total // 2}
            if cash and total > 1
            else None
        )
        receipt = a_receipt(*[line] * lines, payments=payments)
        key = str(uuid.uuid4())
        self._alive(lambda: self._post(receipt, key))
        self._arrange(*mishap)
        self._alive(lambda: self.till.run(seconds))

    @rule(
        pick=PICKS,
        refunds=st.lists(st.tuples(st.integers(1, 100), st.booleans()), min_size=1, max_size=4),
        mishap=MISHAPS,
        seconds=st.sampled_from([0, 0.2, 2, 15]),
    )
    def refund(
        self,
        pick: int,
        refunds: list[tuple[int, bool]],
        mishap: tuple[Any, ...],
        seconds: float,
    ) -> None:
        self._alive(self._sell_something_to_refund)
        sales = self._refundable()
        if not sales:
            return
        sale = _picked(sales, pick)
        for percent, cash in refunds:
            kopecks = max(1, sale.receipt.total * percent // 100)
            payments = {PaymentMethod.CASH if cash else PaymentMethod.CARD: kopecks}
            refund = a_refund(Original(receipt_id=sale.id), a_line(kopecks), payments=payments)
            self._alive(lambda refund=refund: self._post(refund, str(uuid.uuid4())))
        self._arrange(*mishap)
        self._alive(lambda: self.till.run(seconds))

    def _sell_something_to_refund(self) -> None:
        """Half in cash; and the ОФД has it, as it has every registered sale by now."""
        if not self._refundable():
            half = {PaymentMethod.CASH: 500_00, PaymentMethod.CARD: 500_00}
            self._post(a_receipt(a_line(1_000_00), payments=half), str(uuid.uuid4()))
            self.till.run(5)
        for sale in self._refundable():
            if sale.delivery is Delivery.PENDING:
                self.till.deliver(sale.id)

    def _refundable(self) -> list[StoredReceipt]:
        found = map(self.till.stored, self.sold)
        return [one for one in found if one.document and one.receipt.type is ReceiptType.SALE]

    def _arrange(self, name: str, *how: Any) -> None:
        match name:
            case "lose_reply":
                self.lose_a_reply(*how)
            case "power_cut":
                self.cut_the_printer_s_power(*how)
            case "cut_after":
                self.drop_the_line(*how)
            case "kill_after_bytes":
                self.kill_after_bytes(*how)
            case "kill_at_commit":
                self.kill_at_a_commit(*how)

    def _post(self, receipt: Receipt, key: str) -> None:
        try:
            ticket = self.till.post(receipt, key)
        except KktdError:
            return  # refused with a reason: nothing may be stored, the invariant looks
        self.till.desk.leave(ticket)
        self.sold[receipt.id] = receipt.total
        self.keys[key] = receipt

    @rule(pick=PICKS)
    def send_the_same_request_again(self, pick: int) -> None:
        if not self.keys:
            return
        key = _picked(list(self.keys), pick)
        before = self.till.store.read(lambda db: db.execute("SELECT count(*) FROM receipts").get)
        first = self.keys[key]
        again = a_receipt(*first.lines, payments=None, type=first.type)
        self._alive(lambda: self.till.desk.leave(self.till.post(again, key)))
        after = self.till.store.read(lambda db: db.execute("SELECT count(*) FROM receipts").get)
        assert before == after

    @rule(pick=PICKS)
    def cancel(self, pick: int) -> None:
        if self.sold:
            receipt_id = _picked(list(self.sold), pick)
            self._alive(lambda: self._quietly(lambda: self.till.desk.cancel(receipt_id)))

    @rule(pick=PICKS)
    def print_again(self, pick: int) -> None:
        if self.sold:
            receipt_id = _picked(list(self.sold), pick)
            self._alive(lambda: self._quietly(lambda: self._leave(receipt_id)))

    def _leave(self, receipt_id: str) -> None:
        self.till.desk.leave(self.till.desk.print_again(receipt_id))

    @rule(seconds=st.sampled_from([0.5, 3, 30, 90]))
    def let_it_work(self, seconds: float) -> None:
        self._alive(lambda: self.till.run(seconds))

    @rule(
        kind=st.sampled_from([OperationKind.CASH_IN, OperationKind.CASH_OUT]),
        kopecks=st.integers(1, 5_000_00),
        mishap=CASH_MISHAPS,
        seconds=st.sampled_from([0, 0.2, 2, 15]),
    )
    def move_cash(
        self, kind: OperationKind, kopecks: int, mishap: tuple[Any, ...], seconds: float
    ) -> None:
        self._alive(lambda: self._operate(Request(OperationKind.SHIFT_OPEN, CASHIER)))
        self._alive(lambda: self.till.run(2))
        name, *how = mishap
        if name in ("power_cut", "lose_reply"):
            how = [kind.value, *how]
        self._arrange(name, *how)
        asked = Request(kind, None, Kopecks(kopecks), "размен")
        self._alive(lambda: self._quietly(lambda: self._operate(asked)))
        self._alive(lambda: self.till.run(seconds))

    def _operate(self, asked: Request) -> None:
        self.till.desk.leave(self.till.desk.operate(asked, POS_ID, str(uuid.uuid4()), b""))

    @rule(kind=st.sampled_from([OperationKind.X_REPORT, OperationKind.DRAWER]))
    def print_totals_or_open_the_drawer(self, kind: OperationKind) -> None:
        self._alive(lambda: self._operate(Request(kind, CASHIER)))
        self._alive(lambda: self.till.run(2))

    @rule()
    def close_the_shift(self) -> None:
        self._alive(lambda: self._quietly(lambda: self.till.z_report(20)))

    # ---- what breaks ------------------------------------------------------------------------

    def lose_a_reply(self, command: str, times: int) -> None:
        self.till.faults.add("printer", "lose_reply", times, command=command)

    def cut_the_printer_s_power(self, command: str, when: str) -> None:
        self.till.faults.add("printer", "power_cut", 1, command=command, when=when)

    def drop_the_line(self, count: int, direction: str) -> None:
        self.till.faults.add("printer", "cut_after", 1, bytes=count, direction=direction)

    @rule(seed=st.integers(0, 1000))
    def make_noise(self, seed: int) -> None:
        self.till.faults.add("printer", "noise", 3, rate=0.02, seed=seed)

    @rule(when=st.sampled_from(["before", "during", "after"]))
    def paper_runs_out(self, when: str) -> None:
        self.till.faults.add("printer", "paper_out", 1, when=when)

    @rule()
    def load_paper(self) -> None:
        self.till.faults.clear("printer", "paper_out")
        self.till.printer.insert_paper()

    @rule()
    def pull_the_plug(self) -> None:
        self.till.printer.unplug()

    @rule()
    def put_the_plug_back(self) -> None:
        self.till.printer.plug()

    @rule(code=st.sampled_from([0x73, 0x4F, 0x50, 0x6B, 0x33]), command=COMMANDS)
    def refuse(self, code: int, command: str) -> None:
        self.till.faults.add("printer", "refuse", 1, command=command, code=code)

    @rule(seconds=st.sampled_from([-86_400, -600, 600, 3_600]))
    def somebody_sets_the_clock(self, seconds: int) -> None:
        self.till.clock.jump_wall(seconds)

    def kill_after_bytes(self, bytes_: int) -> None:
        self.till.port.die_in_bytes = bytes_

    def kill_at_a_commit(self, commits: int, after: bool) -> None:
        self.till.store.die_in = commits
        self.till.store.die_after_commit = after

    @rule()
    def kill_now(self) -> None:
        self.till.crash()

    # ---- what must hold ---------------------------------------------------------------------

    @invariant()
    def the_fn_and_the_store_hold_the_same_receipts(self) -> None:
        made = Counter(one["mark"] for one in self.till.fn_receipts())
        assert not [mark for mark, times in made.items() if times > 1], "a receipt twice in the FN"
        documents = {one["fd"]: one for one in self.till.fn_receipts()}
        marks = {mark_of(ReceiptId(one)): one for one in self._all_ids()}
        assert set(made) <= set(marks), "the FN holds what nobody sold"
        for mark, receipt_id in marks.items():
            stored = self.till.stored(receipt_id)
            if stored.state in IN_FN:
                assert stored.document is not None
                made_document = documents[stored.document.fd]
                assert made_document["mark"] == mark
                assert made_document["total_kopecks"] == stored.receipt.total
                assert made_document["sign"] == stored.receipt.sign
                assert str(made_document["fp"]) == stored.document.fp
            elif stored.state in SURELY_NOT_IN_FN:
                assert mark not in made, f"{stored.state} and yet in the FN"

    @invariant()
    def every_sale_that_was_taken_is_there(self) -> None:
        assert set(self.sold) <= set(self._all_ids())

    @invariant()
    def the_drawer_is_right_to_the_kopeck(self) -> None:
        session = self.till.store.read(lambda db: sessions.find_open(db, POS_ID))
        if session is not None:
            assert not self.till.store.read(
                lambda db: sessions.find_differences(db, session.session_id)
            )
            drawer = session.balances[PaymentMethod.CASH]
            assert drawer == self._cash_in_the_fn(session) + self._cash_moved(session)
            assert drawer >= 0, "cash was handed out that was not there"

    @invariant()
    def no_sale_is_refunded_beyond_its_sum(self) -> None:
        sql = """SELECT sale.id FROM receipts AS refund
                 JOIN receipts AS sale ON sale.id = refund.request ->> '$.original.receipt_id'
                 WHERE refund.type = 'refund' AND refund.print_state IN ('registered', 'printed')
                 GROUP BY sale.id HAVING sum(refund.total_kopecks) > sale.total_kopecks"""
        assert not self.till.store.read(lambda db: db.execute(sql).fetchall())

    def teardown(self) -> None:
        """Mend everything: nothing stays open, and no person was needed."""
        if not hasattr(self, "till"):
            return
        self.till.store.die_in = None
        self.till.port.die_in_bytes = None
        self.till.faults.clear()
        self.till.printer.plug()
        self.till.printer.insert_paper()
        self.till.run(400)
        for receipt_id in self._all_ids():
            stored = self.till.stored(receipt_id)
            assert stored.state not in (FiscalState.PRINTING, FiscalState.IN_DOUBT), stored.problem
            assert stored.state is not FiscalState.REGISTERED, stored.problem
            assert stored.state is not FiscalState.ACCEPTED or stored.held
        self.the_fn_and_the_store_hold_the_same_receipts()
        self._the_device_and_the_store_hold_the_same_cash()
        self.till.close()
        shutil.rmtree(self.folder)

    def _the_device_and_the_store_hold_the_same_cash(self) -> None:
        """Each movement counted there is booked here, once: the device keeps cash over shifts."""
        sql = "SELECT coalesce(sum(amount), 0) FROM cash_transactions WHERE payment_method = 'cash'"
        booked = self.till.store.read(lambda db: db.execute(sql).get)
        assert booked == self.till.printer.fn_status()["cash_kopecks"], "the drawers differ"
        assert not self.till.store.read(operations.find_open), "an operation was never settled"

    def _cash_in_the_fn(self, session: Session) -> int:
        """Tag 1031 of this shift's receipts that we know of, refunds taken off."""
        sql = "SELECT fd FROM receipts WHERE fn = ? AND fd IS NOT NULL"
        rows = self.till.store.read(lambda db: db.execute(sql, (session.fn,)).fetchall())
        known = {fd for (fd,) in rows}
        cash = 0
        for one in self.till.printer.documents(with_tlv=True):
            if one["fd"] in known and one["shift"] == session.shift_number:
                fd = int(str(one["fd"]))
                if fd not in self.cash_of:
                    found = tlv.find(tlv.decode_all(bytes.fromhex(str(one["tlv"]))), 1031)
                    self.cash_of[fd] = int.from_bytes(found.value, "little") if found else 0
                cash += self.cash_of[fd] * (1 if one["sign"] == 1 else -1)
        return cash

    def _cash_moved(self, session: Session) -> int:
        """Without a receipt; compared with the device's own counters at the end."""
        sql = """SELECT coalesce(sum(amount), 0) FROM cash_transactions
                 WHERE session_id = ? AND transaction_type IN ('cash_in', 'cash_out')"""
        found = self.till.store.read(lambda db: db.execute(sql, (session.session_id,)).get)
        return int(str(found))

    # ---- tools ------------------------------------------------------------------------------

    def _all_ids(self) -> list[str]:
        return self.till.store.read(
            lambda db: [str(row[0]) for row in db.execute("SELECT id FROM receipts")]
        )

    def _alive(self, act) -> None:  # type: ignore[no-untyped-def]
        try:
            act()
        except Killed:
            self.till.crash()

    def _quietly(self, act) -> None:  # type: ignore[no-untyped-def]
        try:
            act()
        except KktdError:
            return


def _picked(among: Sequence[T], pick: int) -> T:
    return among[pick % len(among)]


def _run(examples: int, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        Till,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            phases=phases,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_each_receipt_is_in_the_fn_exactly_once_whatever_happens() -> None:
    _run(examples=150)


@pytest.mark.parametrize("verdict", ["never ours", "absent unseen"])
def test_a_till_that_does_not_ask_the_fn_is_caught(
    verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the same days with a settlement that guesses have to fail."""
    if verdict == "never ours":
        monkeypatch.setattr(settle, "_is_ours", lambda *_: False)
    else:
        monkeypatch.setattr(saga, "settle_receipt", lambda *_: settle.Absent())
    with pytest.raises(AssertionError, match=r"twice in the FN|yet in the FN"):
        _run(examples=100, phases=(Phase.generate,))
