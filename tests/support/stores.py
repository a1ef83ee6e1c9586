"""Stores for tests: receipts accepted, printed, delivered in a few words; a till's history."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from kktd.clock import HlcStamp
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt
from kktd.model.states import Delivery, DeliveryStep, FiscalState, Step
from kktd.store import keys, receipts
from kktd.store.connection import Db
from kktd.store.receipts import Intent
from kktd.store.store import Store
from tests.support.receipts import a_receipt

FN = "9960440300112233"
INTENT = Intent(serial="0001", fn=FN, last_fd=10, shift_number=3, mark="MARK")
DIGEST = b"\x00" * 32


@dataclass
class Numbers:
    """What rises by itself: stamps and document numbers."""

    stamp: int = 0
    fd: int = 100


def a_document(receipt: Receipt, fd: int, fn: str = FN) -> FiscalDocument:
    return FiscalDocument(
        fn=fn,
        fd=fd,
        fp=str(1_000_000 + fd),
        shift=3,
        receipt_no=fd - 100,
        issued_at=datetime(2026, 3, 2, 9, 30),  # noqa: DTZ001 - the printer's time has no zone
        sign=receipt.sign,
        total=receipt.total,
    )


def accept(store: Store, numbers: Numbers, receipt: Receipt | None = None) -> Receipt:
    """One receipt with its key, as the desk stores it."""
    made = receipt or a_receipt()
    numbers.stamp += 1
    stamp = HlcStamp(1_000, numbers.stamp)

    def work(db: Db) -> None:
        receipts.accept(db, made, stamp, 1_000 + numbers.stamp)
        keys.claim(db, str(uuid.uuid4()), DIGEST, 1_000, receipt_id=made.id)

    store.write(work)
    return made


def register(store: Store, numbers: Numbers, receipt: Receipt) -> FiscalDocument:
    """Through the printer until the FN holds it."""
    numbers.fd += 1
    document = a_document(receipt, numbers.fd)

    def work(db: Db) -> None:
        receipts.begin_printing(db, receipt.id, INTENT, 1_000)
        receipts.confirm(db, receipt.id, FiscalState.PRINTING, document, 1_001)

    store.write(work)
    return document


def finish_paper(store: Store, receipt: Receipt) -> None:
    store.write(
        lambda db: receipts.advance(db, receipt.id, Step.FINISH_PAPER, FiscalState.REGISTERED)
    )


def deliver(store: Store, receipt: Receipt) -> None:
    """The ОФД has it."""

    def work(db: Db) -> None:
        receipts.move_delivery(db, receipt.id, DeliveryStep.TAKE, Delivery.PENDING)
        receipts.mark_synced(db, receipt.id, 2_000, None)

    store.write(work)


def fill_history(store: Store, count: int) -> None:
    """`count` synced receipts with key and event, put there by SQL: a till's past."""

    def work(db: Db) -> None:
        request = "{" + "x" * 700 + "}"
        series = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
        db.execute(
            f"""{series} INSERT INTO receipts (id, pos_id, type, created_at, hlc_local_time,
                  hlc_logical_counter, request, total_kopecks, print_state, fn, fd, fp,
                  fiscal_doc, registered_at, status, synced_at)
                SELECT printf('%08x-0000-4000-8000-%012x', (i * 2654435761) % 4294967296, i),
                  'POS-001', 'sale', i, i, 0, ?2, 19900, 'printed', ?3, i, i, ?4, i, 'synced', i
                FROM n""",
            (count, request, "1111111111111111", "{" + "y" * 180 + "}"),
        )
        db.execute(
            """INSERT INTO idempotency_keys (key, digest, receipt_id, http_status, answer,
                 created_at)
               SELECT substr(id, 10) || substr(id, 1, 9), ?1, id, 200, ?2, created_at
               FROM receipts""",
            (DIGEST, "{" + "z" * 300 + "}"),
        )
        db.execute(
            """INSERT INTO buffer_events (event_type, receipt_id, timestamp)
               SELECT 'receipt_added', id, created_at * 1000 FROM receipts ORDER BY rowid"""
        )

    store.write(work)
    store.checkpoint(truncate=True)
