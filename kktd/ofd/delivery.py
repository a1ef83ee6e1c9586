"""Delivery of registered receipts to the ОФД (§5.4 phase 2): order, waits, breaker, DLQ, lock.

`step(now) -> next_due` sends at most one receipt or one ping and never waits.  What the ОФД
acknowledged is on disk before the next receipt leaves.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import LeaseHeld, NoNetwork
from kktd.events import Event
from kktd.model.states import CircuitState
from kktd.ofd import batch, runs
from kktd.ofd.breaker import Breaker, CircuitChange
from kktd.ofd.channel import (
    Delivered,
    DeliveryError,
    NotAccepted,
    OfdChannel,
    Throttled,
)
from kktd.ofd.ledger import Ledger
from kktd.ofd.lock import LeaseAlone, SharedLock
from kktd.ofd.pace import Pace
from kktd.ofd.reports import DeliverySnapshot, LastSync, SyncJob
from kktd.ofd.runs import Job, Run, Trigger
from kktd.store import journal, leases, outbox
from kktd.store.connection import Db
from kktd.store.leases import Boot
from kktd.store.receipts import StoredReceipt
from kktd.store.store import Store
from kktd.trace import Tracing

LEASE_LOOK_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """`batch`: receipts taken at once; `interval_s`: a look at the queue that nothing woke."""

    timeout_ms: int = 10_000
    interval_s: float = 300.0
    batch: int = 20


class Delivery:
    """One worker thread calls `step` and `close`; any thread the rest."""

    def __init__(
        self,
        store: Store,
        channel: OfdChannel,
        breaker: Breaker,
        pace: Pace,
        clock: Clock,
        boot: Boot,
        pos_id: str,
        rules: DeliveryRules,
        *,
        shared_lock: SharedLock | None = None,
        wake_worker: Callable[[], None] = lambda: None,
        server_time_s: Callable[[], int | None] = lambda: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._store = store
        self._channel = channel
        self._breaker = breaker
        self._pace = pace
        self._clock = clock
        self._boot = boot
        self._pos_id = pos_id
        self.rules = rules
        self._shared_lock = shared_lock or LeaseAlone()
        self._wake_worker = wake_worker
        self._tracing = tracing or Tracing(clock)
        self._ledger = Ledger(store, breaker, pace, clock, server_time_s)
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._woken = False
        self._afresh = False
        self._run: Run | None = None
        self._batch: deque[StoredReceipt] = deque()
        self._last_sync: LastSync | None = None
        breaker.subscribe(self._note_circuit)

    # ---- for other threads ------------------------------------------------------------------

    def wake(self) -> None:
        """A receipt was registered."""
        self._woken = True
        self._wake_worker()

    def settings_changed(self) -> None:
        """Another token, address or limit: forget every wait and try at once."""
        self._afresh = True
        self._wake_worker()

    def request_sync(self, user: str, *, force: bool) -> SyncJob:
        """Start a sync; `force` ignores backoff and interval, not what the ОФД asked for.

        Raises NoNetwork while the circuit is open (its one probe goes when it is due), LeaseHeld
        with `lock_id` and `held_by` while a sync runs.
        """
        now_s = self._clock.monotonic_s()
        wait_s = self._breaker.next_attempt_s - now_s
        if self._breaker.state is CircuitState.OPEN and wait_s > 0:
            raise NoNetwork("the ОФД was not reached", retry_after_seconds=math.ceil(wait_s))
        run = runs.new_run(self._pos_id, Trigger.MANUAL, now_s, self._clock.wall_s())
        run.announced = True
        pending = self._store.read(outbox.count)
        runs.log_start(run, pending, user)

        def work(db: Db) -> None:
            leases.acquire(db, run.lease, self._boot, self._ttl_ms)
            runs.announce(db, run, pending, self._now_ms())

        try:
            self._store.write(work)
            self._hold_or_release(run)
        except LeaseHeld as error:
            runs.log_conflict(error)
            log.event(Event.SYNC_REJECTED, reason="already_in_progress", http_status=409)
            raise
        runs.log_locked(run)
        with self._lock:
            self._job = Job(run, force)
        self._wake_worker()
        return SyncJob(str(uuid.uuid4()), pending, runs.estimate_s(pending))

    def snapshot(self) -> DeliverySnapshot:
        run, now_s = self._run, self._clock.monotonic_s()
        return DeliverySnapshot(
            self._last_sync,
            now_s - run.began_s if run else None,
            self._pace.stopped,
            self._pace.throttle.is_on(now_s),
        )

    # ---- the worker -------------------------------------------------------------------------

    def step(self, now_s: float) -> float:
        """Send one receipt or one ping if any may go; when to be called again (monotonic s)."""
        try:
            return self._step(now_s)
        except Exception:
            # What was taken stays `syncing` on disk and is found there again.
            self._batch.clear()
            raise

    def close(self) -> None:
        """After the last step: give back what was taken, let go of lease and connection."""
        with self._lock:
            job, self._job = self._job, None
        if job is not None and self._run is None:
            self._run = job.run
        try:
            self._give_back()
            self._end_run()
        finally:
            self._channel.close()

    def _step(self, now_s: float) -> float:
        self._take_orders()
        state = self._breaker.state
        may_s = self._pace.may_send_s(circuit_closed=state is CircuitState.CLOSED)
        if state is CircuitState.OPEN:
            may_s = max(may_s, self._breaker.next_attempt_s)
        if may_s > now_s:
            self._end_run()
            return may_s
        if state is CircuitState.OPEN:
            self._probe()
            return self._clock.monotonic_s()
        try:
            if not self._batch and not self._fill(now_s):
                return self._idle(now_s)
            if self._run is not None:
                runs.keep_shared(self._run, self._shared_lock, now_s, self._ttl_ms)
        except LeaseHeld as error:
            # A manual sync that just began wakes us with its lease; a dead owner's runs out.
            runs.log_conflict(error)
            self._give_back()
            self._end_run()
            return now_s + LEASE_LOOK_S
        if (gap_ends_s := self._pace.throttle.next_s) > now_s:
            return gap_ends_s
        stored = self._batch.popleft()
        if self._pace.wants_ping(stored.id):
            self._batch.appendleft(stored)
            self._ask_life(stored)
        else:
            self._send(stored)
        return self._clock.monotonic_s()

    def _take_orders(self) -> None:
        """What other threads asked for since the last step."""
        with self._lock:
            job, self._job = self._job, None
            afresh, self._afresh = self._afresh, False
        if afresh:
            self._pace.hurry(also_asked=True)
        if job is not None:
            self._end_run()  # one whose lease ran out while a call was under way
            self._run = job.run
            if job.force:
                self._pace.hurry(also_asked=False)

    def _probe(self) -> None:
        """The rest is over: HALF_OPEN, the ping first; a receipt follows in the next step."""
        self._breaker.begin_probe()
        try:
            self._channel.ping(self._deadline())
        except DeliveryError as error:
            self._breaker.failed(error)
            if isinstance(error, Throttled):
                self._pace.note_asked(self._clock.monotonic_s(), error.retry_after_s)
        else:
            self._pace.note_ping()

    def _ask_life(self, stored: StoredReceipt) -> None:
        """A ping before a refused receipt goes again: only then does its next refusal count."""
        try:
            self._channel.ping(self._deadline())
        except DeliveryError:
            self._pace.set_back(stored.id, self._clock.monotonic_s())
            self._batch.popleft()
            self._store.write(lambda db: outbox.give_back(db, [stored.id]))
        else:
            self._pace.note_ping()

    def _fill(self, now_s: float) -> bool:
        """Take the next batch and the lease (or LeaseHeld); False when nothing may go."""
        closed = self._breaker.state is CircuitState.CLOSED
        limit = self.rules.batch if closed else 1
        found, pending = self._store.read(
            lambda db: batch.find(db, self._channel, self._pace, limit, now_s)
        )
        if not found:
            return False
        run = self._run or self._new_run(now_s)
        self._shared_lock.hold(run.lease, self._ttl_ms)
        announces = not run.announced and closed and pending > 1

        def take(db: Db) -> None:
            leases.acquire(db, run.lease, self._boot, self._ttl_ms)
            outbox.take(db, found)
            if announces:
                runs.announce(db, run, pending, self._now_ms())

        self._store.write(take)
        if announces:
            run.announced = True
            runs.log_start(run, pending)
            runs.log_locked(run)
        run.renewed_s = run.shared_s = now_s
        self._run = run
        self._batch.extend(found)
        return True

    def _hold_or_release(self, run: Run) -> None:
        """The shared lock for a lease that is taken; raises LeaseHeld, and the lease is free."""
        try:
            self._shared_lock.hold(run.lease, self._ttl_ms)
        except LeaseHeld:
            self._store.write(lambda db: leases.release(db, run.lease))
            raise

    def _new_run(self, now_s: float) -> Run:
        trigger = Trigger.ONLINE if self._woken else Trigger.SCHEDULED
        self._woken = False
        return runs.new_run(self._pos_id, trigger, now_s, self._clock.wall_s())

    def _idle(self, now_s: float) -> float:
        if self._breaker.state is CircuitState.HALF_OPEN:
            self._breaker.succeeded()  # nothing to probe with: the ping has to do
        self._end_run()
        self._woken = False
        return min(self._pace.next_due_s(now_s), now_s + self.rules.interval_s)

    # ---- one receipt ------------------------------------------------------------------------

    def _send(self, stored: StoredReceipt) -> None:
        with self._tracing.span("deliver", stored.trace, receipt_id=stored.id) as span:
            circuit = self._breaker.state
            log.event(
                Event.CIRCUIT_CHECK,
                circuit_state=circuit,
                failure_count=self._breaker.failure_count,
            )
            probe = {"is_probe": True} if circuit is CircuitState.HALF_OPEN else {}
            till = stored.receipt.pos_id
            log.event(Event.OFD_SEND_START, level=None, till=till, receipt_id=stored.id, **probe)
            began_s = self._clock.monotonic_s()
            assert stored.document is not None  # noqa: S101 - the query asks for a document
            try:
                delivered = self._channel.send(stored.receipt, stored.document, self._deadline())
            except DeliveryError as error:
                span.error = error.reason
                self._fail(stored, error)
            else:
                self._succeed(stored, delivered, self._clock.monotonic_s() - began_s)

    def _succeed(self, stored: StoredReceipt, delivered: Delivered, duration_s: float) -> None:
        run = self._run
        now_s = self._clock.monotonic_s()
        if run is not None:
            run.synced += 1

        def end_or_renew(db: Db) -> bool:
            """In the receipt's own transaction: one commit less for a sale that goes at once."""
            if run is None:
                return False
            if not self._batch and outbox.count(db) == 0:
                runs.finish(db, run, now_s - run.began_s, self._now_ms())
                return True
            if now_s - run.renewed_s > leases.TTL_MS / 3000:
                run.renewed_s = now_s
                with suppress(LeaseHeld):  # lost to a slow ОФД: the next batch finds out
                    leases.renew(db, run.lease, self._boot, self._ttl_ms)
            return False

        ended = self._ledger.book_delivered(stored, delivered, duration_s, end_or_renew)
        if ended and run is not None:
            self._note_end(run, now_s - run.began_s)

    def _fail(self, stored: StoredReceipt, error: DeliveryError) -> None:
        """A refusal concerns one receipt; anything else holds the queue, so the batch goes back."""
        rest = [] if isinstance(error, NotAccepted) else [one.id for one in self._batch]
        self._ledger.book_failed(stored, error, rest)
        if rest:
            self._batch.clear()
        if self._run is not None:
            self._run.failed += 1

    # ---- inside -----------------------------------------------------------------------------

    def _give_back(self) -> None:
        """What was taken and not sent."""
        taken = [one.id for one in self._batch]
        self._batch.clear()
        if taken:
            self._store.write(lambda db: outbox.give_back(db, taken))

    def _end_run(self) -> None:
        run = self._run
        if run is None:
            return
        duration_s = self._clock.monotonic_s() - run.began_s
        self._store.write(lambda db: runs.finish(db, run, duration_s, self._now_ms()))
        self._note_end(run, duration_s)

    def _note_end(self, run: Run, duration_s: float) -> None:
        self._run = None
        self._shared_lock.release(run.lease)
        runs.log_finish(run, duration_s)
        last = LastSync(self._clock.wall_s(), run.synced, run.failed, duration_s)
        self._last_sync = last

    def _note_circuit(self, change: CircuitChange) -> None:
        """Journal the first opening and the end of it; a reset by hand forgets the waits."""
        event = Event.CIRCUIT_CLOSED if change.now is CircuitState.CLOSED else Event.CIRCUIT_OPENED
        if change.was is CircuitState.CLOSED or change.now is CircuitState.CLOSED:
            self._store.write(
                lambda db: journal.append(
                    db,
                    event,
                    self._now_ms(),
                    reason=change.reason,
                    failure_count=change.failure_count,
                )
            )
        if change.reason == "manual_reset":
            self.settings_changed()

    @property
    def _ttl_ms(self) -> int:
        """A lease outlives the longest call."""
        return max(leases.TTL_MS, 2 * self.rules.timeout_ms)

    def _deadline(self) -> Deadline:
        return Deadline.after_ms(self._clock, self.rules.timeout_ms)

    def _now_ms(self) -> int:
        return int(self._clock.wall_s() * 1000)
