"""One daemon on a file, readers beside it, and nothing left behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from kktd.errors import AlreadyRunning, NotFound, StoreUnavailable
from kktd.store import buffer, receipts
from kktd.store.connection import Db
from kktd.store.readers import IDLE_MAX
from kktd.store.store import Store
from tests.support.stores import Numbers, accept


def test_a_second_daemon_on_the_file_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(AlreadyRunning):
        Store(tmp_path / "kktd.db")


def test_the_file_is_free_after_the_close(tmp_path: Path) -> None:
    Store(tmp_path / "kktd.db").close()
    Store(tmp_path / "kktd.db").close()


def test_the_file_is_free_after_a_failed_open(tmp_path: Path) -> None:
    path = tmp_path / "kktd.db"
    path.write_bytes(b"garbage" * 1_000)
    for _ in range(2):
        with pytest.raises(Exception, match="cannot be read"):
            Store(path)


def test_no_place_for_the_file_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Store(tmp_path / "absent" / "kktd.db")


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "kktd.db")
    receipt = accept(store, Numbers())
    store.close()
    store = Store(tmp_path / "kktd.db")
    assert store.read(lambda db: receipts.find(db, receipt.id)).receipt == receipt
    store.close()


def test_the_wal_and_its_index_stay_at_the_close_and_are_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "kktd.db")
    accept(store, Numbers())
    store.close()
    assert (tmp_path / "kktd.db-wal").stat().st_size == 0
    assert (tmp_path / "kktd.db-shm").exists()


def test_threads_that_read_and_end_leave_no_connection(store: Store) -> None:
    for _ in range(30):
        thread = threading.Thread(target=store.read, args=(buffer.count_queued,))
        thread.start()
        thread.join()
    assert store.open_readers == 1


def test_many_readers_at_once_close_what_is_too_many(store: Store) -> None:
    together = threading.Barrier(IDLE_MAX + 4, timeout=20)

    def look(db: Db) -> int:
        together.wait()
        return buffer.count_queued(db)

    with ThreadPoolExecutor(IDLE_MAX + 4) as pool:
        assert list(pool.map(lambda _: store.read(look), range(IDLE_MAX + 4))) == [0] * (
            IDLE_MAX + 4
        )
    assert store.open_readers == IDLE_MAX


def test_a_query_sees_one_moment(store: Store, numbers: Numbers) -> None:
    def look(db: Db) -> list[int]:
        before = buffer.count_queued(db)
        accept(store, numbers)
        return [before, buffer.count_queued(db)]

    assert store.read(look) == [0, 0]
    assert store.read(buffer.count_queued) == 1


def test_an_error_of_a_query_is_the_callers_and_the_next_query_runs(store: Store) -> None:
    with pytest.raises(NotFound):
        store.read(lambda db: receipts.find(db, "nobody"))
    with pytest.raises(apsw.SQLError):
        store.read(lambda db: db.execute("SELECT nonsense"))
    assert store.read(buffer.count_queued) == 0
    assert store.open_readers == 1


def test_a_reader_at_work_during_the_close_ends_in_peace(tmp_path: Path) -> None:
    store = Store(tmp_path / "kktd.db")

    def look(db: Db) -> int:
        store.close()
        return buffer.count_queued(db)

    assert store.read(look) == 0
    assert store.open_readers == 0
