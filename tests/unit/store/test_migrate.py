"""Numbered scripts, applied whole; the window of versions a release opens."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from kktd.errors import StoreTooNew, StoreUnavailable
from kktd.store import buffer, receipts
from kktd.store.connection import open_writer
from kktd.store.migrate import migrate, scripts
from kktd.store.store import Store

FIXTURES = Path(__file__).parent / "fixtures"
NEWEST = max(scripts())


def saved(version: int, path: Path) -> Path:
    """The database of an earlier release, from its saved SQL."""
    db = apsw.Connection(str(path))
    db.execute((FIXTURES / f"v{version}.sql").read_text(encoding="utf-8"))
    db.close()
    return path


def schema(path: Path) -> dict[str, str]:
    db = apsw.Connection(str(path))
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    db.close()
    return {str(name): " ".join(str(sql).split()) for name, sql in rows}


def set_version(path: Path, version: int) -> None:
    db = apsw.Connection(str(path))
    db.pragma("user_version", version)
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.close()


def test_scripts_are_numbered_without_gaps() -> None:
    assert list(scripts()) == list(range(1, NEWEST + 1))


def test_a_new_file_gets_the_newest_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "kktd.db")
    assert store.found_version == 0
    assert store.read(lambda db: db.pragma("user_version")) == NEWEST
    store.close()


def test_a_file_of_the_next_release_opens_and_keeps_its_version(tmp_path: Path) -> None:
    path = tmp_path / "kktd.db"
    Store(path).close()
    set_version(path, NEWEST + 1)
    store = Store(path)
    assert store.found_version == NEWEST + 1
    assert store.read(lambda db: db.pragma("user_version")) == NEWEST + 1
    assert store.read(buffer.count_queued) == 0
    store.close()


def test_a_file_of_the_release_after_the_next_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "kktd.db"
    Store(path).close()
    set_version(path, NEWEST + 2)
    before = path.read_bytes()
    with pytest.raises(StoreTooNew):
        Store(path)
    assert path.read_bytes() == before


def test_a_script_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    db = open_writer(tmp_path / "kktd.db")
    broken = {1: "CREATE TABLE a (x) STRICT", 2: "CREATE TABLE b (x INTEGER) STRICT"}
    with pytest.raises(StoreUnavailable):
        migrate(db, broken)
    assert not db.in_transaction
    assert db.pragma("user_version") == 0
    assert db.execute("SELECT count(*) FROM sqlite_schema").get == 0
    migrate(db, {1: "CREATE TABLE b (x INTEGER) STRICT"})
    assert db.pragma("user_version") == 1
    db.close()


def test_only_the_missing_scripts_run(tmp_path: Path) -> None:
    db = open_writer(tmp_path / "kktd.db")
    first = {1: "CREATE TABLE a (x INTEGER) STRICT"}
    assert migrate(db, first) == 0
    assert migrate(db, {**first, 2: "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 5"}) == 1
    db.execute("INSERT INTO a (x) VALUES (1)")
    assert db.execute("SELECT y FROM a").get == 5
    db.close()


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_a_saved_database_of_every_version_becomes_the_newest(tmp_path: Path, version: int) -> None:
    path = saved(version, tmp_path / "old.db")
    store = Store(path)
    assert store.found_version == version
    assert store.read(buffer.count_queued) == 2
    stored = store.read(lambda db: receipts.find(db, "11111111-1111-4111-8111-111111111111"))
    assert stored.receipt.total == 199_00
    assert stored.document is not None
    assert stored.document.fd == 101
    store.close()
    Store(tmp_path / "new.db").close()
    assert schema(path) == schema(tmp_path / "new.db")


def test_every_version_has_a_saved_database() -> None:
    assert {path.stem for path in FIXTURES.glob("v*.sql")} == {f"v{n}" for n in scripts()}
