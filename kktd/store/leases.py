"""Leases: who may send now, with an owner and an end, so that nobody waits for the dead.

Times are CLOCK_BOOTTIME, which no one can set and which counts sleep; they mean nothing in another
boot, so a lease of one is free.  All functions run inside Store.write.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kktd.errors import LeaseHeld
from kktd.store.connection import Db

TTL_MS: Final = 30_000  # the longest anyone waits for a dead owner (contract 2.12)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Boot:
    """This run of the machine: its name and the milliseconds since it began."""

    id: str
    now_ms: Callable[[], int]


def this_boot() -> Boot:
    """The machine's own; another at every start of the machine, the same over daemon restarts."""
    return Boot(
        _BOOT_ID.read_text(encoding="ascii").strip(),
        lambda: int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000),
    )


@dataclass(frozen=True, slots=True)
class Lease:
    """What an owner holds.  `owner` is unique to a run; `lock_id`, `held_by` are for people."""

    name: str
    lock_id: str
    owner: str
    held_by: str


def acquire(db: Db, lease: Lease, boot: Boot, ttl_ms: int = TTL_MS) -> None:
    """Take a free lease, or prolong one's own; raises LeaseHeld with `lock_id` and `held_by`."""
    now_ms = boot.now_ms()
    db.execute(
        """INSERT INTO leases (name, lock_id, owner, held_by, boot_id, expires_at_ms)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6)
           ON CONFLICT (name) DO UPDATE SET lock_id = ?2, owner = ?3, held_by = ?4,
             boot_id = ?5, expires_at_ms = ?6
           WHERE owner = ?3 OR boot_id != ?5 OR expires_at_ms <= ?7""",
        (
            lease.name,
            lease.lock_id,
            lease.owner,
            lease.held_by,
            boot.id,
            now_ms + ttl_ms,
            now_ms,
        ),
    )
    if db.changes() != 1:
        raise _held(db, lease.name)


def renew(db: Db, lease: Lease, boot: Boot, ttl_ms: int = TTL_MS) -> None:
    """Prolong one's own; raises LeaseHeld if another took it after it ran out."""
    db.execute(
        "UPDATE leases SET expires_at_ms = ?3 WHERE name = ?1 AND owner = ?2",
        (lease.name, lease.owner, boot.now_ms() + ttl_ms),
    )
    if db.changes() != 1:
        raise _held(db, lease.name)


def release(db: Db, lease: Lease) -> None:
    """Let go of one's own; another's stays."""
    db.execute("DELETE FROM leases WHERE name = ? AND owner = ?", (lease.name, lease.owner))


def free_all(db: Db) -> None:
    """At the start of the daemon: the database is locked to it, so whoever held one is dead."""
    db.execute("DELETE FROM leases")


def find(db: Db, name: str, boot: Boot) -> Lease | None:
    """Who holds it now, or None."""
    for row in db.execute(
        """SELECT name, lock_id, owner, held_by FROM leases
           WHERE name = ? AND boot_id = ? AND expires_at_ms > ?""",
        (name, boot.id, boot.now_ms()),
    ):
        return Lease(*row)
    return None


def _held(db: Db, name: str) -> LeaseHeld:
    for lock_id, held_by in db.execute(
        "SELECT lock_id, held_by FROM leases WHERE name = ?", (name,)
    ):
        return LeaseHeld("another holds the lease", lock_id=lock_id, held_by=held_by)
    return LeaseHeld("the lease is gone", lock_id=None, held_by=None)
