"""What a connection is set to, and which files it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from kktd.errors import StoreCorrupt, StoreUnavailable
from kktd.store import connection
from kktd.store.connection import CHECKED_PRAGMAS, PRAGMAS, READER_PRAGMAS, open_reader, open_writer
from kktd.store.store import Store
from tests.support.stores import Numbers, accept, fill_history

PAGE = 4_096


def file_digest(path: Path) -> str:
    """An absent WAL and an empty one are the same."""
    return hashlib.sha256(path.read_bytes() if path.exists() else b"").hexdigest()


def a_closed_database(path: Path) -> None:
    store = Store(path)
    fill_history(store, 50)
    accept(store, Numbers())
    store.close()


def garbage_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not a database at all, not even nearly" * 3)


def zeroed_root(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(bytes(PAGE))


def lost_index_entry(path: Path) -> None:
    """The page is whole, the entry is not there: only the full check sees it."""
    db = apsw.Connection(str(path))
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.pragma("writable_schema", 1)
    db.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, 'unfinished = 1', 'unfinished = 7') "
        "WHERE name = 'receipts_unfinished'"
    )
    db.close()
    db = apsw.Connection(str(path))
    db.execute("REINDEX receipts_unfinished")
    db.pragma("writable_schema", 1)
    db.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, 'unfinished = 7', 'unfinished = 1') "
        "WHERE name = 'receipts_unfinished'"
    )
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.close()


def orphan(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.pragma("foreign_keys", 0)
    db.execute(
        "INSERT INTO idempotency_keys (key, digest, receipt_id, created_at) "
        "VALUES ('k', x'00', 'nobody', 1)"
    )
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.close()


def half_a_file(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // PAGE // 2 * PAGE)


@pytest.mark.parametrize("name", [name for name, _ in (*PRAGMAS, *CHECKED_PRAGMAS)])
def test_the_writer_reads_back_every_pragma(tmp_path: Path, name: str) -> None:
    db = open_writer(tmp_path / "kktd.db")
    wanted = dict((*PRAGMAS, *CHECKED_PRAGMAS))[name]
    assert str(db.pragma(name)) == str(wanted)
    db.close()


def test_the_durability_settings_are_those_of_the_guide() -> None:
    settings = dict((*PRAGMAS, *CHECKED_PRAGMAS))
    assert settings["journal_mode"] == "wal"
    assert settings["synchronous"] == 2
    assert settings["wal_autocheckpoint"] == 0
    assert settings["foreign_keys"] == 1
    assert settings["mmap_size"] == 0


def test_a_reader_cannot_write(store: Store, tmp_path: Path) -> None:
    db = open_reader(tmp_path / "kktd.db")
    for name, value in READER_PRAGMAS:
        assert db.pragma(name) == value
    with pytest.raises(apsw.ReadOnlyError):
        db.execute("DELETE FROM tokens")
    db.close()


def test_sqlite_is_past_the_wal_reset_bug() -> None:
    connection.check_library()
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    assert version >= (3, 51, 3)


def test_an_sqlite_with_the_wal_reset_bug_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StoreUnavailable):
        Store(tmp_path / "kktd.db")
    assert not (tmp_path / "kktd.db").exists()


def test_a_pragma_that_does_not_take_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PRAGMAS", (("synchronous", 9),))
    with pytest.raises(StoreUnavailable) as caught:
        open_writer(tmp_path / "kktd.db")
    assert caught.value.details["pragma"] == "synchronous"


@pytest.mark.parametrize(
    "damage", [garbage_head, zeroed_root, lost_index_entry, orphan, half_a_file]
)
def test_a_corrupt_file_is_refused_and_not_changed(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "kktd.db"
    a_closed_database(path)
    damage(path)
    files = [path, tmp_path / "kktd.db-wal"]
    before = [file_digest(file) for file in files]
    with pytest.raises(StoreCorrupt):
        Store(path)
    assert [file_digest(file) for file in files] == before


def test_a_corrupt_file_with_a_full_wal_is_not_changed_either(tmp_path: Path) -> None:
    path = tmp_path / "kktd.db"
    a_closed_database(path)
    running = Store(path)
    accept(running, Numbers(stamp=5))
    for name in ("kktd.db", "kktd.db-wal"):
        (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
    running.close()
    copy = tmp_path / "copy-kktd.db"
    files = [copy, tmp_path / "copy-kktd.db-wal"]
    with copy.open("r+b") as file:  # a page the WAL does not cover
        file.seek(12 * PAGE)
        file.write(b"\xff" * PAGE * 3)
    before = [file_digest(file) for file in files]
    assert files[1].stat().st_size > 0
    with pytest.raises(StoreCorrupt):
        Store(copy)
    assert [file_digest(file) for file in files] == before


def test_a_refused_file_can_be_opened_again_once_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "kktd.db"
    a_closed_database(path)
    whole = path.read_bytes()
    garbage_head(path)
    with pytest.raises(StoreCorrupt):
        Store(path)
    path.write_bytes(whole)
    Store(path).close()
