"""The DLQ: a row, a state and an event together; a person ends it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.errors import NotFound, StaleState, TooLate
from kktd.model.states import Delivery
from kktd.store import dlq, outbox, receipts
from kktd.store.dlq import Reason
from tests.support.ofd import DeliveryBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeliveryBench]:
    made = DeliveryBench(tmp_path)
    yield made
    made.close()


def give_up(bench: DeliveryBench) -> str:
    [sold] = bench.sell()
    found = bench.store.read(lambda db: outbox.find(db, 1, 0, lambda one: one.id == sold))
    bench.store.write(lambda db: outbox.take(db, found))
    bench.store.write(lambda db: receipts.note_delivery_error(db, sold, "422", counts=True))
    return bench.store.write(lambda db: dlq.move(db, sold, Reason.MAX_RETRIES, 5_000))


def test_a_row_keeps_what_a_person_needs(bench: DeliveryBench) -> None:
    letter_id = give_up(bench)
    [letter] = bench.dead()
    assert letter.id == letter_id
    assert (letter.failed_at_s, letter.reason, letter.retry_attempts) == (
        5,
        "max_retries_exceeded",
        1,
    )
    assert letter.document == bench.find(letter.receipt_id).document
    assert (letter.last_error, letter.resolved_at_s) == ("422", None)
    assert bench.store.read(dlq.count) == 1
    assert bench.pending() == 0


def test_only_what_is_being_sent_can_be_given_up(bench: DeliveryBench) -> None:
    [sold] = bench.sell()
    with pytest.raises(StaleState):
        bench.store.write(lambda db: dlq.move(db, sold, Reason.MAX_RETRIES, 5_000))
    assert bench.store.read(dlq.count) == 0


def test_a_retry_puts_it_back_with_all_its_attempts(bench: DeliveryBench) -> None:
    letter_id = give_up(bench)
    sold = bench.store.write(lambda db: dlq.retry(db, letter_id, "engineer", 9))
    stored = bench.find(sold)
    assert (stored.delivery, stored.retry_count) == (Delivery.PENDING, 0)
    assert bench.store.read(dlq.count) == 0
    [letter] = bench.store.read(lambda db: dlq.find_all(db, resolved=True))
    assert (letter.resolved_by, letter.note, letter.resolved_at_s) == ("engineer", "retry", 9)


def test_a_resolved_one_stays_failed_and_is_resolved_once(bench: DeliveryBench) -> None:
    letter_id = give_up(bench)
    letter = bench.store.write(lambda db: dlq.resolve(db, letter_id, "boss", "по телефону", 9))
    assert letter.note == "по телефону"
    assert bench.find(letter.receipt_id).delivery is Delivery.FAILED
    for again in (
        lambda db: dlq.resolve(db, letter_id, "boss", "", 10),
        lambda db: dlq.retry(db, letter_id, "boss", 10),
    ):
        with pytest.raises(TooLate):
            bench.store.write(again)


def test_an_unknown_one_is_not_found(bench: DeliveryBench) -> None:
    with pytest.raises(NotFound):
        bench.store.write(lambda db: dlq.retry(db, "no", "boss", 1))
    with pytest.raises(NotFound):
        bench.store.read(lambda db: dlq.find(db, "no"))
