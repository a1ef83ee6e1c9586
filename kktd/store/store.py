"""The database of one till: one writer, group commit, its own checkpoints, readers beside it.

A write is a function of the connection; whoever holds the writer commits all that wait, each in a
savepoint of its own, in one transaction.  A caller returns only after COMMIT did.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import apsw

from kktd.errors import AlreadyRunning, KktdError, StoreUnavailable
from kktd.store.connection import Db, check_integrity, open_reader, open_writer
from kktd.store.migrate import migrate

T = TypeVar("T")

GROUP_MAX: Final = 64  # writes in one transaction
CHECKPOINT_PAGES: Final = (
    1_000  # then the next idle moment checkpoints, and at the latest the next write
)


class _Job(Generic[T]):
    """One write and what became of it."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[Db], T]) -> None:
        self.work = work
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class Store:
    """Open for the life of the daemon; a second one on the file raises AlreadyRunning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_fd = _lock_file(path)
        try:
            self._writer = open_writer(path)
            self.found_version = migrate(self._writer)
            check_integrity(self._writer)
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._turn = threading.Lock()
        self._waiting: deque[_Job[object]] = deque()
        self._local = threading.local()
        self._readers: list[Db] = []
        self._failed: str | None = None
        self._wal_pages = 0
        self._writer.set_wal_hook(self._note_wal_pages)

    # ---- writing ----------------------------------------------------------------------------

    def write(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction and return its result once that is on disk.

        An error of `work` undoes `work` alone and is raised here.  StoreUnavailable: the disk
        failed, nothing of it is stored.  `work` may run in another caller's thread.
        """
        job: _Job[T] = _Job(work)
        self._waiting.append(job)  # type: ignore[arg-type]  # T varies from job to job
        with self._turn:
            if not job.done:
                self._commit_waiting(job)
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # set by the commit

    def _commit_waiting(self, own: _Job[T]) -> None:
        """Commit everything that waits, `own` among it."""
        while not own.done:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_MAX))]
            try:
                if self._failed:
                    raise StoreUnavailable("the disk failed before", reason=self._failed)
                self._commit(group)
            except BaseException as error:  # noqa: BLE001 - handed to every waiter, never swallowed
                for job in group:
                    job.error = job.error or error
            for job in group:
                job.done = True

    def _commit(self, group: list[_Job[object]]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for job in group:
                self._writer.execute("SAVEPOINT job")
                try:
                    job.result = job.work(self._writer)
                except apsw.Error as error:
                    if _is_disk_failure(error) or not self._writer.in_transaction:
                        raise
                    self._undo(job, error)
                except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                    self._undo(job, error)
                else:
                    self._writer.execute("RELEASE job")
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            if isinstance(error, apsw.IOError):
                # After a failed fsync the kernel may have dropped the pages: believe nothing.
                self._failed = str(error)
            raise StoreUnavailable("not stored", reason=str(error)) from error

    def _undo(self, job: _Job[object], error: Exception) -> None:
        self._writer.execute("ROLLBACK TO job")
        self._writer.execute("RELEASE job")
        job.error = error

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except apsw.Error as error:
            self._failed = str(error)

    # ---- reading ----------------------------------------------------------------------------

    def read(self, query: Callable[[Db], T]) -> T:
        """Run `query` on this thread's own read-only connection, in one snapshot."""
        db = self._reader()
        db.execute("BEGIN")
        try:
            return query(db)
        finally:
            db.execute("ROLLBACK")  # a read transaction left open would pin the WAL

    def _reader(self) -> Db:
        db: Db | None = getattr(self._local, "db", None)
        if db is None:
            db = open_reader(self._path)
            self._local.db = db
            self._readers.append(db)
        return db

    # ---- upkeep -----------------------------------------------------------------------------

    @property
    def failed(self) -> str | None:
        """Why nothing is written any more, or None."""
        return self._failed

    @property
    def wal_pages(self) -> int:
        """Pages in the WAL since the last checkpoint."""
        return self._wal_pages

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the WAL into the file; `truncate` when a shift closed or the daemon stops."""
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        with self._turn:
            try:
                left, copied = self._writer.wal_checkpoint(mode=mode)
            except apsw.BusyError:
                return  # a reader holds the WAL; the next one succeeds
            except apsw.Error as error:
                raise StoreUnavailable("checkpoint failed", reason=str(error)) from error
            self._wal_pages = max(0, left - copied)

    def close(self) -> None:
        """Checkpoint, close every connection, let go of the lock."""
        try:
            if not self._failed:
                self.checkpoint(truncate=True)
        except KktdError:
            pass  # the WAL keeps everything; the next start reads it
        finally:
            for db in self._readers:
                db.close(True)
            self._writer.close(True)
            os.close(self._lock_fd)

    def _note_wal_pages(self, _db: Db, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK


def _lock_file(path: Path) -> int:
    """Hold `<path>.lock`; the kernel lets go of it however the process ends."""
    fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise AlreadyRunning("another daemon holds the database", path=str(path)) from error
    return fd


def _is_disk_failure(error: apsw.Error) -> bool:
    return isinstance(error, apsw.FullError | apsw.IOError | apsw.ReadOnlyError | apsw.CorruptError)
