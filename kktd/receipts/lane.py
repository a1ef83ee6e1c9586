"""The lane of one printer: its only caller.  One job a step, in an order that is safe.

`step(now) -> next_due`: no thread and no waiting of its own, so that a simulation can drive it.
Doubt holds the lane: nothing is sent while the fate of an earlier document is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final

from kktd.clock import Clock
from kktd.errors import PrinterError, StaleState
from kktd.model.device import FIRST_PRINTER
from kktd.model.states import FiscalState, OperationState
from kktd.printers.base import FiscalPrinter, Paper, PrinterStatus, Shift
from kktd.receipts.answers import SyncAt, never, operation_answer
from kktd.receipts.books import Books, intent_from, mark_of
from kktd.receipts.clock_check import ClockCheck
from kktd.receipts.doubts import Doubts
from kktd.receipts.handover import Handover
from kktd.receipts.health import LaneHealth, PrinterWatch
from kktd.receipts.identity import Identity
from kktd.receipts.inquiries import Inquiries
from kktd.receipts.operations import Operations
from kktd.receipts.recount import Recount
from kktd.receipts.saga import Saga
from kktd.receipts.waiters import Waiters
from kktd.store import operations, receipts
from kktd.store.connection import Db
from kktd.store.operations import Operation, OperationKind
from kktd.store.receipts import Intent, StoredReceipt
from kktd.store.store import Store
from kktd.trace import Tracing

PROBE_S: Final = 1.5  # idle: is it there, is paper back; re-plugged, it is ready within 2 s
RETRY_S: Final = 1.0  # it was away or not ready
AGAIN_S: Final = 0.1  # it was there a moment ago: the line may lead elsewhere by now
FN_READ_S: Final = 60.0  # idle: what the FN holds back for the ОФД


@dataclass(frozen=True, slots=True)
class LaneRules:
    """The settings the lane reads; swapped whole between steps."""

    auto_print_s: int
    open_shift_on_sale: bool
    mark_documents: bool
    fn_read_s: float = FN_READ_S


@dataclass(frozen=True, slots=True)
class Work:
    """Everything unfinished at the printer, in one snapshot."""

    receipts: list[StoredReceipt]
    operations: list[Operation]
    copies: list[StoredReceipt]

    def in_state(self, state: FiscalState) -> list[StoredReceipt]:
        return [stored for stored in self.receipts if stored.state is state]


class Lane:
    """Owns `printer`.  `step` runs in one thread; `health` may be read from any."""

    def __init__(
        self,
        printer: FiscalPrinter,
        store: Store,
        clock: Clock,
        waiters: Waiters,
        rules: LaneRules,
        *,
        offline: Callable[[], bool],
        registered: Callable[[], None],
        name: str = FIRST_PRINTER,
        pos_ids: tuple[str, ...] = (),
        wake: Callable[[], None] = lambda: None,
        sync_at: SyncAt = never,
        zone: tzinfo = UTC,
        status_read: Callable[[PrinterStatus], None] = lambda _: None,
        tracing: Tracing | None = None,
    ) -> None:
        """`pos_ids` are the tills it prints for; `wake` lets its worker look again at once.

        `zone`: in which the printer shows its time.
        """
        self.name, self.pos_ids, self.wake = name, pos_ids, wake
        self._printer = printer
        self._store = store
        self._clock = clock
        self._waiters = waiters
        self._books = Books(store, clock, sync_at, name)
        self.handover = Handover()  # the desk's too
        self.identity = Identity(store, clock, name)
        self.inquiries = Inquiries(clock)
        self._watch = PrinterWatch(
            printer, clock, self.identity, ClockCheck(store, clock, zone, name), status_read, name
        )
        self._saga = Saga(
            printer,
            self._watch,
            self._books,
            clock,
            waiters,
            registered,
            tracing or Tracing(clock),
        )
        self._operations = Operations(
            printer, self._watch, self._books, store, clock, waiters, offline
        )
        self.doubts = Doubts(store, self._books, waiters, lambda: self.health, registered)
        self._recount = Recount(printer, store, clock, name)
        self.rules = rules
        self._next_rules: LaneRules | None = None
        self._wound_up_for: object | None = None  # the call of `wind_up` that found nothing left
        self._winding_up: object | None = None

    @property
    def health(self) -> LaneHealth:
        return self._watch.health

    def use(self, rules: LaneRules) -> None:
        """From the next step on: a receipt under way sees one set of them."""
        self._next_rules = rules

    def wind_up(self) -> None:
        """Begin nothing; finish what is begun, the paper of what is registered, settle doubts."""
        self._winding_up = object()
        self.wake()

    def go_on(self) -> None:
        """As before `wind_up`."""
        self._winding_up = None
        self.wake()

    @property
    def wound_up(self) -> bool:
        """Nothing is left that was stored before the last `wind_up`."""
        return self._winding_up is not None and self._wound_up_for is self._winding_up

    def close(self) -> None:
        """Let go of the port."""
        self._printer.close()

    def step(self, now_s: float) -> float:
        """Do the next job; returns when to look again (monotonic s)."""
        if self._next_rules is not None:
            self.rules, self._next_rules = self._next_rules, None
        try:
            wait_s = self._next_job(now_s)
        except StaleState:
            wait_s = 0.0  # a caller moved it between our read and our write: look again
        except PrinterError as error:
            wait_s = AGAIN_S if self._watch.health.ready else RETRY_S
            self._tell_waiting(self._watch.lost(error))
        if wait_s > 0 and self.inquiries.answer(self._printer):
            wait_s = 0.0
        return self._clock.monotonic_s() + wait_s

    def _next_job(self, now_s: float) -> float:
        winding_up = self._winding_up  # before the look at what there is
        self.handover.offer(None)
        if self._recount.waits:
            self._recount.prepare(self._watch.status(), marks=self.rules.mark_documents)
        work = self._store.read(self._find_work)
        printing = work.in_state(FiscalState.PRINTING)
        self._saga.declare_doubt([one for one in printing if self.handover.find(one.id) is None])
        for stored in work.in_state(FiscalState.IN_DOUBT):
            return self._saga.settle(stored)
        for operation in work.operations:
            if operation.state is OperationState.IN_DOUBT:
                return self._operations.settle(operation)
        if self._recount.waits and winding_up is None:
            return self._recount.step(self._watch.status())
        if unfinished := work.in_state(FiscalState.REGISTERED):
            wait_s = self._saga.finish_paper(unfinished)
            if wait_s is None:
                self._tell_waiting({"remedy": "paper"})
                return RETRY_S
            return wait_s
        if winding_up is not None:
            return self._wind_up(work, winding_up)
        return self._run_waiting(work, now_s)

    def _wind_up(self, work: Work, asked: object) -> float:
        """What was begun is printed; those who wait for the rest are told how it stands."""
        for stored in work.in_state(FiscalState.PRINTING):
            if (intent := self.handover.find(stored.id)) is not None:
                self._print_begun(stored, intent)
                return 0.0
        if self._wound_up_for is not asked:
            self._tell_waiting({"remedy": "winding_up"})
            self._wound_up_for = asked
        return PROBE_S

    def _run_waiting(self, work: Work, now_s: float) -> float:
        """Copies, shift openings, what a person stands and waits for, receipts, then Z-reports."""
        for stored in work.copies:
            self._saga.print_copy(stored)
            return 0.0
        for operation in work.operations:
            if operation.kind is OperationKind.SHIFT_OPEN:
                self._operations.run(operation)
                return 0.0
        for stored in work.in_state(FiscalState.PRINTING):
            if (intent := self.handover.find(stored.id)) is not None:
                self._print_begun(stored, intent)
                return 0.0
        for operation in work.operations:
            if operation.kind is not OperationKind.Z_REPORT:
                self._operations.run(operation)
                return 0.0
        for stored in work.in_state(FiscalState.ACCEPTED):
            if stored.held:
                continue
            if self._too_old(stored):
                self._waiters.publish(stored.id, self._books.hold(stored))
                return 0.0
            return self._print(stored, work.operations)
        for operation in work.operations:
            self._operations.run(operation)
            return 0.0
        if now_s - self._watch.read_at_s >= PROBE_S:
            self._watch.status()
        self._offer()
        if now_s - self._watch.fn_read_at_s >= self.rules.fn_read_s:
            self._watch.read_fn()
        return PROBE_S

    def _offer(self) -> None:
        """Nothing is left to do: the next receipt may be stored as begun."""
        health, marks = self._watch.health, self.rules.mark_documents
        status = health.status
        if status is None or not health.ready:
            return
        if status.shift is Shift.OPEN and status.paper is Paper.READY:
            self.handover.offer(
                lambda receipt_id: intent_from(status, mark_of(receipt_id) if marks else None)
            )

    def _print_begun(self, stored: StoredReceipt, intent: Intent) -> None:
        """If the printer is still as its intent says; else nothing was sent, and it waits again."""
        try:
            status = self._watch.status()
        except PrinterError:
            self._give_back(stored)
            raise
        may_print = status.shift is Shift.OPEN and status.paper is not Paper.OUT
        unchanged = intent == intent_from(status, intent.mark)
        if not may_print or not unchanged or self._too_old(stored):
            self._give_back(stored)
            return
        self.handover.drop(stored.id)  # from here on only the FN knows
        self._saga.print_begun(stored, intent)

    def _give_back(self, stored: StoredReceipt) -> None:
        """Begun and never sent: it waits as if accepted alone."""
        self._books.give_back(stored, FiscalState.PRINTING, None)
        self.handover.drop(stored.id)

    def _print(self, stored: StoredReceipt, waiting: list[Operation]) -> float:
        status = self._watch.status()
        if status.paper is Paper.OUT:
            self._tell_waiting({"remedy": "paper"})
            return RETRY_S
        if status.shift is Shift.OPEN:
            self._saga.print(stored, status, mark_document=self.rules.mark_documents)
            return 0.0
        if status.shift is Shift.CLOSED and self.rules.open_shift_on_sale:
            return self._open_shift(stored)
        remedy = "shift_expired" if status.shift is Shift.EXPIRED else "shift_closed"
        self._waiters.publish(stored.id, self._books.wait(stored, {"remedy": remedy}))
        for operation in waiting:  # the Z-report that would let it print
            self._operations.run(operation)
            return 0.0
        return RETRY_S

    def _open_shift(self, stored: StoredReceipt) -> float:
        """For the first sale; where it is refused the sale waits, and asks again in a second."""
        opening = self._books.accept_shift_opening(stored)
        self._operations.run(opening)
        opening = self._store.read(lambda db: operations.find(db, opening.id))
        if opening.state is not OperationState.REFUSED:
            return 0.0
        problem = {"remedy": (opening.result or {}).get("remedy")}
        self._waiters.publish(stored.id, self._books.wait(stored, problem))
        return RETRY_S

    def _too_old(self, stored: StoredReceipt) -> bool:
        """By the wall clock, which outlives a restart; one that went back means old."""
        since_s = stored.print_asked_at_s or stored.created_at_s
        age_s = self._clock.wall_s() - since_s
        return not -1 <= age_s <= self.rules.auto_print_s

    def _tell_waiting(self, problem: dict[str, Any]) -> None:
        """Nobody waits for a printer that is not there: tell each caller how it stands."""
        work = self._store.read(self._find_work)
        for stored in work.in_state(FiscalState.ACCEPTED):
            if not stored.held:
                self._waiters.publish(stored.id, self._books.wait(stored, problem))
        for operation in work.operations:
            if operation.state is OperationState.ACCEPTED:
                self._waiters.publish(operation.id, operation_answer(operation))

    def _find_work(self, db: Db) -> Work:
        return Work(
            receipts.find_at_printer(db, self.name),
            operations.find_open(db, self.name),
            receipts.find_copies_asked(db, self.name),
        )
