"""Shift opening and Z-report at the printer: intent, device, outcome; settles what was left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import InDoubt, PrinterError
from kktd.events import Event
from kktd.model.fiscal import ShiftReport
from kktd.model.states import OperationState
from kktd.printers.base import FiscalPrinter, Shift
from kktd.receipts.answers import Answer, problem_of
from kktd.receipts.books import Books, intent_from
from kktd.receipts.health import PrinterWatch
from kktd.receipts.settle import Absent, AskPerson, Made, settle_operation
from kktd.receipts.waiters import Waiters
from kktd.store.operations import Operation, OperationKind
from kktd.store.store import Store

OPERATION_MS: Final = 150_000  # tills ask a server while they open a shift ([SHTRIH] timeouts)
WAIT_S: Final = 0.1


class Shifts:
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
        """Run an accepted operation.  Raises what the printer raises, after refusing it."""
        status = self._watch.status()
        opens = operation.kind is OperationKind.SHIFT_OPEN
        if opens != (status.shift is Shift.CLOSED):
            code = "SHIFT_OPEN" if opens else "SHIFT_CLOSED"
            problem: dict[str, object] = {
                "remedy": code.lower(),
                "shift_number": status.shift_number,
            }
            self._refuse(operation, OperationState.ACCEPTED, code, problem)
            return
        self._books.begin_operation(operation, intent_from(status, None))
        act = self._printer.open_shift if opens else self._printer.close_shift
        try:
            report = act(operation.cashier, self._within())
        except InDoubt as error:
            log.event(Event.SHIFT_OPERATION_IN_DOUBT, kind=operation.kind, error=str(error))
            self._books.lose_operation(operation)  # the caller waits on: the FN is asked
            return
        except PrinterError as error:
            self._refuse(operation, OperationState.SENT, "PRINTER_REFUSED", problem_of(error))
            raise
        self._finish(operation, OperationState.SENT, report)

    def settle(self, operation: Operation) -> float:
        """Ask the FN about an operation in doubt; returns how long to wait (s)."""
        intent = self._books.find_operation_intent(operation)
        was = OperationState.IN_DOUBT
        match settle_operation(self._printer, operation.kind, intent, self._within()):
            case Made(report):
                self._finish(operation, was, report)
            case Absent():
                problem: dict[str, object] = {"remedy": "operation_did_not_run"}
                self._refuse(operation, was, "PRINTER_REFUSED", problem)
            case AskPerson(remedy, facts):
                # The FN that may have run it is gone: nothing is left to settle for the shift.
                self._refuse(operation, was, "FN_CHANGED", {"remedy": remedy, **facts})
            case _:
                return WAIT_S
        return 0.0

    def _finish(self, operation: Operation, was: OperationState, report: ShiftReport) -> None:
        answer = self._books.finish_operation(operation, was, report, offline=self._offline())
        opened = operation.kind is OperationKind.SHIFT_OPEN
        log.event(
            Event.SHIFT_OPENED if opened else Event.SHIFT_CLOSED, shift=report.shift, fd=report.fd
        )
        self._watch.forget_status()
        if not opened:
            self._store.checkpoint(truncate=True)
        self._tell(operation, answer)

    def _refuse(
        self, operation: Operation, was: OperationState, code: str, problem: dict[str, object]
    ) -> None:
        log.event(Event.SHIFT_OPERATION_REFUSED, kind=operation.kind, code=code, facts=problem)
        self._tell(operation, self._books.refuse_operation(operation, was, code, problem))

    def _tell(self, operation: Operation, answer: Answer) -> None:
        self._waiters.publish(operation.id, answer)

    def _within(self) -> Deadline:
        return Deadline.after_ms(self._clock, OPERATION_MS)
