"""When the WAL is copied home: while nobody sells, or when it has grown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.events import Event
from kktd.store import journal
from kktd.store.store import Store
from kktd.upkeep.checkpoint import CHECKPOINT_PAGES, IDLE_PAGES, IDLE_S, LOOK_S, Checkpointer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "kktd.db")
    store.checkpoint()
    yield store
    store.close()


def write_pages(store: Store, pages: int) -> None:
    """One transaction that puts about so many pages into the WAL."""

    def work(db: object) -> None:
        for _ in range(pages):
            journal.append(db, Event.TOKEN_CREATED, 1, filling="x" * 4_000)  # type: ignore[arg-type]

    store.write(work)
    assert pages <= store.wal_pages <= pages * 1.2 + 20


def test_a_quiet_till_copies_what_is_worth_it(store: Store) -> None:
    checkpointer = Checkpointer(store)
    write_pages(store, IDLE_PAGES)
    assert checkpointer.step(100.0) == 100.0 + LOOK_S
    assert store.wal_pages >= IDLE_PAGES
    checkpointer.step(100.0 + IDLE_S)
    assert store.wal_pages == 0


def test_a_busy_till_is_not_disturbed(store: Store) -> None:
    checkpointer = Checkpointer(store)
    write_pages(store, IDLE_PAGES)
    for second in range(20):
        write_pages_before = store.wal_pages
        store.write(lambda db: journal.append(db, Event.TOKEN_CREATED, 1))
        checkpointer.step(float(second))
        assert store.wal_pages >= write_pages_before


def test_a_few_pages_wait(store: Store) -> None:
    checkpointer = Checkpointer(store)
    write_pages(store, 10)
    for second in range(20):
        checkpointer.step(float(second))
    assert store.wal_pages >= 10


def test_a_wal_that_has_grown_is_copied_at_once(store: Store) -> None:
    checkpointer = Checkpointer(store)
    write_pages(store, CHECKPOINT_PAGES)
    checkpointer.step(100.0)
    assert store.wal_pages == 0
