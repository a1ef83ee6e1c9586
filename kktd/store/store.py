"""The database of one till: one writer with group commit, readers beside it, one daemon."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from kktd.errors import AlreadyRunning, StoreCorrupt, StoreUnavailable
from kktd.store.connection import Db, open_writer
from kktd.store.migrate import migrate
from kktd.store.readers import Readers
from kktd.store.salvage import check_rows, finish_swap, salvage, suspect
from kktd.store.space import Ballast
from kktd.store.writer import Writer

T = TypeVar("T")


class Store:
    """Open for the life of the daemon; a second one on the file raises AlreadyRunning.

    Raises StoreCorrupt (nothing was changed), StoreTooNew, StoreUnavailable.
    """

    def __init__(self, path: Path, salvage_at_s: float | None = None) -> None:
        """`salvage_at_s`: the wall clock; then a damaged file is salvaged instead of refused."""
        self._lock_fd = _lock_file(path)
        self.salvaged: str | None = None  # why, if it was at this start
        self.ballast = Ballast(path.with_suffix(".ballast"))
        try:
            try:
                if salvage_at_s is None:
                    db = self._open(path)
                else:
                    db = self._open_or_salvage(path, salvage_at_s)
            except StoreUnavailable:
                if not self.ballast.release():
                    raise
                db = self._open(path)  # it was full, perhaps
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._writer = Writer(db, self.ballast.release)
        self._readers = Readers(path)

    def _open_or_salvage(self, path: Path, now_s: float) -> Db:
        finish_swap(path)
        self.salvaged = suspect(path)
        if self.salvaged is None:
            try:
                db = self._open(path)
                try:
                    check_rows(db)
                except BaseException:
                    db.close(True)
                    raise
                return db
            except StoreCorrupt:
                self.salvaged = "damaged"
        try:
            salvage(path, self.salvaged, now_s)
        except (apsw.Error, OSError) as error:
            raise StoreUnavailable("no place to salvage into", reason=str(error)) from error
        return self._open(path)

    def _open(self, path: Path) -> Db:
        db = open_writer(path)
        try:
            self.found_version = migrate(db)
        except BaseException:
            db.close(True)
            raise
        return db

    def write(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction and return its result once that is on disk.

        An error of `work` undoes `work` alone and is raised here.  StoreUnavailable: nothing of it
        was kept, but once `failed` is set only the next start knows what the disk holds.  `work`
        may run in another caller's thread, and before its commit is sure.
        """
        return self._writer.write(work)

    def read(self, query: Callable[[Db], T]) -> T:
        """Run `query` on a read-only connection, in one snapshot; raises StoreUnavailable."""
        return self._readers.read(query)

    @property
    def failed(self) -> str | None:
        """Why nothing is written any more, or None.  Only a new start mends it."""
        return self._writer.failed

    @property
    def wal_pages(self) -> int:
        """Pages in the WAL that are not in the file yet."""
        return self._writer.wal_pages

    @property
    def commits(self) -> int:
        """Transactions since the start: who sees it stand still knows that nobody writes."""
        return self._writer.commits

    @property
    def waiting(self) -> int:
        """Writes in the queue behind the group that is being committed."""
        return self._writer.waiting

    @property
    def open_readers(self) -> int:
        """Connections of readers, idle ones included."""
        return self._readers.open_count

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the WAL into the file, `truncate` when a shift closed; raises StoreUnavailable."""
        self._writer.checkpoint(truncate=truncate)

    def close(self) -> None:
        """Checkpoint, close every connection, let go of the lock."""
        self._readers.close()
        try:
            self.checkpoint(truncate=True)
        except StoreUnavailable:
            pass  # the WAL keeps everything; the next start reads it
        finally:
            self._writer.close()
            os.close(self._lock_fd)


def _lock_file(path: Path) -> int:
    """Hold `<path>.lock`; the kernel lets go of it however the process ends."""
    lock = path.with_name(path.name + ".lock")
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable("no place for the database", reason=str(error)) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise AlreadyRunning("another daemon holds the database", path=str(path)) from error
    return fd
