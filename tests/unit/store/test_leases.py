"""Leases: one holder, an end, and nothing left of another boot."""

from __future__ import annotations

import pytest

from kktd.errors import LeaseHeld
from kktd.store import leases
from kktd.store.leases import Boot, Lease
from kktd.store.store import Store

MINE = Lease("sync:POS-001", "sync:POS-001:1", "mine", "scheduled")
THEIRS = Lease("sync:POS-001", "sync:POS-001:2", "theirs", "manual")


def boot(now_ms: int, name: str = "this") -> Boot:
    return Boot(name, lambda: now_ms)


def acquire(store: Store, lease: Lease, at: Boot) -> None:
    store.write(lambda db: leases.acquire(db, lease, at))


def test_a_second_one_is_told_who_holds_it(store: Store) -> None:
    acquire(store, MINE, boot(1_000))
    with pytest.raises(LeaseHeld) as held:
        acquire(store, THEIRS, boot(30_999))
    assert held.value.details == {"lock_id": "sync:POS-001:1", "held_by": "scheduled"}


def test_one_that_ran_out_is_free_and_lost_to_its_owner(store: Store) -> None:
    acquire(store, MINE, boot(1_000))
    acquire(store, THEIRS, boot(31_000))
    with pytest.raises(LeaseHeld):
        store.write(lambda db: leases.renew(db, MINE, boot(31_001)))
    store.write(lambda db: leases.release(db, MINE))
    assert store.read(lambda db: leases.find(db, MINE.name, boot(31_002))) == THEIRS


def test_a_renewed_one_lasts(store: Store) -> None:
    acquire(store, MINE, boot(1_000))
    store.write(lambda db: leases.renew(db, MINE, boot(25_000)))
    with pytest.raises(LeaseHeld):
        acquire(store, THEIRS, boot(54_999))
    acquire(store, MINE, boot(54_999))


def test_one_of_another_boot_is_free(store: Store) -> None:
    acquire(store, MINE, boot(1_000_000))
    acquire(store, THEIRS, boot(5, "next"))


def test_a_released_one_is_free(store: Store) -> None:
    acquire(store, MINE, boot(1_000))
    store.write(lambda db: leases.release(db, MINE))
    acquire(store, THEIRS, boot(1_001))
    store.write(leases.free_all)
    assert store.read(lambda db: leases.find(db, MINE.name, boot(1_002))) is None


def test_this_boot_has_a_name_and_a_clock_that_runs() -> None:
    this = leases.this_boot()
    assert len(this.id) == 36
    assert this.id == leases.this_boot().id
    assert 0 < this.now_ms() <= this.now_ms()
