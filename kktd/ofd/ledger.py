"""What came of sending one receipt, in the store, the log, the breaker and the pace.

Each outcome is one transaction: status, event and, for one given up, its copy in the DLQ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.ofd.breaker import Breaker
from kktd.ofd.channel import (
    Busy,
    Delivered,
    DeliveryError,
    Misconfigured,
    NotAccepted,
    Throttled,
    Unavailable,
    WrongNumbers,
)
from kktd.ofd.pace import Pace
from kktd.store import dlq, journal, outbox, receipts
from kktd.store.connection import Db
from kktd.store.receipts import StoredReceipt
from kktd.store.store import Store


class Ledger:
    """For the delivery thread."""

    def __init__(
        self,
        store: Store,
        breaker: Breaker,
        pace: Pace,
        clock: Clock,
        server_time_s: Callable[[], int | None],
    ) -> None:
        self._store = store
        self._breaker = breaker
        self._pace = pace
        self._clock = clock
        self._server_time_s = server_time_s

    def book_delivered(
        self,
        stored: StoredReceipt,
        delivered: Delivered,
        duration_s: float,
        also: Callable[[Db], bool],
    ) -> bool:
        """The ОФД has it; on disk when this returns.  `also` shares the transaction."""
        numbers = {"fn": delivered.fn, "fd": str(delivered.fd), "fp": delivered.fp}
        duration_ms = round(duration_s * 1000)
        log.event(
            Event.OFD_SEND_SUCCESS,
            receipt_id=stored.id,
            fiscal_doc=numbers,
            duration_ms=duration_ms,
        )
        self._breaker.succeeded()
        self._pace.note_delivered(stored.id)
        unthrottled = self._pace.throttle.note_went(self._clock.monotonic_s())
        server_time_s = self._server_time_s()
        wall_s = self._clock.wall_s()

        def work(db: Db) -> bool:
            receipts.mark_synced(db, stored.id, int(wall_s), server_time_s)
            journal.append(
                db,
                Event.RECEIPT_SYNCED,
                int(wall_s * 1000),
                receipt_id=stored.id,
                fiscal_doc=numbers,
                duration_ms=duration_ms,
            )
            return also(db)

        result = self._store.write(work)
        if unthrottled:
            log.event(Event.OFD_UNTHROTTLED)
        log.event(
            Event.RECEIPT_SYNCED,
            till=stored.receipt.pos_id,
            receipt_id=stored.id,
            total_duration_ms=max(0, round((wall_s - stored.created_at_s) * 1000)),
            hlc_server_time=server_time_s,
        )
        return result

    def book_failed(
        self, stored: StoredReceipt, error: DeliveryError, rest: Sequence[str]
    ) -> dlq.Reason | None:
        """Give it back, and `rest` with it; or give it up, and answer why."""
        log.event(
            Event.OFD_SEND_FAILED,
            receipt_id=stored.id,
            error=error.reason,
            retry_count=self._pace.failures(stored.id) + 1,
            circuit_failure_count=self._breaker.count_after(error),
        )
        self._breaker.failed(error)
        throttles = isinstance(error, Throttled) and self._pace.throttle.note_refused(
            self._clock.monotonic_s()
        )
        stops = isinstance(error, Misconfigured) and self._pace.stopped is None
        # No connection, 429 and 503 are not the receipt's fault; neither is a wrong token.
        may_count = not isinstance(error, Unavailable | Misconfigured)
        counts = may_count and self._pace.alive_since(stored.id)
        now_ms = int(self._clock.wall_s() * 1000)
        asked: dict[str, Any] = {
            "retry_after_seconds": error.retry_after_s,
            "gap_seconds": self._pace.throttle.gap_s,
        }

        def work(db: Db) -> tuple[int, dlq.Reason | None]:
            counted = receipts.note_delivery_error(db, stored.id, error.reason, counts=counts)
            reason = self._why_give_up(stored.id, error, counted if counts else 0)
            if reason is not None:
                dlq.move(db, stored.id, reason, now_ms)
            outbox.give_back(db, rest if reason else [stored.id, *rest])
            if stops:
                journal.append(db, Event.OFD_STOPPED, now_ms, reason=error.reason)
            if throttles:
                journal.append(db, Event.OFD_THROTTLED, now_ms, **asked)
            return counted, reason

        counted, reason = self._store.write(work)
        if stops:
            log.event(Event.OFD_STOPPED, reason=error.reason)
        if throttles:
            log.event(Event.OFD_THROTTLED, **asked)
        self._set_pace(stored.id, error, exhausted=counted >= self._pace.rules.attempts_max)
        if reason is not None:
            self._pace.forget(stored.id)
            log.event(
                Event.RECEIPT_FAILED,
                till=stored.receipt.pos_id,
                receipt_id=stored.id,
                reason=reason,
                retry_attempts=counted,
                error=error.reason,
            )
        return reason

    def _why_give_up(
        self, receipt_id: str, error: DeliveryError, counted: int
    ) -> dlq.Reason | None:
        """Contract 2.4: no outage, however long, moves a receipt to the DLQ."""
        if isinstance(error, WrongNumbers):
            return dlq.Reason.WRONG_NUMBERS
        if counted < self._pace.rules.attempts_max:
            return None
        # Pings may be answered while no receipt is: then another has to get through first.
        proven = isinstance(error, NotAccepted) or self._pace.delivered_since(receipt_id)
        return dlq.Reason.MAX_RETRIES if proven else None

    def _set_pace(self, receipt_id: str, error: DeliveryError, *, exhausted: bool) -> None:
        now_s = self._clock.monotonic_s()
        match error:
            case NotAccepted():
                self._pace.note_refused(receipt_id, now_s)
            case Misconfigured():
                self._pace.note_stopped(receipt_id, now_s, error.reason)
            case Busy():
                self._pace.note_busy(receipt_id, now_s, error.retry_after_s)
            case _:
                self._pace.note_no_answer(receipt_id, now_s, exhausted=exhausted)
