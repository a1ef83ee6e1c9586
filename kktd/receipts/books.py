"""The transactions of the lane: each function is one, and leaves the till consistent.

Intent before the device acts; outcome, balances, answer and event together (contract 2.10).
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

from kktd.clock import Clock
from kktd.errors import FnChanged, PrinterError
from kktd.events import Event
from kktd.model.cash import CashCounters
from kktd.model.fiscal import FiscalDocument, ShiftReport
from kktd.model.money import rubles
from kktd.model.receipt import ReceiptId
from kktd.model.states import FiscalState, OperationState, Step
from kktd.printers.base import PrinterStatus
from kktd.receipts.answers import (
    Answer,
    Ran,
    SyncAt,
    device_result,
    minutes,
    operation_answer,
    problem_of,
    receipt_answer,
    report_result,
)
from kktd.receipts.desk import queue_place
from kktd.store import journal, keys, operations, receipts, sessions
from kktd.store.connection import Db
from kktd.store.operations import DEVICE_KINDS, Operation, OperationKind, Request
from kktd.store.receipts import Intent, StoredReceipt
from kktd.store.store import Store


def mark_of(receipt_id: ReceiptId) -> str:
    """The receipt id in base32, 26 characters: fits tag 1086 and survives any code page."""
    return base64.b32encode(uuid.UUID(receipt_id).bytes).decode("ascii").rstrip("=")


def intent_from(status: PrinterStatus, mark: str | None) -> Intent:
    return Intent(status.serial, status.fn, status.last_fd, status.shift_number, mark)


class Books:
    """Writes what the lane of `printer` did.  One lane, one thread."""

    def __init__(self, store: Store, clock: Clock, sync_at: SyncAt, printer: str) -> None:
        self._printer = printer
        self._sync_at = sync_at
        self._store = store
        self._clock = clock

    # ---- receipts ---------------------------------------------------------------------------

    def begin(self, stored: StoredReceipt, intent: Intent) -> None:
        """On disk before the device is asked; raises StaleState if it was cancelled meanwhile.

        Raises FnChanged if this FN counts documents again that we already have: then nothing that
        it says of a document in doubt could be believed.
        """

        def work(db: Db) -> None:
            if known := receipts.find_known_documents(db, intent.fn, intent.last_fd):
                raise FnChanged(
                    "the FN counts backwards", fd_now=intent.last_fd, fd_known=max(known)
                )
            receipts.begin_printing(db, stored.id, intent, self._now_s())

        self._store.write(work)

    def confirm(
        self,
        stored: StoredReceipt,
        was: FiscalState,
        document: FiscalDocument,
        *,
        printed: bool,
        **decided: str,
    ) -> Answer:
        """The FN holds it: numbers, balances, event and answer in one transaction.

        `decided` names the person who settled it, where the FN could not.
        """

        def work(db: Db) -> Answer:
            now_s = self._now_s()
            receipts.confirm(db, stored.id, was, document, now_s)
            if printed:
                receipts.advance(db, stored.id, Step.FINISH_PAPER, FiscalState.REGISTERED)
            session_id = sessions.ensure(
                db, stored.receipt.pos_id, document.fn, document.shift, now_s
            )
            sessions.book_receipt(db, session_id, stored.receipt, now_s)
            settled = was is FiscalState.IN_DOUBT
            self._keep(
                db,
                Event.KKT_DOUBT_SETTLED if settled else Event.KKT_PRINT_SUCCESS,
                receipt_id=stored.id,
                fn=document.fn,
                fd=document.fd,
                **decided,
            )
            return self._final_answer(db, stored.id)

        return self._store.write(work)

    def refuse(self, stored: StoredReceipt, error: PrinterError) -> Answer:
        """The printer said no for good."""

        def work(db: Db) -> Answer:
            receipts.advance(db, stored.id, Step.REFUSE, FiscalState.PRINTING)
            receipts.note_problem(db, stored.id, problem_of(error))
            self._keep(db, Event.KKT_PRINT_REFUSED, receipt_id=stored.id, **problem_of(error))
            return self._final_answer(db, stored.id)

        return self._store.write(work)

    def give_back(
        self,
        stored: StoredReceipt,
        was: FiscalState,
        problem: dict[str, Any] | None,
        *,
        hold: bool = False,
        **decided: str,
    ) -> Answer:
        """Surely not registered: it waits again, with `hold` for a person."""

        def work(db: Db) -> Answer:
            receipts.advance(db, stored.id, Step.RETURN, was)
            receipts.note_problem(db, stored.id, problem)
            if hold:
                receipts.hold(db, stored.id)
            if was is FiscalState.IN_DOUBT:
                self._keep(db, Event.KKT_DOUBT_SETTLED, receipt_id=stored.id, fd=None, **decided)
            return self._present_answer(db, stored.id)

        return self._store.write(work)

    def lose(self, stored: StoredReceipt) -> None:
        """Sent, unanswered."""

        def work(db: Db) -> None:
            receipts.advance(db, stored.id, Step.LOSE, FiscalState.PRINTING)
            self._keep(db, Event.KKT_IN_DOUBT, receipt_id=stored.id)

        self._store.write(work)

    def ask_person(self, stored: StoredReceipt, remedy: str, facts: dict[str, object]) -> Answer:
        """The FN cannot settle it: say so, once for each reason."""
        problem = {"remedy": remedy, **facts}

        def work(db: Db) -> Answer:
            if stored.problem != problem:
                receipts.note_problem(db, stored.id, problem)
                self._keep(db, Event.KKT_DOUBT_ASKS, receipt_id=stored.id, **problem)
            return self._present_answer(db, stored.id)

        return self._store.write(work)

    def wait(self, stored: StoredReceipt, problem: dict[str, Any]) -> Answer:
        """It waits, for this reason; written once."""

        def work(db: Db) -> Answer:
            if stored.problem != problem:
                receipts.note_problem(db, stored.id, problem)
            return self._present_answer(db, stored.id)

        return self._store.write(work)

    def hold(self, stored: StoredReceipt) -> Answer:
        """Too old to print by itself: a person chooses."""

        def work(db: Db) -> Answer:
            receipts.hold(db, stored.id)
            self._keep(db, Event.RECEIPT_HELD, receipt_id=stored.id)
            return self._present_answer(db, stored.id)

        return self._store.write(work)

    def finish_paper(self, registered: list[StoredReceipt]) -> dict[str, Answer]:
        """Their paper is out; returns how each stands now."""

        def work(db: Db) -> dict[str, Answer]:
            for stored in registered:
                receipts.advance(db, stored.id, Step.FINISH_PAPER, FiscalState.REGISTERED)
                receipts.note_problem(db, stored.id, None)
            return {stored.id: self._present_answer(db, stored.id) for stored in registered}

        return self._store.write(work)

    def drop_copy(self, stored: StoredReceipt, *, printed: bool) -> None:
        """The copy is out, or cannot be made."""

        def work(db: Db) -> None:
            receipts.drop_ask(db, stored.id)
            if printed:
                self._keep(db, Event.KKT_COPY_PRINTED, receipt_id=stored.id)

        self._store.write(work)

    def find_intent(self, stored: StoredReceipt) -> tuple[Intent, frozenset[int]]:
        """Its last intent, and the documents of other receipts made since."""

        def query(db: Db) -> tuple[Intent, frozenset[int]]:
            intent = receipts.find_intent(db, stored.id)
            return intent, receipts.find_known_documents(db, intent.fn, intent.last_fd)

        return self._store.read(query)

    def is_last(self, stored: StoredReceipt) -> bool:
        """Whether no receipt of ours came after it in its FN."""
        document = stored.document
        return document is not None and not self._store.read(
            lambda db: receipts.find_known_documents(db, document.fn, document.fd)
        )

    # ---- shift ------------------------------------------------------------------------------

    def is_in_shift(self, pos_id: str, status: PrinterStatus) -> bool:
        """Whether this till has begun the printer's open shift."""
        session = self._store.read(lambda db: sessions.find_open(db, pos_id))
        shift = (session.fn, session.shift_number) if session else None
        return shift == (status.fn, status.shift_number)

    def find_operation_intent(self, operation: Operation) -> Intent:
        """Its intent."""
        return self._store.read(lambda db: operations.find_intent(db, operation.id))

    def accept_shift_opening(self, stored: StoredReceipt) -> Operation:
        """The first sale opens the shift: an operation of its own, without a caller."""
        operation_id = str(uuid.uuid4())

        def work(db: Db) -> Operation:
            operations.accept(
                db,
                operation_id,
                stored.receipt.pos_id,
                Request(OperationKind.SHIFT_OPEN, stored.receipt.cashier),
                self._now_s(),
                self._printer,
            )
            return operations.find(db, operation_id)

        return self._store.write(work)

    def find_counters(self, operation: Operation) -> CashCounters:
        """What the device had counted when the intent of this cash movement was stored."""
        return self._store.read(lambda db: operations.find_counters(db, operation.id))

    def begin_operation(
        self, operation: Operation, intent: Intent, counters: CashCounters | None
    ) -> None:
        """On disk before the device is asked."""
        self._store.write(
            lambda db: operations.begin(db, operation.id, intent, self._now_s(), counters)
        )

    def finish_operation(
        self,
        operation: Operation,
        was: OperationState,
        report: ShiftReport | Ran,
        event: Event,
        *,
        offline: bool,
    ) -> Answer:
        """It ran: session, drawer, answer and event in one transaction."""

        def work(db: Db) -> Answer:
            now_s, asked = self._now_s(), operation.request
            if asked.kind in DEVICE_KINDS:
                result: dict[str, Any] = device_result(asked, report)
                facts: dict[str, Any] = {"shift": report.shift, "user": asked.user, **result}
            elif asked.amount is not None:
                result, facts = self._book_cash(db, operation, report, now_s)
            else:
                result = self._book_report(db, operation, report, now_s, offline=offline)
                fd = result["fiscal_document_number"]
                facts = {"pos_id": operation.pos_id, "shift": report.shift, "fd": fd}
            operations.finish(db, operation.id, Step.CONFIRM, was, result, now_s)
            self._keep(db, event, **facts)
            answer = operation_answer(operations.find(db, operation.id))
            keys.store_operation_answer(db, operation.id, answer.status, answer.as_stored())
            return answer

        return self._store.write(work)

    def _book_cash(
        self, db: Db, operation: Operation, report: ShiftReport | Ran, now_s: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is told of a cash movement, and what is kept of it."""
        asked, pos_id = operation.request, operation.pos_id
        amount = asked.amount or 0
        signed = amount if asked.kind is OperationKind.CASH_IN else -amount
        session_id = sessions.ensure(db, pos_id, report.fn, report.shift, now_s)
        balance = sessions.book_cash(
            db, session_id, operation.id, pos_id, asked.kind, signed, now_s
        )
        said = {"amount": rubles(amount), "cash_balance": rubles(balance)}
        kept = {"operation_id": operation.id, "pos_id": pos_id, "shift": report.shift, **said}
        cashier = asked.cashier and asked.cashier.name
        return (
            {**said, "datetime": minutes(report.issued_at)},
            {**kept, "reason": asked.reason, "cashier": cashier},
        )

    def _book_report(
        self,
        db: Db,
        operation: Operation,
        report: ShiftReport | Ran,
        now_s: int,
        *,
        offline: bool,
    ) -> dict[str, Any]:
        """The session begins with its opening and ends with the Z-report, whoever's it is."""
        sessions.ensure(db, operation.pos_id, report.fn, report.shift, now_s)
        totals = sessions.sum_shift(db, report.fn, report.shift)
        result = report_result(operation.kind, report, totals, offline=offline)
        if operation.kind is OperationKind.Z_REPORT:
            sessions.close_shift(db, report.fn, report.shift, result, now_s)
            # Nothing of this shift prints into the next unasked.
            receipts.hold_waiting(db, self._printer)
        return result

    def refuse_operation(
        self, operation: Operation, was: OperationState, code: str, problem: dict[str, Any]
    ) -> Answer:
        """It did not run and will not."""

        def work(db: Db) -> Answer:
            result = {"code": code, **problem}
            operations.finish(db, operation.id, Step.REFUSE, was, result, self._now_s())
            self._keep(db, Event.SHIFT_OPERATION_REFUSED, kind=operation.kind, **result)
            answer = operation_answer(operations.find(db, operation.id))
            keys.store_operation_answer(db, operation.id, answer.status, answer.as_stored())
            return answer

        return self._store.write(work)

    def lose_operation(self, operation: Operation) -> Answer:
        """Sent, unanswered."""

        def work(db: Db) -> Answer:
            operations.lose(db, operation.id)
            self._keep(db, Event.SHIFT_OPERATION_IN_DOUBT, kind=operation.kind)
            return operation_answer(operations.find(db, operation.id))

        return self._store.write(work)

    # ---- shared -----------------------------------------------------------------------------

    def _final_answer(self, db: Db, receipt_id: str) -> Answer:
        answer = self._present_answer(db, receipt_id)
        keys.store_receipt_answer(db, receipt_id, answer.status, answer.as_stored())
        return answer

    def _present_answer(self, db: Db, receipt_id: str) -> Answer:
        stored = receipts.find(db, receipt_id)
        return receipt_answer(stored, queue_place(db, stored, self._sync_at))

    def _keep(
        self, db: Db, event: Event, *, receipt_id: str | None = None, **facts: object
    ) -> None:
        journal.append(db, event, int(self._clock.wall_s() * 1000), receipt_id=receipt_id, **facts)

    def _now_s(self) -> int:
        return int(self._clock.wall_s())
