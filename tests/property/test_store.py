"""The store against a dictionary: whatever the order of sales, answers, deliveries and restarts."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kktd.clock import HlcStamp, HybridClock
from kktd.errors import KeyReused, StaleState
from kktd.model.receipt import PaymentMethod, Receipt, ReceiptType
from kktd.model.states import (
    DELIVERY,
    FISCAL,
    IN_FN,
    Delivery,
    DeliveryStep,
    FiscalState,
    Step,
)
from kktd.store import buffer, keys, receipts, sessions
from kktd.store.connection import Db
from kktd.store.store import Store
from tests.support.clock import VirtualClock
from tests.support.stores import FN, INTENT, a_document
from tests.support.strategies import receipts as any_receipt

POS_ID = "POS-001"


@dataclass
class Known:
    """What the model says of one receipt."""

    receipt: Receipt
    key: str
    digest: bytes
    stamp: HlcStamp
    state: FiscalState = FiscalState.ACCEPTED
    delivery: Delivery = Delivery.PENDING
    fd: int | None = None


class StoreMachine(RuleBasedStateMachine):
    """One till's database, and a dictionary that has to agree."""

    sold = Bundle("sold")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = VirtualClock()
        self.known: dict[str, Known] = {}
        self.balances: Counter[PaymentMethod] = Counter()
        self.next_fd = 101
        self._open()

    def _open(self) -> None:
        self.store = Store(self.folder / "kktd.db")
        self.hlc = HybridClock(self.clock, self.store.read(receipts.highest_stamp))

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # ---- what may happen --------------------------------------------------------------------

    @rule(target=sold, receipt=any_receipt(), key=st.uuids(version=4))
    def accept(self, receipt: Receipt, key: uuid.UUID) -> str:
        known = Known(receipt, str(key), key.bytes * 2, self.hlc.tick())

        def work(db: Db) -> None:
            receipts.accept(db, receipt, known.stamp, int(self.clock.wall_s()))
            keys.claim(db, known.key, known.digest, 1, receipt_id=receipt.id)

        self.store.write(work)
        self.known[receipt.id] = known
        return receipt.id

    @rule(receipt_id=sold)
    def accept_half_and_fail(self, receipt_id: str) -> None:
        """The key is taken: the whole write is undone."""
        known = self.known[receipt_id]
        twin = replace(known.receipt, id=type(known.receipt.id)(str(uuid.uuid4())))

        def work(db: Db) -> None:
            receipts.accept(db, twin, known.stamp, 1)
            keys.claim(db, known.key, known.digest, 1, receipt_id=twin.id)

        with pytest.raises(Exception, match="UNIQUE"):
            self.store.write(work)

    @rule(receipt_id=sold, other=st.binary(min_size=32, max_size=32))
    def repeat(self, receipt_id: str, other: bytes) -> None:
        known = self.known[receipt_id]
        found = self.store.read(lambda db: keys.find(db, known.key, known.digest))
        assert found is not None
        assert found.receipt_id == receipt_id
        if other != known.digest:
            with pytest.raises(KeyReused):
                self.store.read(lambda db: keys.find(db, known.key, other))

    @rule(receipt_id=sold, was=st.sampled_from(FiscalState), step=st.sampled_from(Step))
    def step_at_the_printer(self, receipt_id: str, was: FiscalState, step: Step) -> None:
        """Right or wrong: only what the table allows from where it stands may happen."""
        known = self.known[receipt_id]
        if (was, step) not in FISCAL:
            return
        document = a_document(known.receipt, self.next_fd)

        def work(db: Db) -> None:
            if step is Step.SEND:
                receipts.begin_printing(db, receipt_id, INTENT, 1)
            elif step is Step.CONFIRM:
                receipts.confirm(db, receipt_id, was, document, 1)
                session_id = sessions.ensure(db, POS_ID, FN, 3, 1)
                sessions.book_receipt(db, session_id, known.receipt, 1)
            else:
                receipts.advance(db, receipt_id, step, was)

        if was is not known.state:
            with pytest.raises(StaleState):
                self.store.write(work)
            return
        self.store.write(work)
        known.state = FISCAL[was, step]
        if step is Step.CONFIRM:
            known.fd = self.next_fd
            self.next_fd += 1
            sign = -1 if known.receipt.type is ReceiptType.REFUND else 1
            for method in PaymentMethod:
                self.balances[method] += sign * known.receipt.applied(method)

    @rule(receipt_id=sold)
    def walk_on(self, receipt_id: str) -> None:
        """The usual way of a receipt, so that long lives are met too."""
        steps = {
            FiscalState.ACCEPTED: Step.SEND,
            FiscalState.PRINTING: Step.CONFIRM,
            FiscalState.IN_DOUBT: Step.CONFIRM,
            FiscalState.REGISTERED: Step.FINISH_PAPER,
        }
        state = self.known[receipt_id].state
        if state in steps:
            self.step_at_the_printer(receipt_id, state, steps[state])

    @rule(receipt_id=sold, was=st.sampled_from(Delivery), step=st.sampled_from(DeliveryStep))
    def step_of_delivery(self, receipt_id: str, was: Delivery, step: DeliveryStep) -> None:
        known = self.known[receipt_id]
        if (was, step) not in DELIVERY or known.fd is None:
            return

        def work(db: Db) -> None:
            if step is DeliveryStep.DELIVER:
                assert was is Delivery.SYNCING
                receipts.mark_synced(db, receipt_id, 1, None)
            else:
                receipts.move_delivery(db, receipt_id, step, was)

        if was is not known.delivery:
            with pytest.raises(StaleState):
                self.store.write(work)
            return
        self.store.write(work)
        known.delivery = DELIVERY[was, step]

    @rule(seconds=st.integers(-100_000, 100_000))
    def set_the_clock(self, seconds: int) -> None:
        self.clock.jump_wall(seconds)

    @rule(truncate=st.booleans())
    def checkpoint(self, truncate: bool) -> None:
        self.store.checkpoint(truncate=truncate)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self._open()

    @rule()
    def kill_and_recover(self) -> None:
        """The files as they are now are all that the next daemon finds."""
        copy = Path(tempfile.mkdtemp())
        for name in ("kktd.db", "kktd.db-wal"):
            shutil.copy(self.folder / name, copy / name)
        self.store.close()
        shutil.rmtree(self.folder)
        self.folder = copy
        self._open()
        doubtful = self.store.write(receipts.recover)
        printing = [one for one in self.known.values() if one.state is FiscalState.PRINTING]
        assert sorted(doubtful) == sorted(one.receipt.id for one in printing)
        for known in printing:
            known.state = FiscalState.IN_DOUBT
        for known in self.known.values():
            if known.delivery is Delivery.SYNCING:
                known.delivery = Delivery.PENDING

    # ---- what must hold ---------------------------------------------------------------------

    @invariant()
    def every_receipt_is_as_the_model_says(self) -> None:
        def look(db: Db) -> list[receipts.StoredReceipt]:
            return [receipts.find(db, receipt_id) for receipt_id in self.known]

        for stored in self.store.read(look):
            known = self.known[stored.id]
            assert stored.receipt == known.receipt
            assert (stored.state, stored.delivery) == (known.state, known.delivery)
            assert stored.hlc == known.stamp
            assert (stored.document.fd if stored.document else None) == known.fd
        assert self._count("receipts") == len(self.known) == self._count("idempotency_keys")

    @invariant()
    def the_buffer_holds_what_is_on_its_way(self) -> None:
        on_its_way = [
            one
            for one in self.known.values()
            if one.state not in (FiscalState.REFUSED, FiscalState.CANCELLED)
            and one.delivery in (Delivery.PENDING, Delivery.SYNCING)
        ]
        count = self.store.read(buffer.count_buffer)
        assert count.queued == len(on_its_way) == self.store.read(buffer.count_queued)
        first = min(on_its_way, key=lambda one: one.stamp, default=None)
        assert count.oldest_id == (first.receipt.id if first else None)
        waiting = (FiscalState.ACCEPTED, FiscalState.PRINTING, FiscalState.IN_DOUBT)
        assert count.waiting_for_printer == sum(one.state in waiting for one in on_its_way)

    @invariant()
    def delivery_goes_in_the_order_of_the_fn(self) -> None:
        wanted = sorted(
            one.fd
            for one in self.known.values()
            if one.fd is not None and one.delivery in (Delivery.PENDING, Delivery.SYNCING)
        )
        found = self.store.read(lambda db: receipts.find_to_deliver(db, 1_000))
        assert [one.document.fd for one in found if one.document] == wanted

    @invariant()
    def what_the_printer_has_not_finished_is_found_in_order(self) -> None:
        unfinished = {*FiscalState} - {
            FiscalState.PRINTED,
            FiscalState.REFUSED,
            FiscalState.CANCELLED,
        }
        wanted = sorted(
            (one for one in self.known.values() if one.state in unfinished),
            key=lambda one: one.stamp,
        )
        found = self.store.read(receipts.find_at_printer)
        assert [one.id for one in found] == [one.receipt.id for one in wanted]

    @invariant()
    def the_drawer_is_the_sum_of_its_rows(self) -> None:
        session = self.store.read(lambda db: sessions.find_open(db, POS_ID))
        if session is None:
            assert not any(one.state in IN_FN for one in self.known.values())
            return
        assert session.balances == {method: self.balances[method] for method in PaymentMethod}
        differences = self.store.read(lambda db: sessions.find_differences(db, session.session_id))
        assert differences == {}

    def _count(self, table: str) -> int:
        return self.store.read(lambda db: int(str(db.execute(f"SELECT count(*) FROM {table}").get)))


def test_the_store_agrees_with_a_dictionary() -> None:
    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=25, stateful_step_count=30)
    )
