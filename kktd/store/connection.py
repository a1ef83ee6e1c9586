"""How a connection is opened: every pragma with its reason, each read back.  [SQLITE]"""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

import apsw

from kktd.errors import StoreCorrupt, StoreUnavailable

Db: TypeAlias = apsw.Connection

SQLITE_MINIMUM: Final = (3, 51, 3)  # below it, a WAL reset beside a checkpoint corrupts the file
WRITER_BUSY_MS: Final = 5_000

PRAGMAS: Final = (
    ("journal_mode", "wal"),  # readers never wait for the writer
    ("synchronous", 2),  # FULL: a committed receipt survives a power cut (§5.3)
    ("foreign_keys", 1),
    ("trusted_schema", 0),  # a tampered file runs no functions
    ("mmap_size", 0),  # an I/O error stays an error, never SIGBUS
    ("wal_autocheckpoint", 0),  # the one writer checkpoints itself, never inside a sale
    ("cache_size", -2_048),  # 2 MiB: a till has 200 receipts
    ("temp_store", 2),  # memory
)
READER_PRAGMAS: Final = (
    ("trusted_schema", 0),
    ("mmap_size", 0),
    ("cache_size", -1_024),
    ("query_only", 1),
)


def check_library() -> None:
    """Raise StoreUnavailable on an SQLite with the WAL-reset bug."""
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")) < SQLITE_MINIMUM:
        raise StoreUnavailable("this SQLite corrupts WAL files", sqlite=found)


def open_writer(path: Path) -> Db:
    """The one connection that writes; created if absent, every pragma read back."""
    check_library()
    db = apsw.Connection(str(path))
    db.set_busy_timeout(WRITER_BUSY_MS)
    # -wal and -shm stay at a clean close: no directory sync at each start.
    db.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, _one())
    _apply(db, PRAGMAS)
    return db


def open_reader(path: Path) -> Db:
    """A connection that cannot write; one for each thread that reads."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(WRITER_BUSY_MS)
    _apply(db, READER_PRAGMAS)
    return db


def check_integrity(db: Db) -> None:
    """The full check, at every start; raises StoreCorrupt with SQLite's first complaints."""
    try:
        complaints = [row[0] for row in db.execute("PRAGMA integrity_check(5)")]
        complaints += [str(row) for row in db.execute("PRAGMA foreign_key_check")][:5]
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreCorrupt("the database cannot be read", reason=str(error)) from error
    if complaints != ["ok"]:
        raise StoreCorrupt("the database failed its check", complaints=complaints)


def _apply(db: Db, pragmas: tuple[tuple[str, object], ...]) -> None:
    for name, value in pragmas:
        db.pragma(name, value)
        found = db.pragma(name)
        if str(found).lower() != str(value):
            raise StoreUnavailable("a pragma did not take", pragma=name, wanted=value, found=found)


def _one() -> int:
    """Address of a C int 1, which is what file_control wants; kept alive for the process."""
    return _ONE_ADDRESS


def _make_one() -> tuple[object, int]:
    import ctypes

    one = ctypes.c_int(1)
    return one, ctypes.addressof(one)


_ONE, _ONE_ADDRESS = _make_one()
