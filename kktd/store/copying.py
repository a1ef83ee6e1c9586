"""A copy of the open database, page by page, of one moment, whoever sells meanwhile.  [SQLITE]

The source is a reader's snapshot, so that no write begins the copy anew; the target is checked as a
start checks it before anybody calls it a copy.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from kktd.errors import StoreCorrupt, StoreUnavailable
from kktd.store.connection import DISK_FAILURES, check_integrity, open_reader


class Copy:
    """One copy into `target`, which must not exist.  One thread; `close` in any case."""

    def __init__(self, source: Path, target: Path) -> None:
        """Raises StoreUnavailable."""
        try:
            self._source = open_reader(source)
            self._source.execute("BEGIN").execute("SELECT count(*) FROM sqlite_schema").fetchall()
            self._target = apsw.Connection(str(target))
            self._target.pragma("journal_mode", "off")
            self._target.pragma("synchronous", 0)  # flushed once, at the end
            self._backup = self._target.backup("main", self._source, "main")
        except DISK_FAILURES as error:
            raise StoreUnavailable("no copy can be begun", reason=str(error)) from error

    def step(self, pages: int) -> bool:
        """Copy so many more; True when all are.  Raises StoreUnavailable."""
        try:
            return self._backup.step(pages)
        except (*DISK_FAILURES, apsw.BusyError) as error:
            raise StoreUnavailable("the copy failed", reason=str(error)) from error

    def close(self) -> None:
        """Let go of both files."""
        try:
            self._backup.close(True)
        except apsw.Error:
            pass  # it failed before, and that was said
        finally:
            self._target.close(True)
            self._source.close(True)


def check_copy(path: Path) -> None:
    """The whole check of a file nobody else opens; raises StoreCorrupt."""
    try:
        name = f"file:{str(path).replace('?', '%3f').replace('#', '%23')}?immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        db = apsw.Connection(name, flags=flags)
    except apsw.Error as error:
        raise StoreCorrupt("the copy cannot be opened", reason=str(error)) from error
    try:
        check_integrity(db)
    except apsw.Error as error:
        raise StoreCorrupt("the copy cannot be read", reason=str(error)) from error
    finally:
        db.close(True)
