"""What a store promises, be it kept open, opened anew at each step, or killed at each step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from kktd.clock import HlcStamp
from kktd.errors import KeyReused, NotFound, StaleState
from kktd.events import Event
from kktd.model.receipt import PaymentMethod, ReceiptType
from kktd.model.states import Delivery, DeliveryStep, FiscalState, OperationState, Step
from kktd.store import buffer, journal, keys, operations, receipts, sessions
from kktd.store.connection import Db
from kktd.store.operations import OperationKind
from kktd.store.receipts import IN_BUFFER
from kktd.store.store import Store
from tests.support.receipts import CASHIER, a_line, a_receipt
from tests.support.stores import DIGEST, FN, INTENT, Numbers, a_document, accept, deliver, register

T = TypeVar("T")


class KeptOpen(Store):
    """The ordinary life of a daemon."""


class Reopened(Store):
    """Stopped and started again after each write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(path)

    def write(self, work: Callable[[Db], T]) -> T:
        result = super().write(work)
        self.close()
        super().__init__(self._path)
        return result


class Killed(Store):
    """After each write only the files go on, as they are at that moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lives = 0
        super().__init__(path)

    def write(self, work: Callable[[Db], T]) -> T:
        result = super().write(work)
        self._lives += 1
        copy = self._path.with_name(f"life-{self._lives}.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{self._path}{suffix}", f"{copy}{suffix}")
        self.close()
        self._path = copy
        super().__init__(copy)
        return result


@pytest.fixture(params=[KeptOpen, Reopened, Killed])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = request.param(tmp_path / "kktd.db")
    yield store
    store.close()


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


def find(store: Store, receipt_id: str) -> receipts.StoredReceipt:
    return store.read(lambda db: receipts.find(db, receipt_id))


def test_an_accepted_receipt_is_there_word_for_word(store: Store, numbers: Numbers) -> None:
    receipt = accept(store, numbers, a_receipt(a_line(36_99, "0.7", name="Сыр «Новый»")))
    stored = find(store, receipt.id)
    assert stored.receipt == receipt
    assert (stored.state, stored.delivery) == (FiscalState.ACCEPTED, Delivery.PENDING)
    assert (stored.attempts, stored.held, stored.document) == (0, False, None)


def test_a_receipt_nobody_stored_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        find(store, "nobody")


def test_the_fns_numbers_are_kept_with_the_receipt(store: Store, numbers: Numbers) -> None:
    receipt = accept(store, numbers)
    document = register(store, numbers, receipt)
    stored = find(store, receipt.id)
    assert stored.document == document
    assert stored.state is FiscalState.REGISTERED
    assert stored.attempts == 1
    assert store.read(lambda db: receipts.find_intent(db, receipt.id)) == INTENT


def test_a_receipt_moves_once_even_when_two_try(store: Store, numbers: Numbers) -> None:
    receipt = accept(store, numbers)
    store.write(lambda db: receipts.begin_printing(db, receipt.id, INTENT, 1))
    with pytest.raises(StaleState):
        store.write(lambda db: receipts.begin_printing(db, receipt.id, INTENT, 1))
    with pytest.raises(StaleState):
        store.write(lambda db: receipts.advance(db, receipt.id, Step.CANCEL, FiscalState.ACCEPTED))
    assert find(store, receipt.id).attempts == 1


def test_what_was_printing_at_a_stop_is_in_doubt(store: Store, numbers: Numbers) -> None:
    receipt, other = accept(store, numbers), accept(store, numbers)
    store.write(lambda db: receipts.begin_printing(db, receipt.id, INTENT, 1))
    assert store.write(receipts.recover) == [receipt.id]
    assert find(store, receipt.id).state is FiscalState.IN_DOUBT
    assert find(store, other.id).state is FiscalState.ACCEPTED
    assert store.write(receipts.recover) == []


def test_doubt_is_settled_either_way(store: Store, numbers: Numbers) -> None:
    held, absent = accept(store, numbers), accept(store, numbers)
    for receipt in (held, absent):
        store.write(partial(receipts.begin_printing, receipt_id=receipt.id, intent=INTENT, now_s=1))
    store.write(receipts.recover)
    document = a_document(held, 101)
    store.write(lambda db: receipts.confirm(db, held.id, FiscalState.IN_DOUBT, document, 1))
    store.write(lambda db: receipts.advance(db, absent.id, Step.RETURN, FiscalState.IN_DOUBT))
    assert find(store, held.id).document == document
    assert find(store, absent.id).state is FiscalState.ACCEPTED


def test_a_key_finds_its_receipt_and_its_answer(store: Store, numbers: Numbers) -> None:
    receipt = a_receipt()

    def work(db: Db) -> None:
        receipts.accept(db, receipt, numbers_stamp(numbers), 1)
        keys.claim(db, "key", DIGEST, 1, receipt_id=receipt.id)

    store.write(work)
    assert store.read(lambda db: keys.find(db, "key", DIGEST)) == keys.StoredKey(
        receipt.id, None, None
    )
    store.write(lambda db: keys.store_receipt_answer(db, receipt.id, 200, {"сумма": "199.00"}))
    store.write(lambda db: keys.store_receipt_answer(db, receipt.id, 422, {}))
    found = store.read(lambda db: keys.find(db, "key", DIGEST))
    assert found is not None
    assert found.answer == (200, {"сумма": "199.00"})
    assert store.read(lambda db: keys.find(db, "another", DIGEST)) is None
    with pytest.raises(KeyReused):
        store.read(lambda db: keys.find(db, "key", b"\x01" * 32))


def number(db: Db, sql: str) -> int:
    return int(str(db.execute(sql).get))


def numbers_stamp(numbers: Numbers) -> HlcStamp:
    numbers.stamp += 1
    return HlcStamp(1_000, numbers.stamp)


def test_delivery_goes_in_the_order_of_the_fn(store: Store, numbers: Numbers) -> None:
    sold = [accept(store, numbers) for _ in range(4)]
    for receipt in reversed(sold):  # registered the other way round
        register(store, numbers, receipt)
    found = store.read(lambda db: receipts.find_to_deliver(db, 3))
    assert [one.id for one in found] == [one.id for one in reversed(sold)][:3]
    deliver(store, sold[3])
    found = store.read(lambda db: receipts.find_to_deliver(db, 10))
    assert [one.id for one in found] == [sold[2].id, sold[1].id, sold[0].id]


def test_what_was_under_way_to_the_ofd_at_a_stop_is_pending(store: Store, numbers: Numbers) -> None:
    receipt = accept(store, numbers)
    register(store, numbers, receipt)
    store.write(
        lambda db: receipts.move_delivery(db, receipt.id, DeliveryStep.TAKE, Delivery.PENDING)
    )
    store.write(receipts.recover)
    assert find(store, receipt.id).delivery is Delivery.PENDING


def test_attempts_that_do_not_count_are_not_counted(store: Store, numbers: Numbers) -> None:
    receipt = accept(store, numbers)

    def note(db: Db, counts: bool) -> int:
        return receipts.note_delivery_error(db, receipt.id, "503", counts=counts)

    assert store.write(lambda db: note(db, True)) == 1
    assert store.write(lambda db: note(db, False)) == 1
    assert store.write(lambda db: note(db, True)) == 2
    assert find(store, receipt.id).last_error == "503"


def test_the_place_in_the_queue_counts_those_before(store: Store, numbers: Numbers) -> None:
    sold = [accept(store, numbers) for _ in range(3)]
    places = [store.read(partial(buffer.count_ahead, stored=find(store, one.id))) for one in sold]
    assert places == [0, 1, 2]
    register(store, numbers, sold[0])
    deliver(store, sold[0])
    assert store.read(lambda db: buffer.count_ahead(db, receipts.find(db, sold[0].id))) is None
    assert store.read(lambda db: buffer.count_ahead(db, receipts.find(db, sold[2].id))) == 1
    assert store.read(buffer.count_queued) == 2


def test_the_index_of_the_unfinished_agrees_with_the_rows(store: Store, numbers: Numbers) -> None:
    """`unfinished` is computed: the index has to follow every change of a state."""
    sold = [accept(store, numbers) for _ in range(5)]
    for receipt in sold[:3]:
        register(store, numbers, receipt)
    deliver(store, sold[0])
    store.write(
        lambda db: receipts.advance(db, sold[0].id, Step.FINISH_PAPER, FiscalState.REGISTERED)
    )
    store.write(lambda db: receipts.advance(db, sold[4].id, Step.CANCEL, FiscalState.ACCEPTED))
    by_index = f"SELECT count(*) FROM receipts WHERE {IN_BUFFER}"
    by_rows = f"SELECT count(*) FROM receipts NOT INDEXED WHERE {IN_BUFFER}"
    for sql in (by_index, by_rows):
        assert store.read(partial(number, sql=sql)) == 3


def test_the_drawer_is_booked_by_tender_and_refunds_are_taken_off(store: Store) -> None:
    def work(db: Db) -> str:
        session_id = sessions.ensure(db, "POS-001", FN, 3, 1)
        tenders = {PaymentMethod.CASH: 200_00, PaymentMethod.CARD: 100_00}
        for receipt in (
            a_receipt(a_line(250_00), payments=tenders),
            a_receipt(a_line(30_00), payments={PaymentMethod.CASH: 30_00}, type=ReceiptType.REFUND),
        ):
            receipts.accept(db, receipt, HlcStamp(1, receipt.total), 1)
            sessions.book_receipt(db, session_id, receipt, 1)
        return session_id

    session_id = store.write(work)
    session = store.read(lambda db: sessions.find_open(db, "POS-001"))
    assert session is not None
    assert session.session_id == session_id
    assert session.balances[PaymentMethod.CASH] == 150_00 - 30_00
    assert session.balances[PaymentMethod.CARD] == 100_00
    assert (session.sales_total, session.refunds_total) == (250_00, 30_00)
    assert store.read(lambda db: sessions.find_differences(db, session_id)) == {}


def test_a_new_shift_of_the_printer_closes_the_old_row(store: Store) -> None:
    first = store.write(lambda db: sessions.ensure(db, "POS-001", FN, 3, 1))
    assert store.write(lambda db: sessions.ensure(db, "POS-001", FN, 3, 2)) == first
    second = store.write(lambda db: sessions.ensure(db, "POS-001", FN, 4, 3))
    assert second != first
    found = store.read(lambda db: sessions.find_last(db, "POS-001"))
    assert (found.session_id, found.closed_at_s) == (second, None)
    store.write(lambda db: sessions.close_session(db, second, {"fd": 9}, 5))
    assert store.read(lambda db: sessions.find_open(db, "POS-001")) is None
    assert store.read(lambda db: sessions.find_last(db, "POS-001")).z_report == {"fd": 9}


def test_an_operation_is_lost_and_settled_like_a_receipt(store: Store) -> None:
    asked = operations.Request(OperationKind.Z_REPORT, CASHIER)
    store.write(lambda db: operations.accept(db, "op", "POS-001", asked, 1))
    store.write(lambda db: operations.begin(db, "op", INTENT, 1))
    assert store.write(operations.recover) == ["op"]
    (waiting,) = store.read(operations.find_open)
    assert (waiting.state, waiting.request) == (OperationState.IN_DOUBT, asked)
    assert store.read(lambda db: operations.find_intent(db, "op")).fn == FN
    store.write(
        lambda db: operations.finish(db, "op", Step.CONFIRM, OperationState.IN_DOUBT, {"fd": 12}, 2)
    )
    assert store.read(operations.find_open) == []
    assert store.read(lambda db: operations.find(db, "op")).result == {"fd": 12}


def test_an_event_is_kept_with_its_facts(store: Store) -> None:
    store.write(lambda db: journal.append(db, Event.BUFFER_FULL, 1_234, receipt_id="r", queued=200))
    store.write(lambda db: journal.append(db, Event.CIRCUIT_CHECK, 1_234))  # for the log alone
    rows = store.read(
        lambda db: db.execute(
            "SELECT event_type, level, receipt_id, timestamp, metadata FROM buffer_events"
        ).fetchall()
    )
    assert rows == [("buffer_full", "CRITICAL", "r", 1_234, '{"queued": 200}')]
