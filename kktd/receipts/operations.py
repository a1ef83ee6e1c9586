"""Operations at the printer that are not receipts: intent, device, outcome; settles what was left.

What each kind needs and how a doubt about it is settled stands in RULES alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import InDoubt, PrinterError, Refused, Unreachable
from kktd.events import Event
from kktd.model.cash import CashCounters
from kktd.model.fiscal import ShiftReport
from kktd.model.states import OperationState
from kktd.printers.base import FiscalPrinter, PrinterStatus, Shift
from kktd.receipts.answers import Answer, Ran, problem_of
from kktd.receipts.books import Books, intent_from
from kktd.receipts.health import PrinterWatch
from kktd.receipts.settle import Absent, AskPerson, Made, Verdict, settle_cash, settle_report
from kktd.receipts.waiters import Waiters
from kktd.store.operations import Operation, OperationKind
from kktd.store.store import Store

OPERATION_MS: Final = 150_000  # tills ask a server while they open a shift ([SHTRIH] timeouts)
WAIT_S: Final = 0.1


class Doubt(Enum):
    """Who tells whether an operation ran whose answer was lost."""

    ARCHIVE = "the FN's documents"
    COUNTERS = "the device's cash counters"
    NOBODY = "nothing was counted: whoever asked sees it, and may ask again"


@dataclass(frozen=True, slots=True)
class Rule:
    """`fresh_s`: one that waited longer is refused, for nobody expects it any more."""

    shifts: frozenset[Shift]  # in which it may run
    document: bool  # the FN makes one
    doubt: Doubt
    event: Event
    fresh_s: int | None = None


_CLOSED: Final = frozenset({Shift.CLOSED})
_OPEN: Final = frozenset({Shift.OPEN, Shift.EXPIRED})  # money moves and totals print to the end
_ANY: Final = _CLOSED | _OPEN

RULES: Final = {
    OperationKind.SHIFT_OPEN: Rule(_CLOSED, True, Doubt.ARCHIVE, Event.SHIFT_OPENED),
    OperationKind.Z_REPORT: Rule(_OPEN, True, Doubt.ARCHIVE, Event.SHIFT_CLOSED),
    OperationKind.CASH_IN: Rule(_OPEN, False, Doubt.COUNTERS, Event.CASH_PAID_IN),
    OperationKind.CASH_OUT: Rule(_OPEN, False, Doubt.COUNTERS, Event.CASH_PAID_OUT),
    OperationKind.X_REPORT: Rule(_OPEN, False, Doubt.NOBODY, Event.X_REPORT_PRINTED, 60),
    OperationKind.DRAWER: Rule(_ANY, False, Doubt.NOBODY, Event.DRAWER_OPENED, 10),
    OperationKind.SET_CLOCK: Rule(_CLOSED, False, Doubt.NOBODY, Event.CLOCK_SET, 30),
    # Which fields an open shift forbids, the device knows and says.
    OperationKind.WRITE_TABLE: Rule(_ANY, False, Doubt.NOBODY, Event.TABLE_WRITTEN, 30),
}


class Operations:
    """Runs in the lane's thread.  `offline` is told in the report."""

    def __init__(
        self,
        printer: FiscalPrinter,
        watch: PrinterWatch,
        books: Books,
        store: Store,
        clock: Clock,
        waiters: Waiters,
        offline: Callable[[], bool],
    ) -> None:
        self._printer = printer
        self._watch = watch
        self._books = books
        self._store = store
        self._clock = clock
        self._waiters = waiters
        self._offline = offline

    def run(self, operation: Operation) -> None:
        """Run an accepted operation.

        Raises Unreachable and NotReady of the printer: before the intent the operation waits on,
        after it, or where nobody would expect it later, it is refused.
        """
        rule, accepted = RULES[operation.kind], OperationState.ACCEPTED
        age_s = self._clock.wall_s() - operation.created_at_s
        if rule.fresh_s is not None and not -1 <= age_s <= rule.fresh_s:
            self._refuse(operation, accepted, "PRINTER_REFUSED", _did_not_run())
            return
        try:
            status = self._watch.status()
            counters = self._counters(rule) if status.shift in rule.shifts else None
        except PrinterError as error:
            if rule.fresh_s is not None or isinstance(error, Refused):
                self._refuse_by_printer(operation, accepted, error)
            if isinstance(error, Refused):
                return
            raise
        if self._joins(operation, status):
            self._books.begin_operation(operation, intent_from(status, None), None)
            joined = Ran(status.fn, status.shift_number, status.clock)
            self._finish(operation, OperationState.SENT, joined)
            return
        if status.shift not in rule.shifts:
            code = "SHIFT_CLOSED" if status.shift is Shift.CLOSED else "SHIFT_OPEN"
            setting = operation.kind is OperationKind.SET_CLOCK
            remedy = "close_shift_first" if setting else code.lower()
            problem = {"remedy": remedy, "shift_number": status.shift_number}
            self._refuse(operation, accepted, code, problem)
            return
        self._books.begin_operation(operation, intent_from(status, None), counters)
        self._act(operation, status)

    def _joins(self, operation: Operation, status: PrinterStatus) -> bool:
        """Another till of this printer opened the shift: this one begins its part of it."""
        opens = operation.kind is OperationKind.SHIFT_OPEN and status.shift is Shift.OPEN
        return opens and not self._books.is_in_shift(operation.pos_id, status)

    def _counters(self, rule: Rule) -> CashCounters | None:
        if rule.doubt is not Doubt.COUNTERS:
            return None
        return self._printer.cash_counters(self._within())

    def _act(self, operation: Operation, status: PrinterStatus) -> None:
        """The intent is on disk: ask the device, and store what it did."""
        try:
            report = self._ask(operation, status)
        except InDoubt as error:
            log.event(Event.SHIFT_OPERATION_IN_DOUBT, kind=operation.kind, error=str(error))
            self._books.lose_operation(operation)  # the caller waits on: the device is asked
            return
        except PrinterError as error:
            self._refuse_by_printer(operation, OperationState.SENT, error)
            if isinstance(error, Refused):
                return  # it answered: the printer itself is well
            raise
        ran = report or Ran(status.fn, status.shift_number, status.clock)
        self._finish(operation, OperationState.SENT, ran)

    def _ask(self, operation: Operation, status: PrinterStatus) -> ShiftReport | Ran | None:
        printer, by, asked = self._printer, self._within(), operation.request
        match asked.kind, asked.cashier, asked.amount:
            case OperationKind.SHIFT_OPEN, cashier, _ if cashier is not None:
                return printer.open_shift(cashier, by)
            case OperationKind.Z_REPORT, cashier, _ if cashier is not None:
                return printer.close_shift(cashier, by)
            case OperationKind.CASH_IN, _, amount if amount is not None:
                printer.cash_in(amount, by)
            case OperationKind.CASH_OUT, _, amount if amount is not None:
                printer.cash_out(amount, by)
            case OperationKind.X_REPORT, _, _:
                printer.x_report(by)
            case OperationKind.DRAWER, _, _:
                printer.open_drawer(by)
            case OperationKind.SET_CLOCK, _, _ if asked.utc_offset_s is not None:
                shown = printer.set_clock(self._local(asked.utc_offset_s), by)
                return Ran(status.fn, status.shift_number, shown)
            case OperationKind.WRITE_TABLE, _, _ if asked.cell and asked.value is not None:
                printer.write_field(asked.cell, asked.value, by)
            case _:
                raise Refused("not a whole request", device_code=None, remedy="engineer")
        return None

    def _local(self, utc_offset_s: int) -> datetime:
        """The shop's time by our clock, as the printer shows it: without a zone."""
        zone = timezone(timedelta(seconds=utc_offset_s))
        return datetime.fromtimestamp(self._clock.wall_s(), zone).replace(tzinfo=None)

    def settle(self, operation: Operation) -> float:
        """Find out what became of an operation in doubt; returns how long to wait (s)."""
        was = OperationState.IN_DOUBT
        match self._verdict(operation):
            case Made(report):
                self._finish(operation, was, report)
            case Absent():
                self._refuse(operation, was, "PRINTER_REFUSED", _did_not_run())
            case AskPerson(remedy, facts):
                # Who could tell is gone: nothing is left to settle for the lane.
                code = "CASH_UNCLEAR" if remedy == "cash_unclear" else "FN_CHANGED"
                self._refuse(operation, was, code, {"remedy": remedy, **facts})
            case _:
                return WAIT_S
        return 0.0

    def _verdict(self, operation: Operation) -> Verdict:
        doubt = RULES[operation.kind].doubt
        if doubt is Doubt.NOBODY:
            return Absent()
        status = self._watch.read()  # FnChanged: it stays in doubt until a person accepts that one
        intent, by = self._books.find_operation_intent(operation), self._within()
        if doubt is Doubt.COUNTERS:
            noted = self._books.find_counters(operation)
            return settle_cash(self._printer, status, operation.request, intent, noted, by)
        return settle_report(self._printer, status, operation.kind, intent, by)

    def _finish(self, operation: Operation, was: OperationState, report: ShiftReport | Ran) -> None:
        rule = RULES[operation.kind]
        answer = self._books.finish_operation(
            operation, was, report, rule.event, offline=self._offline()
        )
        fd = report.fd if isinstance(report, ShiftReport) else None
        log.event(rule.event, shift=report.shift, fd=fd, operation_id=operation.id)
        if rule.document or operation.kind is OperationKind.SET_CLOCK:
            self._watch.forget_status()
        if operation.kind is OperationKind.Z_REPORT:
            self._store.checkpoint(truncate=True)
        self._tell(operation, answer)

    def _refuse_by_printer(
        self, operation: Operation, was: OperationState, error: PrinterError
    ) -> None:
        problem = problem_of(error)
        if operation.kind is OperationKind.SHIFT_OPEN:
            self._watch.note_refusal(problem["remedy"])  # an FN that ended opens none
        if isinstance(error, Unreachable):
            problem["remedy"] = "link"  # its own remedy speaks of a receipt
        short = operation.kind is OperationKind.CASH_OUT and error.remedy == "cash"
        self._refuse(operation, was, "NOT_ENOUGH_CASH" if short else "PRINTER_REFUSED", problem)

    def _refuse(
        self, operation: Operation, was: OperationState, code: str, problem: dict[str, Any]
    ) -> None:
        log.event(Event.SHIFT_OPERATION_REFUSED, kind=operation.kind, code=code, facts=problem)
        self._tell(operation, self._books.refuse_operation(operation, was, code, problem))

    def _tell(self, operation: Operation, answer: Answer) -> None:
        self._waiters.publish(operation.id, answer)

    def _within(self) -> Deadline:
        return Deadline.after_ms(self._clock, OPERATION_MS)


def _did_not_run() -> dict[str, Any]:
    return {"remedy": "operation_did_not_run"}
