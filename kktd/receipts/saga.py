"""One receipt at the printer: intent, device, outcome; then the paper.  Settles what was left open.

Runs in the lane's thread.  Every method ends with the database true to what is known of the FN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import FnChanged, InDoubt, NotReady, PrinterError, Refused, Unreachable
from kktd.events import Event
from kktd.model.receipt import Receipt
from kktd.model.states import FiscalState
from kktd.printers.base import FiscalPrinter, Paper, PrinterStatus
from kktd.receipts.answers import Answer, problem_of
from kktd.receipts.books import Books, intent_from, mark_of
from kktd.receipts.health import STATUS_MS, PrinterWatch
from kktd.receipts.settle import Absent, AskPerson, Registered, Verdict, settle_receipt
from kktd.receipts.waiters import Waiters
from kktd.store.receipts import Intent, StoredReceipt
from kktd.trace import Open, Tracing, bound

REGISTER_MS: Final = 90_000  # a whole receipt; each command has its own limit inside
REGISTER_LINE_MS: Final = 200
REGISTER_MARK_MS: Final = 10_000  # a code asked about at a server far away
REGISTER_LINES_MS_MAX: Final = 200_000  # the watchdog waits for a step of the lane no longer
SETTLE_MS: Final = 150_000
PAPER_S: Final = 0.1  # it prints: look again
ASK_S: Final = 2.0  # a person has to act: look again


class Saga:
    """`registered` is called after each receipt that the FN took: delivery may begin."""

    def __init__(
        self,
        printer: FiscalPrinter,
        watch: PrinterWatch,
        books: Books,
        clock: Clock,
        waiters: Waiters,
        registered: Callable[[], None],
        tracing: Tracing,
    ) -> None:
        self._printer = printer
        self._watch = watch
        self._books = books
        self._clock = clock
        self._waiters = waiters
        self._registered = registered
        self._tracing = tracing

    def print(self, stored: StoredReceipt, status: PrinterStatus, *, mark_document: bool) -> None:
        """Register an accepted receipt.  Raises Unreachable or NotReady after giving it back."""
        intent = intent_from(status, mark_of(stored.id) if mark_document else None)
        self._books.begin(stored, intent)
        self.print_begun(stored, intent)

    def print_begun(self, stored: StoredReceipt, intent: Intent) -> None:
        """The same for one whose intent is on disk."""
        with self._tracing.span("print", stored.trace, receipt_id=stored.id) as span:
            self._print_begun(stored, intent, span)

    def _print_begun(self, stored: StoredReceipt, intent: Intent, span: Open) -> None:
        log.event(Event.KKT_PRINT_START, receipt_id=stored.id)
        started_s = self._clock.monotonic_s()
        try:
            document = self._printer.register(
                stored.receipt, intent.mark, self._within(_register_ms(stored.receipt))
            )
        except InDoubt as error:
            span.error = error.code
            log.event(
                Event.KKT_IN_DOUBT,
                till=stored.receipt.pos_id,
                receipt_id=stored.id,
                error=str(error),
            )
            self._books.lose(stored)  # the caller waits on: the next step asks the FN
            return
        except Refused as error:
            span.error = error.code
            log.event(
                Event.KKT_PRINT_REFUSED,
                till=stored.receipt.pos_id,
                receipt_id=stored.id,
                facts=problem_of(error),
            )
            self._watch.note_refusal(problem_of(error)["remedy"])
            self._tell(stored, self._books.refuse(stored, error))
            return
        except (Unreachable, NotReady) as error:
            self._tell(
                stored, self._books.give_back(stored, FiscalState.PRINTING, problem_of(error))
            )
            raise
        printed = self._paper() is Paper.READY
        self._watch.note_document(document)
        self._tell(
            stored, self._books.confirm(stored, FiscalState.PRINTING, document, printed=printed)
        )
        log.event(
            Event.KKT_PRINT_SUCCESS,
            till=stored.receipt.pos_id,
            receipt_id=stored.id,
            duration_ms=round((self._clock.monotonic_s() - started_s) * 1000),
        )
        self._registered()  # after its line, so that the log reads in order

    def declare_doubt(self, printing: list[StoredReceipt]) -> None:
        """Between steps nothing prints: the outcome of one still `printing` was not stored."""
        for stored in printing:
            log.event(
                Event.KKT_IN_DOUBT,
                till=stored.receipt.pos_id,
                receipt_id=stored.id,
                error="the outcome was not stored",
            )
            self._books.lose(stored)

    def settle(self, stored: StoredReceipt) -> float:
        """Ask the FN about a receipt in doubt; returns how long to wait before the next job (s)."""
        with self._tracing.span("settle", stored.trace, receipt_id=stored.id):
            return self._settle(stored)

    def _settle(self, stored: StoredReceipt) -> float:
        match self._verdict(stored):
            case Registered(document):
                answer = self._books.confirm(stored, FiscalState.IN_DOUBT, document, printed=False)
                log.event(
                    Event.KKT_DOUBT_SETTLED,
                    till=stored.receipt.pos_id,
                    receipt_id=stored.id,
                    fd=document.fd,
                )
                self._registered()
            case Absent():
                # Its caller waits on: it prints in the next step, if it is not too old by now.
                self._books.give_back(stored, FiscalState.IN_DOUBT, None)
                log.event(
                    Event.KKT_DOUBT_SETTLED,
                    till=stored.receipt.pos_id,
                    receipt_id=stored.id,
                    fd=None,
                )
                return 0.0
            case AskPerson(remedy, facts):
                if stored.problem != {"remedy": remedy, **facts}:
                    log.event(
                        Event.KKT_DOUBT_ASKS, receipt_id=stored.id, remedy=remedy, facts=facts
                    )
                self._tell(stored, self._books.ask_person(stored, remedy, facts))
                self._watch.blocked(remedy)
                return ASK_S
            case _:
                return PAPER_S
        self._tell(stored, answer)
        return 0.0

    def _verdict(self, stored: StoredReceipt) -> Verdict:
        try:
            status = self._watch.read()
        except FnChanged as error:
            return AskPerson(error.remedy, dict(error.details))
        intent, known = self._books.find_intent(stored)
        by = self._within(SETTLE_MS)
        return settle_receipt(self._printer, status, stored.receipt, intent, known, by)

    def finish_paper(self, unfinished: list[StoredReceipt]) -> float | None:
        """Bring the paper out; returns the wait (s), None when it cannot: somebody must load paper.

        Only the last document can be unfinished: the printer begins none before.
        """
        match self._watch.status().paper:
            case Paper.READY:
                traces = {str(one.id): one.trace for one in unfinished}
                for receipt_id, answer in self._books.finish_paper(unfinished).items():
                    with bound(traces.get(receipt_id)):
                        log.event(Event.KKT_PAPER_FINISHED, receipt_id=receipt_id)
                    self._waiters.publish(receipt_id, answer)
                return 0.0
            case Paper.WAITS_CONTINUE:
                self._printer.continue_print(self._within(STATUS_MS))
                return PAPER_S
            case Paper.PRINTING:
                return PAPER_S
            case Paper.OUT:
                self._tell(unfinished[-1], self._books.wait(unfinished[-1], {"remedy": "paper"}))
                return None

    def print_copy(self, stored: StoredReceipt) -> None:
        """The last receipt once more, marked as a copy; an older one cannot be."""
        printed = False
        if self._books.is_last(stored):
            self._watch.status()  # of another printer the last receipt is another
            try:
                self._printer.print_copy(self._within(STATUS_MS))
                printed = True
            except Refused as error:
                log.event(
                    Event.KKT_PRINT_REFUSED,
                    till=stored.receipt.pos_id,
                    receipt_id=stored.id,
                    facts=problem_of(error),
                )
        self._books.drop_copy(stored, printed=printed)
        body = {"receipt_id": stored.id, "copied": printed}
        if printed:
            log.event(Event.KKT_COPY_PRINTED, receipt_id=stored.id)
            self._tell(stored, Answer(200, body, hint="copy_printed"))
        else:
            self._tell(stored, Answer(409, body, code="TOO_LATE", hint="copy_only_last"))

    def _paper(self) -> Paper:
        """Right after registration; a silent line changes nothing, the next step looks again."""
        try:
            return self._printer.paper(self._within(STATUS_MS))
        except PrinterError:
            return Paper.PRINTING

    def _tell(self, stored: StoredReceipt, answer: Answer) -> None:
        self._waiters.publish(stored.id, answer)

    def _within(self, ms: int) -> Deadline:
        return Deadline.after_ms(self._clock, ms)


def _register_ms(receipt: Receipt) -> int:
    marks = sum(line.mark_code is not None for line in receipt.lines)
    lines_ms = REGISTER_LINE_MS * len(receipt.lines) + REGISTER_MARK_MS * marks
    return REGISTER_MS + min(lines_ms, REGISTER_LINES_MS_MAX)
