"""How a connection is opened: every pragma with its reason, each read back.  [SQLITE]"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from kktd.errors import StoreCorrupt, StoreUnavailable

Db: TypeAlias = apsw.Connection

SQLITE_MINIMUM: Final = (3, 51, 3)  # below it, a WAL reset beside a checkpoint corrupts the file
BUSY_MS: Final = 5_000
# What a disk or a broken file does to a statement; any other apsw.Error is a mistake of ours.
DISK_FAILURES: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
)

PRAGMAS: Final = (
    ("trusted_schema", 0),  # a tampered file runs no functions
    ("mmap_size", 0),  # an I/O error stays an error, never SIGBUS
    ("temp_store", 2),  # memory
    ("foreign_keys", 1),
    ("synchronous", 2),  # FULL: a committed receipt survives a power cut (§5.3)
    ("wal_autocheckpoint", 0),  # the one writer checkpoints itself, never inside a sale
)
CHECKED_PRAGMAS: Final = (
    ("journal_mode", "wal"),  # readers never wait for the writer
    ("cache_size", -2_048),  # 2 MiB: a till has 200 receipts
)
CHECK_CACHE: Final = ("cache_size", -32_768)  # an old file is checked in two thirds of the time
READER_PRAGMAS: Final = (
    ("trusted_schema", 0),
    ("mmap_size", 0),
    ("cache_size", -256),  # each of up to eight keeps it; a query reads a few pages
    ("query_only", 1),
)


def check_library() -> None:
    """Raise StoreUnavailable on an SQLite with the WAL-reset bug."""
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")) < SQLITE_MINIMUM:
        raise StoreUnavailable("this SQLite corrupts WAL files", sqlite=found)


def open_writer(path: Path) -> Db:
    """The one connection that writes; the file is created if absent and checked whole.

    Raises StoreCorrupt, and then neither the file nor its WAL was changed; StoreUnavailable.
    """
    check_library()
    db: Db | None = None
    try:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(BUSY_MS)
        # A close by itself copies nothing and deletes nothing: after a disk error and on a corrupt
        # file it must not, and -wal and -shm that stay save a directory sync at each start.
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        _apply(db, (*PRAGMAS, CHECK_CACHE))
        check_integrity(db)
        db.pragma("shrink_memory")
        _apply(db, CHECKED_PRAGMAS)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        _close(db)
        raise StoreCorrupt("the database cannot be read", reason=str(error)) from error
    except apsw.Error as error:
        _close(db)
        raise StoreUnavailable("the database cannot be opened", reason=str(error)) from error
    except BaseException:
        _close(db)
        raise
    return db


def open_reader(path: Path) -> Db:
    """A connection that cannot write, for one reader at a time."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_MS)
    _apply(db, READER_PRAGMAS)
    return db


def check_integrity(db: Db) -> None:
    """The full check, at every start; raises StoreCorrupt with SQLite's first complaints."""
    complaints = [row[0] for row in db.execute("PRAGMA integrity_check(5)")]
    complaints += [str(row) for row in islice(db.execute("PRAGMA foreign_key_check"), 5)]
    if complaints != ["ok"]:
        raise StoreCorrupt("the database failed its check", complaints=complaints)


def _apply(db: Db, pragmas: tuple[tuple[str, object], ...]) -> None:
    for name, value in pragmas:
        db.pragma(name, value)
        found = db.pragma(name)
        if str(found).lower() != str(value):
            raise StoreUnavailable("a pragma did not take", pragma=name, wanted=value, found=found)


def _close(db: Db | None) -> None:
    if db is not None:
        db.close(True)
