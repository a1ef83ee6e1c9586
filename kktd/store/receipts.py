"""Receipts: accepted, printed, settled, delivered; states move along model/states.py only.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from typing import Any, Final

from kktd.clock import HlcStamp
from kktd.errors import NotFound, StaleState
from kktd.model.codec import dump_document, dump_receipt, load_document, load_receipt
from kktd.model.device import FIRST_PRINTER
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt, ReceiptId
from kktd.model.states import DELIVERY, FISCAL, Delivery, DeliveryStep, FiscalState, Step
from kktd.store.connection import Db
from kktd.trace import Trace, parse_traceparent


@dataclass(frozen=True, slots=True)
class Intent:
    """What was known of the device before it was asked; settles doubt later."""

    serial: str
    fn: str
    last_fd: int
    shift_number: int
    mark: str | None


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """One row, with what was asked and what the FN made of it."""

    receipt: Receipt
    state: FiscalState
    held: bool
    attempts: int
    problem: dict[str, Any] | None
    document: FiscalDocument | None
    delivery: Delivery
    retry_count: int
    last_error: str | None
    created_at_s: float
    registered_at_s: int | None
    synced_at_s: int | None
    hlc: HlcStamp
    print_asked_at_s: int | None
    trace: Trace | None = None

    @property
    def id(self) -> ReceiptId:
        return self.receipt.id


_COLUMNS: Final = """id, request, print_state, held, attempts, problem, fiscal_doc, status,
  retry_count, last_error, created_at, registered_at, synced_at,
  hlc_local_time, hlc_logical_counter, created_ms, print_asked_at, traceparent"""

# The buffer of 200 (contract 1.1): what is on its way to the ОФД, from acceptance on.
# `unfinished = 1` is the condition of the index: without it a query reads the whole history.
IN_BUFFER: Final = "unfinished = 1 AND status IN ('pending', 'syncing')"


def accept(
    db: Db, receipt: Receipt, stamp: HlcStamp, now_s: float, printer: str = FIRST_PRINTER
) -> None:
    """Put a new receipt on disk, `accepted` and `pending`, for the lane of `printer`."""
    db.execute(
        """INSERT INTO receipts (id, pos_id, printer, type, created_at, created_ms,
             hlc_local_time, hlc_logical_counter, request, total_kopecks)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            receipt.id,
            receipt.pos_id,
            printer,
            receipt.type,
            int(now_s),
            int(now_s % 1 * 1000),
            stamp.local_time_s,
            stamp.logical_counter,
            dump_receipt(receipt),
            receipt.total,
        ),
    )


def find(db: Db, receipt_id: str) -> StoredReceipt:
    """Raises NotFound."""
    for row in db.execute(f"SELECT {_COLUMNS} FROM receipts WHERE id = ?", (receipt_id,)):
        return _from_row(row)
    raise NotFound("no such receipt", receipt_id=receipt_id)


def find_at_printer(db: Db, printer: str = FIRST_PRINTER) -> list[StoredReceipt]:
    """Everything the printer has not finished, in the order it was accepted."""
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM receipts
            WHERE unfinished = 1 AND printer = ?
              AND print_state IN ('accepted', 'printing', 'in_doubt', 'registered')
            ORDER BY hlc_local_time, hlc_logical_counter""",
        (printer,),
    )
    return [_from_row(row) for row in rows]


def advance(db: Db, receipt_id: str, step: Step, was: FiscalState) -> FiscalState:
    """Move one receipt along FISCAL; StaleState if another thread did first."""
    becomes = FISCAL[was, step]
    db.execute(
        "UPDATE receipts SET print_state = ?3 WHERE id = ?1 AND print_state = ?2",
        (receipt_id, was, becomes),
    )
    _exactly_one(db, receipt_id, was)
    return becomes


def begin_printing(db: Db, receipt_id: str, intent: Intent, now_s: int) -> None:
    """Store the intent and move to `printing`; on disk before the device is asked."""
    advance(db, receipt_id, Step.SEND, FiscalState.ACCEPTED)
    db.execute(
        """UPDATE receipts SET attempts = attempts + 1, held = 0, problem = NULL,
             print_asked_at = NULL WHERE id = ?""",
        (receipt_id,),
    )
    add_intent(db, receipt_id, intent, now_s)


def add_intent(db: Db, receipt_id: str, intent: Intent, now_s: int) -> None:
    """What was known of the device before this attempt."""
    db.execute(
        """INSERT INTO intents
             (receipt_id, attempt, serial, fn, last_fd, shift_number, mark, created_at)
           SELECT id, attempts, ?2, ?3, ?4, ?5, ?6, ?7 FROM receipts WHERE id = ?1""",
        (receipt_id, *astuple(intent), now_s),
    )


def find_intent(db: Db, receipt_id: str) -> Intent:
    """The intent of the last attempt; raises NotFound."""
    for row in db.execute(
        """SELECT serial, fn, last_fd, shift_number, mark FROM intents
           WHERE receipt_id = ? ORDER BY id DESC LIMIT 1""",
        (receipt_id,),
    ):
        return Intent(*row)
    raise NotFound("no intent", receipt_id=receipt_id)


def confirm(
    db: Db, receipt_id: str, was: FiscalState, document: FiscalDocument, now_s: int
) -> None:
    """The FN holds it: write the FN's own numbers."""
    db.execute(
        """UPDATE receipts SET print_state = ?3, fn = ?4, fd = ?5, fp = ?6, fiscal_doc = ?7,
             registered_at = ?8, held = 0, problem = NULL
           WHERE id = ?1 AND print_state = ?2""",
        (
            receipt_id,
            was,
            FISCAL[was, Step.CONFIRM],
            document.fn,
            document.fd,
            document.fp,
            dump_document(document),
            now_s,
        ),
    )
    _exactly_one(db, receipt_id, was)


def find_known_documents(db: Db, fn: str, after_fd: int) -> frozenset[int]:
    """Documents of this FN past `after_fd` that belong to receipts of ours, gone ones too."""
    rows = db.execute(
        """SELECT fd FROM receipts WHERE fn = ?1 AND fd > ?2
           UNION ALL SELECT fd FROM past_documents WHERE fn = ?1 AND fd > ?2""",
        (fn, after_fd),
    )
    return frozenset(int(str(fd)) for (fd,) in rows)


def note_problem(db: Db, receipt_id: str, problem: dict[str, Any] | None) -> None:
    """Why a receipt waits, is in doubt or was refused; None clears it."""
    db.execute(
        "UPDATE receipts SET problem = ? WHERE id = ?",
        (json.dumps(problem, ensure_ascii=False) if problem else None, receipt_id),
    )


def hold(db: Db, receipt_id: str) -> None:
    """Stop printing it by itself: a person chooses «напечатать / отменить»."""
    _mark_held(db, receipt_id, 1)


def hold_waiting(db: Db, printer: str = FIRST_PRINTER) -> None:
    """Hold everything that waits for this printer: its shift has ended."""
    db.execute(
        """UPDATE receipts SET held = 1
           WHERE unfinished = 1 AND print_state = 'accepted' AND printer = ?""",
        (printer,),
    )


def release(db: Db, receipt_id: str, now_s: float) -> None:
    """A person asked for it: it prints by itself again, its age counted from now."""
    _mark_held(db, receipt_id, 0)
    ask_paper(db, receipt_id, now_s)


def ask_paper(db: Db, receipt_id: str, now_s: float) -> None:
    """A person wants the paper: the first, or of what the FN holds a copy."""
    db.execute("UPDATE receipts SET print_asked_at = ?2 WHERE id = ?1", (receipt_id, int(now_s)))


def find_copies_asked(db: Db, printer: str = FIRST_PRINTER) -> list[StoredReceipt]:
    """Printed receipts somebody wants once more."""
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM receipts
            WHERE print_asked_at IS NOT NULL AND fd IS NOT NULL AND print_state = 'printed'
              AND printer = ?
            ORDER BY fd""",
        (printer,),
    )
    return [_from_row(row) for row in rows]


def drop_ask(db: Db, receipt_id: str) -> None:
    """The paper is out, or cannot be had."""
    db.execute("UPDATE receipts SET print_asked_at = NULL WHERE id = ?", (receipt_id,))


def _mark_held(db: Db, receipt_id: str, held: int) -> None:
    db.execute(
        "UPDATE receipts SET held = ? WHERE id = ? AND print_state = 'accepted'",
        (held, receipt_id),
    )
    _exactly_one(db, receipt_id, FiscalState.ACCEPTED)


def recover(db: Db) -> list[str]:
    """After a stop: `printing` is in doubt, `syncing` pending again.  Returns the doubtful ids."""
    doubtful = [
        row[0]
        for row in db.execute(
            "SELECT id FROM receipts WHERE unfinished = 1 AND print_state = 'printing'"
        )
    ]
    for receipt_id in doubtful:
        advance(db, receipt_id, Step.LOSE, FiscalState.PRINTING)
    for (receipt_id,) in db.execute(
        "SELECT id FROM receipts WHERE unfinished = 1 AND status = 'syncing'"
    ).fetchall():
        move_delivery(db, str(receipt_id), DeliveryStep.GIVE_BACK, Delivery.SYNCING)
    return doubtful


# ---- delivery -----------------------------------------------------------------------------------


def find_to_deliver(db: Db, limit: int) -> list[StoredReceipt]:
    """Registered and not delivered, in the order of the FN."""
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM receipts
            WHERE {IN_BUFFER} AND fd IS NOT NULL
            ORDER BY fn, fd LIMIT ?""",
        (limit,),
    )
    return [_from_row(row) for row in rows]


def move_delivery(db: Db, receipt_id: str, step: DeliveryStep, was: Delivery) -> None:
    """Move one receipt along DELIVERY; StaleState if another thread did first."""
    db.execute(
        "UPDATE receipts SET status = ?3 WHERE id = ?1 AND status = ?2",
        (receipt_id, was, DELIVERY[was, step]),
    )
    _exactly_one(db, receipt_id, was)


def mark_synced(db: Db, receipt_id: str, now_s: int, server_time_s: int | None) -> None:
    """The ОФД has it."""
    move_delivery(db, receipt_id, DeliveryStep.DELIVER, Delivery.SYNCING)
    db.execute(
        "UPDATE receipts SET synced_at = ?, hlc_server_time = ?, last_error = NULL WHERE id = ?",
        (now_s, server_time_s, receipt_id),
    )


def note_delivery_error(db: Db, receipt_id: str, error: str, *, counts: bool) -> int:
    """Remember why a delivery failed; returns the attempts that count so far (contract 2.4)."""
    for (count,) in db.execute(
        """UPDATE receipts SET last_error = ?2, retry_count = retry_count + ?3
           WHERE id = ?1 RETURNING retry_count""",
        (receipt_id, error, int(counts)),
    ):
        return int(count)
    raise NotFound("no such receipt", receipt_id=receipt_id)


def highest_stamp(db: Db) -> HlcStamp:
    """Where the hybrid clock starts after a restart: accepted last means stamped last."""
    for local_time, counter in db.execute(
        """SELECT hlc_local_time, hlc_logical_counter FROM receipts
           ORDER BY rowid DESC LIMIT 1"""
    ):
        return HlcStamp(local_time, counter)
    return HlcStamp(0, 0)


def _exactly_one(db: Db, receipt_id: str, was: object) -> None:
    if db.changes() != 1:
        raise StaleState("the receipt moved meanwhile", receipt_id=receipt_id, was=str(was))


def _from_row(row: tuple[Any, ...]) -> StoredReceipt:
    return StoredReceipt(
        receipt=load_receipt(ReceiptId(row[0]), row[1]),
        state=FiscalState(row[2]),
        held=bool(row[3]),
        attempts=row[4],
        problem=json.loads(row[5]) if row[5] else None,
        document=load_document(row[6]) if row[6] else None,
        delivery=Delivery(row[7]),
        retry_count=row[8],
        last_error=row[9],
        created_at_s=row[10] + row[15] / 1000,
        registered_at_s=row[11],
        synced_at_s=row[12],
        hlc=HlcStamp(row[13], row[14]),
        print_asked_at_s=row[16],
        trace=parse_traceparent(row[17] or ""),
    )
