"""Group commit: one transaction for all who wait, and each caller's own result or error."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from kktd.errors import NotFound, StoreUnavailable
from kktd.events import Event
from kktd.store import buffer, journal
from kktd.store.connection import Db
from kktd.store.store import Store
from tests.support.stores import Numbers, accept

PATIENCE_S = 20


def note(db: Db, name: str) -> str:
    """One row that names its writer."""
    journal.append(db, Event.TOKEN_CREATED, 1_000, receipt_id=name)
    return name


def noted(store: Store) -> list[str]:
    return store.read(
        lambda db: [str(row[0]) for row in db.execute("SELECT receipt_id FROM buffer_events")]
    )


class Gathering:
    """One write that stays in its work until the others have gathered behind it."""

    def __init__(self, store: Store, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool
        self._inside = threading.Event()
        self._go_on = threading.Event()
        self.first = pool.submit(store.write, self._hold)
        assert self._inside.wait(PATIENCE_S)

    def _hold(self, db: Db) -> str:
        self._inside.set()
        assert self._go_on.wait(PATIENCE_S)
        return note(db, "first")

    def add(self, work: Callable[[Db], object]) -> Future[object]:
        """Another caller; returns once it stands in the queue."""
        waiting = self._store.waiting
        future = self._pool.submit(self._store.write, work)
        while self._store.waiting == waiting:
            assert not future.done()
        return future

    def release(self) -> None:
        self._go_on.set()
        self.first.result(PATIENCE_S)


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(32)


def test_those_who_wait_are_committed_together(store: Store, pool: ThreadPoolExecutor) -> None:
    commits = store.commits
    gathering = Gathering(store, pool)
    followers = [gathering.add(partial(note, name=str(i))) for i in range(10)]
    gathering.release()
    assert [one.result(PATIENCE_S) for one in followers] == [str(i) for i in range(10)]
    assert store.commits - commits == 2
    assert noted(store) == ["first", *(str(i) for i in range(10))]


def test_an_error_undoes_its_own_write_alone(store: Store, pool: ThreadPoolExecutor) -> None:
    def fail(db: Db) -> None:
        note(db, "never")
        raise NotFound("told to")

    def break_a_rule(db: Db) -> None:
        note(db, "never")
        db.execute("INSERT INTO intents (attempt) VALUES (1)")

    gathering = Gathering(store, pool)
    before = gathering.add(lambda db: note(db, "before"))
    failed = gathering.add(fail)
    broken = gathering.add(break_a_rule)
    after = gathering.add(lambda db: note(db, "after"))
    gathering.release()
    assert before.result(PATIENCE_S) == "before"
    assert after.result(PATIENCE_S) == "after"
    assert isinstance(failed.exception(PATIENCE_S), NotFound)
    assert "NOT NULL" in str(broken.exception(PATIENCE_S))
    assert noted(store) == ["first", "before", "after"]


def test_a_full_disk_fails_everyone_of_the_group_and_stores_nothing(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    def fill(db: Db) -> None:
        db.pragma("max_page_count", db.pragma("page_count"))
        for number in range(1_000):
            journal.append(db, Event.TOKEN_CREATED, number, filling="x" * 1_000)

    def refuse(_db: Db) -> None:
        raise NotFound("said of rows that never were")

    gathering = Gathering(store, pool)
    futures = [
        gathering.add(lambda db: note(db, "before")),
        gathering.add(refuse),
        gathering.add(fill),
        gathering.add(lambda db: note(db, "after")),
    ]
    gathering.release()
    for future in futures:
        assert isinstance(future.exception(PATIENCE_S), StoreUnavailable)
    assert noted(store) == ["first"]
    assert store.failed is None
    store.write(lambda db: db.pragma("max_page_count", 1_000_000))
    assert store.write(lambda db: note(db, "space again")) == "space again"


def test_a_thread_that_is_stopped_takes_nobody_with_it(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    class Stopped(BaseException):
        pass

    def stop(db: Db) -> None:
        note(db, "never")
        raise Stopped

    with pytest.raises(Stopped):
        store.write(stop)
    assert store.write(lambda db: note(db, "next")) == "next"

    gathering = Gathering(store, pool)
    stopped = gathering.add(stop)
    beside = gathering.add(lambda db: note(db, "beside"))
    gathering.release()
    assert isinstance(stopped.exception(PATIENCE_S), Stopped)
    assert isinstance(beside.exception(PATIENCE_S), StoreUnavailable)
    assert store.write(lambda db: note(db, "last")) == "last"
    assert noted(store) == ["next", "first", "last"]


def test_no_write_of_many_threads_is_lost(store: Store) -> None:
    def write_many(_thread: int) -> list[str]:
        names = [str(uuid.uuid4()) for _ in range(25)]
        for name in names:
            assert store.write(partial(note, name=name)) == name
        return names

    with ThreadPoolExecutor(8) as pool:
        written = [name for names in pool.map(write_many, range(8)) for name in names]
    assert sorted(noted(store)) == sorted(written)


def test_a_checkpoint_takes_its_place_in_the_queue(store: Store, pool: ThreadPoolExecutor) -> None:
    gathering = Gathering(store, pool)
    before = gathering.add(lambda db: note(db, "before"))
    waiting = store.waiting
    checkpoint = pool.submit(store.checkpoint)
    while store.waiting == waiting:
        assert not checkpoint.done()
    after = gathering.add(lambda db: note(db, "after"))
    gathering.release()
    checkpoint.result(PATIENCE_S)
    assert (before.result(PATIENCE_S), after.result(PATIENCE_S)) == ("before", "after")
    assert noted(store) == ["first", "before", "after"]


def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_itself(store: Store) -> None:
    with pytest.raises(RuntimeError):
        store.write(lambda _db: store.write(lambda db: note(db, "inner")))
    assert store.write(lambda db: note(db, "outer")) == "outer"


def test_nothing_is_written_after_the_close(tmp_path: Path) -> None:
    store = Store(tmp_path / "kktd.db")
    store.close()
    with pytest.raises(StoreUnavailable):
        store.write(lambda db: note(db, "late"))
    with pytest.raises(StoreUnavailable):
        store.checkpoint()
    with pytest.raises(StoreUnavailable):
        store.read(buffer.count_queued)


def test_the_wal_is_copied_home_by_a_checkpoint_and_emptied_when_asked(
    store: Store, numbers: Numbers, tmp_path: Path
) -> None:
    for _ in range(5):
        accept(store, numbers)
    assert store.wal_pages > 0
    store.checkpoint()
    assert store.wal_pages == 0
    store.checkpoint(truncate=True)
    assert (tmp_path / "kktd.db-wal").stat().st_size == 0


def test_a_reader_at_work_delays_no_checkpoint_and_loses_no_page(
    store: Store, numbers: Numbers
) -> None:
    def look(db: Db) -> tuple[int, int]:
        before = buffer.count_queued(db)
        accept(store, numbers)
        store.checkpoint(truncate=True)
        return before, buffer.count_queued(db)

    accept(store, numbers)
    assert store.read(look) == (1, 1)
    assert store.read(buffer.count_queued) == 2


def test_the_writer_empties_a_wal_nobody_looks_after(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("kktd.store.writer.WAL_PAGES_MAX", 50)
    for number in range(60):
        store.write(partial(note, name=str(number) * 1_000))
    assert (tmp_path / "kktd.db-wal").stat().st_size < 80 * 4_120
    assert len(noted(store)) == 60
