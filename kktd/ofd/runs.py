"""One sync: from taking the lease until nothing is left or the queue is held; its log lines (§5.6).

A receipt that goes to the ОФД right after its sale is a run too, but not one that is announced: it
leaves the lines of a receipt and no others.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kktd import log
from kktd.errors import LeaseHeld
from kktd.events import Event
from kktd.ofd.lock import SharedLock
from kktd.store import journal, leases
from kktd.store.connection import Db
from kktd.store.leases import Lease

SECONDS_A_RECEIPT: Final = 3  # contract 4: at least 20 receipts a minute


class Trigger(StrEnum):
    """Why a sync began; `held_by` of its lease."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    ONLINE = "online"


@dataclass(slots=True)
class Run:
    """A sync under way.  `began_s`, `renewed_s` of its lease, `shared_s` of its lock: monotonic."""

    lease: Lease
    trigger: Trigger
    began_s: float
    renewed_s: float
    shared_s: float
    announced: bool = False
    synced: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A sync that somebody asked for; `force` ignores the backoff."""

    run: Run
    force: bool


def estimate_s(pending: int) -> int:
    """Whole seconds a sync of so many takes at the promised rate."""
    return math.ceil(pending * SECONDS_A_RECEIPT)


def new_run(pos_id: str, trigger: Trigger, now_s: float, wall_s: float) -> Run:
    """Not holding its lease yet."""
    name = f"sync:{pos_id}"
    lease = Lease(name, f"{name}:{int(wall_s)}", str(uuid.uuid4()), trigger)
    return Run(lease, trigger, now_s, now_s, now_s)


def keep_shared(run: Run, lock: SharedLock, now_s: float, ttl_ms: int) -> None:
    """A batch may outlast the lock's TTL; raises LeaseHeld if another daemon took it."""
    if now_s - run.shared_s > leases.TTL_MS / 3000:
        lock.hold(run.lease, ttl_ms)
        run.shared_s = now_s


def announce(db: Db, run: Run, pending: int, now_ms: int) -> None:
    """Journal its beginning, in the transaction that takes the lease."""
    journal.append(db, Event.SYNC_START, now_ms, trigger=run.trigger, pending_receipts=pending)


def log_start(run: Run, pending: int, user: str | None = None) -> None:
    facts = {"user": user} if user is not None else {}
    log.event(
        Event.SYNC_START,
        trigger=run.trigger,
        pending_receipts=pending,
        estimated_duration_seconds=estimate_s(pending),
        **facts,
    )


def log_locked(run: Run) -> None:
    log.event(Event.SYNC_LOCK_ACQUIRED, lock_id=run.lease.lock_id)


def log_conflict(held: LeaseHeld) -> None:
    log.event(
        Event.SYNC_LOCK_CONFLICT,
        lock_id=held.details["lock_id"],
        held_by=held.details["held_by"],
    )


def finish(db: Db, run: Run, duration_s: float, now_ms: int) -> None:
    """Let go of the lease and journal the end."""
    leases.release(db, run.lease)
    if run.announced:
        journal.append(
            db,
            Event.SYNC_COMPLETE,
            now_ms,
            synced_count=run.synced,
            failed_count=run.failed,
            duration_seconds=round(duration_s, 3),
        )


def log_finish(run: Run, duration_s: float) -> None:
    if run.announced:
        log.event(
            Event.SYNC_COMPLETE,
            synced_count=run.synced,
            failed_count=run.failed,
            duration_seconds=round(duration_s, 3),
        )
        log.event(Event.SYNC_LOCK_RELEASED, lock_id=run.lease.lock_id)
