"""The desk: what the API asks of the till.  It stores requests; the lane prints.

Nothing here talks to a device: every call is one transaction or one read.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Final

from kktd import log
from kktd.clock import Clock, HybridClock
from kktd.errors import (
    NotNow,
    RecordsMissing,
    ShuttingDown,
    TooLate,
    UnknownPos,
)
from kktd.events import Event
from kktd.model.receipt import Original, PaymentMethod, Receipt, ReceiptType
from kktd.model.states import IN_FN, FiscalState, Step
from kktd.receipts import pause, refunds
from kktd.receipts.admission import (
    DeskLane,
    DeskRules,
    LaneOf,
    check_may_operate,
    check_may_sell,
)
from kktd.receipts.answers import (
    Answer,
    QueuePlace,
    SyncAt,
    Ticket,
    never,
    operation_answer,
    receipt_answer,
)
from kktd.receipts.handover import Handover
from kktd.receipts.refunds import Odoo, Verdict
from kktd.receipts.waiters import Waiters
from kktd.store import buffer, journal, keys, lanes, operations, receipts, traces
from kktd.store.connection import Db
from kktd.store.operations import Request
from kktd.store.receipts import StoredReceipt
from kktd.store.refunds import find_original
from kktd.store.store import Store
from kktd.trace import Trace, current_trace

By = Mapping[str, str]
"""Who asks, for the journal: `user` and `role`."""

NOBODY: Final[By] = {}  # the till itself


class Desk:
    """Thread-safe.  Whatever concerns a printer is asked of the lane of the receipt's till."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        hlc: HybridClock,
        waiters: Waiters,
        rules: DeskRules,
        lane_of: LaneOf,
        sync_at: SyncAt = never,
        bar: Callable[[], NotNow | None] = lambda: None,
        power_low: Callable[[], bool] = lambda: False,
    ) -> None:
        """`bar`: what keeps the whole box from selling besides what the rows here say.

        `power_low`: the battery ends; then nothing at all is taken.
        """
        self._bar = bar
        self._power_low = power_low
        self._lane_of = lane_of
        self._sync_at = sync_at
        self._store = store
        self._clock = clock
        self._hlc = hlc
        self._waiters = waiters
        self.rules = rules
        self._closing = False

    def close(self) -> None:
        """Take nothing new; what is under way goes on."""
        self._closing = True

    # ---- receipts ---------------------------------------------------------------------------

    def accept(
        self,
        receipt: Receipt,
        key: str | None,
        digest: bytes,
        *,
        supervised: bool = False,
        testing: bool = False,
        odoo: Odoo = Odoo.AWAY,
        by: By = NOBODY,
    ) -> Ticket:
        """Store a new receipt with its key, or find what the key stands for.

        `odoo`: what it knows of a refund's original.  `supervised`: a supervisor asks.  `by`: who.
        `testing`: an engineer, who may sell during maintenance to see whether the till works again.

        On return the receipt is on disk.  Raises KeyReused, InProgress, BufferFull, UnknownPos,
        PrinterUnavailable, ShiftClosed, ShiftExpired, Maintenance, ShuttingDown, StoreUnavailable,
        of a refund also Invalid, RefundNotSynced, NotEnoughCash: nothing is.
        """
        lane, trace = self._lane_of(receipt.pos_id), current_trace()
        waiter = self._waiters.join(receipt.id)

        def work(db: Db) -> Ticket:
            return self._accept(
                db,
                lane,
                receipt,
                key,
                digest,
                odoo,
                trace,
                by,
                supervised=supervised,
                testing=testing,
            )

        try:
            ticket = self._store.write(work)
        except BaseException:
            if lane is not None:
                lane.handover.drop(receipt.id)
            self._waiters.leave(receipt.id, waiter)
            raise
        if ticket.id != receipt.id:
            self._waiters.leave(receipt.id, waiter)
            return self._follow(ticket)
        ticket.waiter = waiter
        hlc, size = ticket.facts["hlc"], ticket.facts["buffer_size"]
        log.event(Event.RECEIPT_CREATE, receipt_id=receipt.id, pos_id=receipt.pos_id, hlc=hlc)
        log.event(Event.BUFFER_INSERT, receipt_id=receipt.id, buffer_size=size, hlc_stored=True)
        if lane is not None:
            lane.wake()
        return ticket

    def _accept(
        self,
        db: Db,
        lane: DeskLane | None,
        receipt: Receipt,
        key: str | None,
        digest: bytes,
        odoo: Odoo,
        trace: Trace | None,
        by: By,
        *,
        supervised: bool,
        testing: bool,
    ) -> Ticket:
        known = keys.find(db, key, digest) if key else None
        if known is not None and known.receipt_id:
            answer = Answer.from_stored(known.answer) if known.answer else None
            return Ticket(known.receipt_id, receipt.pos_id, answer, replayed=True)
        if known is not None:
            raise RecordsMissing("the row of this key was lost", remedy="record_lost")
        now_s = self._clock.wall_s()
        if not testing:
            pause.check(db, now_s)
        if (bar := self._bar()) is not None:
            raise bar
        lane = self._open_lane(lane, receipt.pos_id)
        count = lanes.count(db, lane.name)
        check_may_sell(self.rules, lane, count, testing=testing)
        if receipt.type is ReceiptType.REFUND:
            receipt = refunds.admit(db, receipt, lane.pos_ids, odoo, supervised=supervised)
        elif receipt.gives_back:
            refunds.check_cash(db, receipt, lane.pos_ids)
        stamp = self._hlc.tick()
        receipts.accept(db, receipt, stamp, now_s, lane.name)
        if trace is not None:
            traces.keep(db, receipt.id, trace)
        if key:
            keys.claim(db, key, digest, int(now_s), receipt_id=receipt.id)
        if count.waiting == 0:
            _begin(db, lane.handover, receipt, int(now_s))
        size = count.queued + 1
        journal.append(
            db, Event.BUFFER_INSERT, self._now_ms(), receipt_id=receipt.id, buffer_size=size, **by
        )
        facts = {"hlc": stamp.as_json(), "buffer_size": size}
        return Ticket(receipt.id, receipt.pos_id, facts=facts)

    def _open_lane(self, lane: DeskLane | None, pos_id: str) -> DeskLane:
        """Raises ShuttingDown, UnknownPos."""
        if self._power_low():
            raise ShuttingDown("the battery ends", remedy="battery_ends")
        if self._closing:
            raise ShuttingDown("the till is shutting down")
        if lane is None:
            raise UnknownPos("this till does not serve that pos_id", pos_id=pos_id)
        return lane

    def _follow(self, ticket: Ticket) -> Ticket:
        """A repeat: the stored answer, the present state of doubt, or a place beside the first."""
        if ticket.answer is not None:
            return ticket
        ticket.waiter = self._waiters.join(ticket.id)
        stored = self.find(ticket.id)
        answer = self.answer(stored)
        if answer.final or stored.held or stored.state is FiscalState.IN_DOUBT:
            self._waiters.leave(ticket.id, ticket.waiter)
            ticket.waiter = None
            ticket.answer = answer
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """The caller waits no longer."""
        if ticket.waiter is not None:
            self._waiters.leave(ticket.id, ticket.waiter)

    def find(self, receipt_id: str) -> StoredReceipt:
        """Raises NotFound."""
        return self._store.read(lambda db: receipts.find(db, receipt_id))

    def answer(self, stored: StoredReceipt) -> Answer:
        """The answer to its POST in its present state."""
        place = self._store.read(lambda db: queue_place(db, stored, self._sync_at))
        return receipt_answer(stored, place)

    def knows(self, original: Original) -> bool:
        """Whether this till ever had it."""
        return self._store.read(lambda db: find_original(db, original) is not None)

    def check_refund(self, original: Original, odoo: Odoo, *, supervised: bool) -> Verdict:
        """Whether a refund of it would be taken now; raises Invalid if it is no registered sale."""
        return self._store.read(
            lambda db: refunds.check_original(db, original, odoo, supervised=supervised)
        )

    def cancel(self, receipt_id: str) -> StoredReceipt:
        """Withdraw a receipt that was not sent; raises NotFound, TooLate."""

        def work(db: Db) -> StoredReceipt:
            stored = receipts.find(db, receipt_id)
            if stored.state is FiscalState.CANCELLED:
                return stored
            if stored.state is not FiscalState.ACCEPTED:
                raise TooLate("it was sent to the printer", print_state=stored.state)
            receipts.advance(db, receipt_id, Step.CANCEL, stored.state)
            cancelled = receipts.find(db, receipt_id)
            answer = receipt_answer(cancelled, None)
            keys.store_receipt_answer(db, receipt_id, answer.status, answer.as_stored())
            journal.append(db, Event.RECEIPT_CANCELLED, self._now_ms(), receipt_id=receipt_id)
            return cancelled

        cancelled = self._store.write(work)
        log.event(Event.RECEIPT_CANCELLED, till=cancelled.receipt.pos_id, receipt_id=receipt_id)
        self._waiters.publish(receipt_id, receipt_answer(cancelled, None))
        return cancelled

    def print_again(self, receipt_id: str) -> Ticket:
        """«Повторить печать»: release what was never sent, ask for a copy of what the FN holds.

        Raises NotFound, TooLate (refused or cancelled), NotEnoughCash.  Never a second document.
        """
        waiter = self._waiters.join(receipt_id)
        try:
            stored = self._store.write(lambda db: self._release(db, receipt_id))
        except BaseException:
            self._waiters.leave(receipt_id, waiter)
            raise
        pos_id = stored.receipt.pos_id
        if (lane := self._lane_of(pos_id)) is not None:
            lane.wake()
        return Ticket(receipt_id, pos_id, waiter=waiter, replayed=stored.state in IN_FN)

    def _release(self, db: Db, receipt_id: str) -> StoredReceipt:
        stored = receipts.find(db, receipt_id)
        if stored.state in (FiscalState.REFUSED, FiscalState.CANCELLED):
            raise TooLate("it is finished", print_state=stored.state)
        if stored.state is FiscalState.ACCEPTED:
            if stored.receipt.type is ReceiptType.REFUND:  # it may have waited into another shift
                lane = self._lane_of(stored.receipt.pos_id)
                tills = lane.pos_ids if lane else (stored.receipt.pos_id,)
                reserved = stored.receipt.applied(PaymentMethod.CASH)
                refunds.check_cash(db, stored.receipt, tills, reserved=reserved)
            receipts.release(db, receipt_id, self._clock.wall_s())
        elif stored.state is FiscalState.PRINTED:
            receipts.ask_paper(db, receipt_id, self._clock.wall_s())
        return receipts.find(db, receipt_id)

    # ---- operations -------------------------------------------------------------------------

    def operate(
        self, asked: Request, pos_id: str, key: str | None, digest: bytes, by: By = NOBODY
    ) -> Ticket:
        """Store an operation, which is anything but a receipt; the lane runs it.

        Raises KeyReused, InProgress, UnknownPos, DoubtOpen (Z), ShiftClosed and NotEnoughCash
        (cash), ShuttingDown: nothing is stored.
        """
        operation_id = str(uuid.uuid4())
        found = self._lane_of(pos_id)

        def work(db: Db) -> Ticket:
            known = keys.find(db, key, digest) if key else None
            if known is not None and known.operation_id:
                answer = Answer.from_stored(known.answer) if known.answer else None
                return Ticket(known.operation_id, pos_id, answer, replayed=True)
            lane = self._open_lane(found, pos_id)
            check_may_operate(db, lane, asked)
            now_s = int(self._clock.wall_s())
            operations.accept(db, operation_id, pos_id, asked, now_s, lane.name)
            if by:
                facts = {"operation": asked.kind, "operation_id": operation_id, **by}
                journal.append(db, Event.PERSON_ASKED, self._now_ms(), **facts)
            if key:
                keys.claim(db, key, digest, now_s, operation_id=operation_id)
            return Ticket(operation_id, pos_id)

        waiter = self._waiters.join(operation_id)
        try:
            ticket = self._store.write(work)
        except BaseException:
            self._waiters.leave(operation_id, waiter)
            raise
        if ticket.id != operation_id:
            self._waiters.leave(operation_id, waiter)
            if ticket.answer is None:
                ticket.waiter = self._waiters.join(ticket.id)
                answer = self.operation_answer(ticket.id)
                if answer.final:
                    self.leave(ticket)
                    ticket.answer, ticket.waiter = answer, None
            return ticket
        ticket.waiter = waiter
        if found is not None:
            found.wake()
        return ticket

    def operation_answer(self, operation_id: str) -> Answer:
        """In its present state; raises NotFound."""
        return operation_answer(self._store.read(lambda db: operations.find(db, operation_id)))

    def _now_ms(self) -> int:
        return int(self._clock.wall_s() * 1000)


def _begin(db: Db, handover: Handover, receipt: Receipt, now_s: int) -> None:
    """Store the intent in the same transaction if the lane is idle (receipts/handover.py)."""
    intent = handover.take(receipt.id)
    if intent is None:
        return
    if receipts.find_known_documents(db, intent.fn, intent.last_fd):
        handover.drop(receipt.id)  # the FN counts backwards: the lane refuses it
        return
    receipts.begin_printing(db, receipt.id, intent, now_s)


def queue_place(db: Db, stored: StoredReceipt, sync_at: SyncAt) -> QueuePlace | None:
    """Where it stands among those on their way to the ОФД; None when it is not among them."""
    total = buffer.count_queued(db)
    ahead = buffer.count_ahead(db, stored)
    return None if ahead is None else QueuePlace(ahead + 1, total, sync_at(ahead + 1))
