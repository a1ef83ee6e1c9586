"""What leaves the database and when; what never does; what a refund still finds years later."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kktd.clock import HlcStamp
from kktd.errors import Invalid, NotFound
from kktd.events import Event
from kktd.model.receipt import DocumentNumbers, Original, Receipt, ReceiptId, ReceiptType
from kktd.model.states import Delivery, DeliveryStep
from kktd.receipts.refunds import Odoo
from kktd.store import dlq, journal, keys, odoo, receipts, sessions
from kktd.store.connection import Db
from kktd.store.dlq import Reason
from kktd.store.refunds import find_original
from kktd.store.retention import DAY_S
from kktd.upkeep.retention import BUSY_S, LOOK_S, Retention
from tests.support.clock import START
from tests.support.receipts import a_line, a_receipt, a_refund
from tests.support.till import POS_ID, TillBench

OPENED_S = int(START.timestamp())


@pytest.fixture
def till(tmp_path: Path) -> Iterator[TillBench]:
    bench = TillBench(tmp_path)
    yield bench
    bench.close()


def sell(till: TillBench, receipt: Receipt | None = None) -> str:
    """A sale the ОФД has."""
    receipt_id = str(till.sell(receipt or a_receipt(a_line(100_00))).body["receipt_id"])
    till.run(5, until=None)
    till.deliver(receipt_id)
    return receipt_id


def pass_days(till: TillBench, days: float) -> None:
    """The shift is closed, time passes, somebody rings up and cancels: the stamp has moved on."""
    if till.store.read(lambda db: sessions.find_open(db, POS_ID)) is not None:
        till.z_report()
    till.clock.advance(days * DAY_S)
    now_s, receipt = till.clock.wall_s(), a_receipt()
    stamp = HlcStamp(int(now_s), 0)
    till.store.write(lambda db: receipts.accept(db, receipt, stamp, now_s))
    till.desk.cancel(receipt.id)


def trim(till: TillBench, *, has_odoo: bool = False) -> None:
    """Every step of one pass."""
    retention = Retention(
        till.clock,
        till.store,
        lambda: till.store.read(receipts.highest_stamp).local_time_s,
        has_odoo=has_odoo,
    )
    for _ in range(1_000):
        due_s = retention.step(till.clock.monotonic_s())
        if due_s - till.clock.monotonic_s() >= LOOK_S:
            return
        till.clock.advance_to(due_s)
    raise AssertionError("it never ends")


def is_there(till: TillBench, receipt_id: str) -> bool:
    try:
        till.stored(receipt_id)
    except NotFound:
        return False
    return True


def count(till: TillBench, table: str) -> int:
    return till.store.read(lambda db: int(str(db.execute(f"SELECT count(*) FROM {table}").get)))


def test_a_receipt_goes_seven_days_after_it_was_delivered(till: TillBench) -> None:
    receipt_id = sell(till)
    pass_days(till, 6.9)
    trim(till)
    assert is_there(till, receipt_id)
    pass_days(till, 0.2)
    trim(till)
    assert not is_there(till, receipt_id)


def test_what_belongs_to_it_goes_with_it_and_the_shift_stays(till: TillBench) -> None:
    sell(till)
    shifts = count(till, "pos_sessions")
    pass_days(till, 8)
    trim(till)
    owners = "SELECT id FROM receipts"
    for table in ("cash_transactions", "intents", "idempotency_keys"):
        assert count(till, f"{table} WHERE receipt_id NOT IN ({owners})") == 0
    assert count(till, "pos_sessions") == shifts


def test_an_undelivered_receipt_stays_for_ever(till: TillBench) -> None:
    receipt_id = str(till.sell(a_receipt()).body["receipt_id"])
    till.run(5)
    pass_days(till, 1_000)
    trim(till)
    assert is_there(till, receipt_id)
    assert count(till, f"idempotency_keys WHERE receipt_id = '{receipt_id}'") == 1


def test_a_receipt_in_the_dead_letters_stays_until_their_row_has_gone(till: TillBench) -> None:
    receipt_id = str(till.sell(a_receipt()).body["receipt_id"])
    till.run(5)
    now_s = int(till.clock.wall_s())

    def give_up(db: Db) -> str:
        receipts.move_delivery(db, receipt_id, DeliveryStep.TAKE, Delivery.PENDING)
        return dlq.move(db, receipt_id, Reason.MAX_RETRIES, now_s * 1000)

    letter = till.store.write(give_up)
    till.store.write(lambda db: dlq.retry(db, letter, "Инженер", now_s))
    till.deliver(receipt_id)
    pass_days(till, 89)
    trim(till)
    assert is_there(till, receipt_id)
    pass_days(till, 2)
    trim(till)
    assert not is_there(till, receipt_id)


def test_a_dead_letter_nobody_dealt_with_stays(till: TillBench) -> None:
    receipt_id = str(till.sell(a_receipt()).body["receipt_id"])
    till.run(5)

    def give_up(db: Db) -> None:
        receipts.move_delivery(db, receipt_id, DeliveryStep.TAKE, Delivery.PENDING)
        dlq.move(db, receipt_id, Reason.MAX_RETRIES, 1_800_000_000_000)

    till.store.write(give_up)
    pass_days(till, 2_000)
    trim(till)
    assert count(till, "dlq") == 1
    assert is_there(till, receipt_id)


def test_a_receipt_odoo_has_not_heard_of_stays(till: TillBench) -> None:
    receipt_id = sell(till)
    pass_days(till, 100)
    kept = "buffer_events WHERE event_type != 'history_trimmed'"
    events = count(till, kept)
    trim(till, has_odoo=True)
    assert is_there(till, receipt_id)
    assert count(till, kept) == events

    def hear(db: Db) -> None:
        told = odoo.find_untold(db, 1_000)
        odoo.note_told(db, told, told[-1].seq, int(till.clock.wall_s()))

    till.store.write(hear)
    trim(till, has_odoo=True)
    assert not is_there(till, receipt_id)


def test_events_go_after_ninety_days_the_oldest_first(till: TillBench) -> None:
    till.store.write(lambda db: journal.append(db, Event.TOKEN_CREATED, OPENED_S * 1000))
    pass_days(till, 89)
    trim(till)
    assert count(till, "buffer_events WHERE event_type = 'token_created'") == 1
    pass_days(till, 2)
    trim(till)
    assert count(till, "buffer_events WHERE event_type = 'token_created'") == 0
    assert count(till, "buffer_events WHERE event_type = 'history_trimmed'") == 1


def test_a_key_of_no_receipt_goes_after_seven_days(till: TillBench) -> None:
    now_s = int(till.clock.wall_s())
    till.store.write(lambda db: keys.claim(db, str(uuid.uuid4()), b"x", now_s))
    pass_days(till, 6)
    trim(till)
    assert count(till, "idempotency_keys WHERE digest = x'78'") == 1
    pass_days(till, 2)
    trim(till)
    assert count(till, "idempotency_keys WHERE digest = x'78'") == 0


def test_a_refund_years_later_knows_its_sale_and_what_is_left_of_it(till: TillBench) -> None:
    sale_id = sell(till)
    first = a_refund(Original(ReceiptId(sale_id)), a_line(30_00))
    sell(till, first)
    pass_days(till, 8)
    trim(till)
    assert not is_there(till, sale_id)
    assert not is_there(till, first.id)
    sell(till, a_refund(Original(ReceiptId(sale_id)), a_line(50_00)))
    pass_days(till, 100)
    trim(till)
    with pytest.raises(Invalid) as caught:
        till.post(a_refund(Original(ReceiptId(sale_id)), a_line(20_01)))
    assert caught.value.details["left"] == "20.00"
    till.post(a_refund(Original(ReceiptId(sale_id)), a_line(20_00)))


def test_a_refund_by_the_paper_finds_the_same_sale(till: TillBench) -> None:
    sale_id = sell(till)
    document = till.stored(sale_id).document
    assert document is not None
    pass_days(till, 8)
    trim(till)
    numbers = DocumentNumbers(document.fn, document.fd, "1")
    with pytest.raises(Invalid, match="sign"):
        till.desk.check_refund(Original(document=numbers), Odoo.AWAY, supervised=False)
    by_paper = Original(document=replace(numbers, fp=document.fp))
    assert till.desk.check_refund(by_paper, Odoo.AWAY, supervised=False).allowed
    known = till.store.read(lambda db: find_original(db, by_paper))
    assert known is not None
    assert (known.id, known.type) == (sale_id, ReceiptType.SALE)


def test_three_years_later_only_the_paper_knows_it(till: TillBench) -> None:
    sale_id = sell(till)
    pass_days(till, 8)
    trim(till)
    pass_days(till, 3 * 365)
    trim(till)
    assert not till.desk.knows(Original(ReceiptId(sale_id)))


def test_documents_of_the_fn_stay_known_when_their_rows_have_gone(till: TillBench) -> None:
    document = till.stored(sell(till)).document
    assert document is not None
    pass_days(till, 8)
    trim(till)
    known = till.store.read(
        lambda db: receipts.find_known_documents(db, document.fn, document.fd - 1)
    )
    assert document.fd in known


def test_a_wall_clock_of_another_century_makes_nothing_old(till: TillBench) -> None:
    receipt_id = sell(till)
    sell(till)
    till.z_report()
    till.clock.jump_wall(50 * 365 * DAY_S)
    trim(till)
    assert is_there(till, receipt_id)


def test_what_was_stored_in_1970_stays(till: TillBench) -> None:
    receipt_id = sell(till)
    till.store.write(
        lambda db: db.execute("UPDATE receipts SET synced_at = 3600 WHERE id = ?", (receipt_id,))
    )
    pass_days(till, 8)
    trim(till)
    assert is_there(till, receipt_id)


def test_the_newest_receipt_stays_so_that_no_stamp_comes_twice(till: TillBench) -> None:
    receipt_id = sell(till)
    till.z_report()
    retention = Retention(
        till.clock,
        till.store,
        lambda: int(till.clock.wall_s()),
        has_odoo=False,
    )
    till.clock.advance(30 * DAY_S)
    for _ in range(20):
        till.clock.advance_to(retention.step(till.clock.monotonic_s()))
    assert is_there(till, receipt_id)


def test_nothing_is_deleted_while_a_receipt_is_at_the_printer(till: TillBench) -> None:
    receipt_id = sell(till)
    pass_days(till, 8)
    till.post(a_receipt())
    retention = Retention(till.clock, till.store, lambda: int(till.clock.wall_s()), has_odoo=False)
    now_s = till.clock.monotonic_s()
    assert retention.step(now_s) == now_s + BUSY_S
    assert is_there(till, receipt_id)


def test_days_of_sales_leave_a_few_rows_that_add_up(till: TillBench) -> None:
    for _ in range(12):
        for _ in range(3):
            sell(till)
        pass_days(till, 1)
        trim(till)
    assert count(till, "receipts") <= 3 * 8 + 12  # cancelled ones of each morning stay 90 days
    sell(till)
    session = till.store.read(lambda db: sessions.find_last(db, POS_ID))
    assert till.store.read(lambda db: sessions.find_differences(db, session.session_id)) == {}
    assert till.store.read(lambda db: db.execute("PRAGMA foreign_key_check").fetchall()) == []
