"""Shtrih-M registrars with an FN as a `FiscalPrinter`.  Source: [SHTRIH] 9 (exactly once), 13.

Up to FF45h nothing is registered, whatever is lost: the till keeps an open receipt at most, and the
next call cancels it.  After FF45h only the FN knows.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from kktd.clock import Clock, Deadline
from kktd.config import PrinterSettings
from kktd.errors import NotReady, Refused
from kktd.model.cash import CashCounters
from kktd.model.fiscal import ArchivedDocument, DocumentType, FiscalDocument, ShiftReport
from kktd.model.money import Kopecks
from kktd.model.receipt import Cashier, Receipt
from kktd.printers.base import Paper, PrinterIdentity, PrinterStatus, Shift
from kktd.printers.shtrih import answers, cash, codes, sale
from kktd.printers.shtrih.answers import BadAnswer, DeviceRefused, Mode, Submode, TillState
from kktd.printers.shtrih.archive import Archive
from kktd.printers.shtrih.commands import (
    BEGIN_SHIFT,
    BEGIN_SHIFT_CLOSE,
    CANCEL_DOCUMENT,
    CANCEL_RECEIPT,
    CASH_IN,
    CASH_OUT,
    CLOSE_SHIFT,
    CONTINUE_PRINT,
    FULL_STATUS,
    OPEN_DRAWER,
    OPEN_SHIFT,
    PRINT_COPY,
    SEND_TLV,
    SHIFT_STATE,
    SUBTOTAL,
    X_REPORT,
    Command,
)
from kktd.printers.shtrih.device import DeviceCalls
from kktd.printers.shtrih.marking import Marking
from kktd.printers.shtrih.rates import Rates
from kktd.printers.shtrih.session import Session
from kktd.printers.shtrih.verdicts import (
    FAILURES,
    doubtful,
    in_doubt,
    no_paper,
    paper_of,
    require_open_shift,
    translated,
    verdict,
)
from kktd.printers.shtrih.who import Who
from kktd.wire.exchange import NotSent, Unanswered
from kktd.wire.port import Port

CLEANING_STEPS_MAX: Final = 8  # cancels and continues before a receipt; more is a broken till
DRAWER: Final = b"\0"  # [SHTRIH] 28h: the first of two
ENTRY_TRIES: Final = 2  # of a receipt whose lines arrived garbled
CLOSE_RESERVE_S: Final = 1.0  # with less left, FF45h would only make a doubt


class ShtrihPrinter(DeviceCalls):
    """One till.  Not thread-safe; opens the port at the first call and again after it was lost."""

    def __init__(self, port: Port, clock: Clock, settings: PrinterSettings) -> None:
        self._session = Session(port, clock, settings.password, settings.protocol)
        self._archive = Archive(self._session)
        self._ffd = settings.ffd
        self._rates = Rates(self._session)
        self._who = Who(self._session, self._rates.forget)
        self._marking = Marking(
            self._session,
            offered=settings.ffd == sale.FFD_1_2,
            sells_unchecked=settings.sell_unchecked_marks,
        )

    # ---- reading ---------------------------------------------------------------------------------

    def identify(self, by: Deadline) -> PrinterIdentity:
        with translated():
            return self._who.read(by)

    def status(self, by: Deadline) -> PrinterStatus:
        with translated():
            full = answers.full_status(self._session.call(FULL_STATUS, by))
            serial, fn = self._who.note_status(full, by)
            shift = self._shift_state(by)
        state = full.state
        expired = shift.open and state.mode == Mode.SHIFT_EXPIRED
        return PrinterStatus(
            serial=serial,
            fn=fn.fn,
            last_fd=fn.last_fd,
            shift=Shift.EXPIRED if expired else Shift.OPEN if shift.open else Shift.CLOSED,
            shift_number=shift.number,
            receipt_no=shift.receipt_no,
            receipt_open=state.mode == Mode.RECEIPT_OPEN,
            paper=paper_of(state),
            clock=full.clock,
        )

    def paper(self, by: Deadline) -> Paper:
        with translated():
            return paper_of(self._session.till_state(by))

    def archived(self, fd: int, by: Deadline) -> ArchivedDocument | None:
        with translated():
            return self._archive.document(fd, by)

    # ---- receipts --------------------------------------------------------------------------------

    def register(self, receipt: Receipt, mark: str | None, by: Deadline) -> FiscalDocument:
        with translated(wrong_moment_passes=True):
            self._who.read(by)  # the model decides the bytes of some VAT rates
            try:
                planned = sale.plan(receipt, mark, self._who.model, self._ffd)
            except sale.Unprintable as error:
                raise Refused(str(error), device_code=None, remedy=error.remedy) from error
            require_open_shift(self._cleaned(by))
            self._rates.check(receipt.lines, by)
            before = self._before(by)
            try:
                marks = self._marking.check(planned.marks, by)
                self._enter(planned, by)
                if by.left_s() < CLOSE_RESERVE_S:
                    raise NotSent("no time left to close the receipt")
            except (*FAILURES, Refused):
                self._abandon(by)
                raise
            answer = self._make(planned.command, planned.closing, before, by)
        with doubtful(before):
            closed = planned.closed(answer)
            found = self._archive.found(closed.fd, by)
            shift = self._shift_state(by)
            if closed.fd <= before.last_fd or found is None or found.fp != closed.fp:
                raise BadAnswer(f"document {closed.fd} is not the one just made")
            if found.sign is None or found.total is None:
                raise BadAnswer(f"document {closed.fd} is no receipt")
            if (found.sign, found.total) != (receipt.sign, receipt.total):
                raise BadAnswer(f"document {closed.fd} is not what was sold")
        return FiscalDocument(
            fn=before.fn,
            fd=found.fd,
            fp=str(found.fp),
            shift=shift.number,
            receipt_no=shift.receipt_no,
            issued_at=found.issued_at,
            sign=found.sign,
            total=found.total,
            marks=marks,
        )

    def cancel_open(self, by: Deadline) -> None:
        with translated():
            if self._session.till_state(by).mode == Mode.RECEIPT_OPEN:
                self._cleaned(by)
            self._before(by)

    # ---- shifts ----------------------------------------------------------------------------------

    def open_shift(self, cashier: Cashier, by: Deadline) -> ShiftReport:
        return self._report(OPEN_SHIFT, BEGIN_SHIFT, DocumentType.SHIFT_OPEN, cashier, by)

    def close_shift(self, cashier: Cashier, by: Deadline) -> ShiftReport:
        return self._report(CLOSE_SHIFT, BEGIN_SHIFT_CLOSE, DocumentType.SHIFT_CLOSE, cashier, by)

    def x_report(self, by: Deadline) -> None:
        with translated():
            self._cleaned(by)
            self._session.call(X_REPORT, by)

    # ---- cash ------------------------------------------------------------------------------------

    def cash_in(self, amount: Kopecks, by: Deadline) -> None:
        with translated():
            self._cleaned(by)
            cash.move(self._session, CASH_IN, amount, by)

    def cash_out(self, amount: Kopecks, by: Deadline) -> None:
        with translated():
            self._cleaned(by)
            cash.move(self._session, CASH_OUT, amount, by)

    def cash_counters(self, by: Deadline) -> CashCounters:
        with translated():
            return cash.read_counters(self._session, by)

    def open_drawer(self, by: Deadline) -> None:
        with translated():
            self._session.call(OPEN_DRAWER, by, DRAWER)

    # ---- paper -----------------------------------------------------------------------------------

    def continue_print(self, by: Deadline) -> None:
        with translated():
            self._who.require_same(by)
            state = self._session.till_state(by)
            if state.submode in answers.PAPER_IS_OUT:
                raise no_paper()
            if state.submode == Submode.WAITS_CONTINUE:
                self._session.call(CONTINUE_PRINT, by)

    def print_copy(self, by: Deadline) -> None:
        with translated():
            self._who.require_same(by)
            self._session.call(PRINT_COPY, by)

    def close(self) -> None:
        self._who.forget()
        self._session.close()

    # ---- how -------------------------------------------------------------------------------------

    def _shift_state(self, by: Deadline) -> answers.ShiftState:
        return answers.shift_state(self._session.call(SHIFT_STATE, by))

    def _cleaned(self, by: Deadline) -> TillState:
        """Wait for the printer, finish interrupted paper, cancel what an earlier call left open.

        Raises NotReady where a person has to do something first.
        """
        self._who.require_same(by)
        steps = 0
        while steps < CLEANING_STEPS_MAX:
            state = self._session.till_state(by)
            if state.submode in answers.PAPER_IS_OUT:
                raise no_paper()
            elif state.submode in answers.IS_PRINTING:
                if by.passed():
                    raise verdict(codes.BUSY)
                self._session.pause()
                continue  # bounded by the deadline
            elif state.submode == Submode.WAITS_CONTINUE:
                self._session.call(CONTINUE_PRINT, by)
            elif state.mode == Mode.RECEIPT_OPEN:
                self._session.call(CANCEL_RECEIPT, by)
            elif state.mode == Mode.DATA_OUTPUT:
                self._archive.finish_output(by)
            else:
                return state
            steps += 1
        raise NotReady("ККТ не выходит из состояния ожидания", device_code=None, remedy="engineer")

    def _enter(self, planned: sale.Sale, by: Deadline) -> None:
        """Everything before the close; the till's own subtotal proves that each line arrived."""
        for _ in range(ENTRY_TRIES):
            for step in planned.steps:
                answer = self._session.call(step.command, by, step.parameters)
                if step.mark is not None:
                    self._marking.check_bound(step.mark, answer)
            if not planned.has_lines:
                return
            counted = answers.subtotal(self._session.call(SUBTOTAL, by))
            if counted == planned.total:
                return
            self._session.call(CANCEL_RECEIPT, by)
        raise Refused("ККТ насчитала другой итог чека", device_code=None, remedy="setup")

    def _make(
        self, command: Command, parameters: bytes, before: answers.FnStatus, by: Deadline
    ) -> bytes:
        """Send a command that registers.  Raises InDoubt unless it surely did or did not run."""
        try:
            return self._session.call(command, by, parameters)
        except (Unanswered, BadAnswer) as error:
            raise in_doubt(before) from error
        except DeviceRefused:
            with doubtful(before):
                after = self._who.fn_status(by)
                if (after.fn, after.last_fd) != (before.fn, before.last_fd):
                    raise BadAnswer("refused, and yet the FN has a new document") from None
            self._abandon(by)
            raise

    def _report(
        self,
        command: Command,
        begin: Command,
        kind: DocumentType,
        cashier: Cashier,
        by: Deadline,
    ) -> ShiftReport:
        """A shift report with the cashier's tags."""
        with translated():
            self._cleaned(by)
            before = self._before(by)
            self._begin(begin, cashier, by)
            self._make(command, b"", before, by)
        with doubtful(before):
            after = self._who.fn_status(by)
            found = self._archive.found(after.last_fd, by)
            if after.last_fd <= before.last_fd or found is None or found.type is not kind:
                raise BadAnswer(f"document {after.last_fd} is not the report")
            shift = found.shift or self._shift_state(by).number
        return ShiftReport(after.fn, found.fd, str(found.fp), shift, found.issued_at)

    def _begin(self, begin: Command, cashier: Cashier, by: Deadline) -> None:
        """Give the report its cashier.  A till that refuses to begin says why at the command."""
        try:
            self._session.call(begin, by)
        except DeviceRefused:
            return
        try:
            for block in sale.blocks(sale.cashier_tags(cashier)):
                self._session.call(SEND_TLV, by, block)
        except FAILURES:
            self._abandon(by)
            raise

    def _abandon(self, by: Deadline) -> None:
        """Leave nothing half done, if the till lets us; if not, the next call cleans up."""
        if self._session.connected and not by.passed():
            with suppress(*FAILURES, NotReady):
                self._cleaned(by)
                self._before(by)

    def _before(self, by: Deadline) -> answers.FnStatus:
        """The FN before a document; one that an earlier call began there and left is cancelled."""
        status = self._who.fn_before(by)
        if status.current_document:
            self._session.call(CANCEL_DOCUMENT, by)
        self._marking.forget(by)
        return status
