"""The one connection that writes, and group commit: who comes first commits for all who wait.

Each write runs in a savepoint of its own inside one transaction; a caller returns only after COMMIT
did.  While one group is being flushed the next one gathers, and its first caller commits it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

import apsw

from kktd import log
from kktd.errors import StoreUnavailable
from kktd.events import Event
from kktd.store.connection import BUSY_MS, DISK_FAILURES, Db

T = TypeVar("T")

GROUP_MAX: Final = 64  # writes in one transaction
WAL_PAGES_MAX: Final = 4_000  # 16 MB: then a write checkpoints first, whatever upkeep does
TRUNCATE_BUSY_MS: Final = 250  # readers hold the WAL for milliseconds; sales do not wait longer


class _Job(Generic[T]):
    """One caller in the queue; `work` is None for one who wants the connection for itself."""

    __slots__ = ("done", "error", "result", "turn", "work")

    def __init__(self, work: Callable[[Db], T] | None) -> None:
        self.work = work
        self.turn = threading.Lock()  # held until the caller has to move: done, or first in line
        self.turn.acquire()
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class Writer:
    """Thread-safe.  Once `failed` says why, nothing is written any more."""

    def __init__(self, db: Db, make_room: Callable[[], bool] = lambda: False) -> None:
        """`make_room` is called when the disk is full, so that the next write has some."""
        self._db = db
        self._make_room = make_room
        self._guard = threading.Lock()  # of the queue and of `_taken`
        self._queue: deque[_Job[Any]] = deque()
        self._taken = False
        self._holder: int | None = None
        self._closed = False
        self.failed: str | None = None
        self.wal_pages = 0
        self.commits = 0
        db.set_wal_hook(self._note_commit)

    def write(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction and return its result once that is on disk.

        An error of `work` undoes `work` alone and is raised here.  StoreUnavailable: nothing of it
        was kept, but after `failed` was set only the next start knows what the disk holds.
        """
        job = _Job(work)
        self._wait_turn(job)
        if not job.done:
            group = self._gather()
            try:
                self._commit(group)
            finally:
                self._pass_on(group)
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # set by the commit

    @property
    def waiting(self) -> int:
        """Callers in the queue, without the group that is being committed."""
        with self._guard:
            return len(self._queue)

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the WAL into the file; raises StoreUnavailable.  A busy reader leaves some of it."""
        with self._alone() as db:
            self._checkpoint(db)
            if truncate:
                db.set_busy_timeout(TRUNCATE_BUSY_MS)
                self._checkpoint(db, apsw.SQLITE_CHECKPOINT_TRUNCATE)
                db.set_busy_timeout(BUSY_MS)

    def close(self) -> None:
        """Wait for the write under way and close; later calls raise StoreUnavailable."""
        job: _Job[None] = _Job(None)
        self._wait_turn(job)
        self._closed = True
        self._db.close(True)
        self._pass_on([job])

    # ---- the queue --------------------------------------------------------------------------

    def _wait_turn(self, job: _Job[Any]) -> None:
        """Return when `job` is done or first in line with the connection free."""
        if self._holder == threading.get_ident():
            raise RuntimeError("a write inside a write would wait for itself")
        with self._guard:
            self._queue.append(job)
            first, self._taken = not self._taken, True
        if not first:
            job.turn.acquire()
        if not job.done:
            self._holder = threading.get_ident()

    def _gather(self) -> list[_Job[Any]]:
        """The writes at the head of the queue."""
        with self._guard:
            group: list[_Job[Any]] = []
            while self._queue and len(group) < GROUP_MAX and self._queue[0].work is not None:
                group.append(self._queue.popleft())
            return group

    def _pass_on(self, done: list[_Job[Any]]) -> None:
        """Let the callers of `done` go, and the next in line commit."""
        self._holder = None
        for job in done:
            job.done = True
            job.turn.release()
        with self._guard:
            if done[0].work is None:
                self._queue.popleft()
            self._taken = bool(self._queue)
            if self._queue:
                self._queue[0].turn.release()

    @contextmanager
    def _alone(self) -> Iterator[Db]:
        """The connection for one caller, outside a transaction."""
        job: _Job[None] = _Job(None)
        self._wait_turn(job)
        try:
            self._check_usable()
            yield self._db
        finally:
            self._pass_on([job])

    # ---- the transaction --------------------------------------------------------------------

    def _commit(self, group: list[_Job[Any]]) -> None:
        try:
            self._check_usable()
            if self.wal_pages >= WAL_PAGES_MAX:
                self._checkpoint(self._db)
            self._db.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run(job)
            self._db.execute("COMMIT")
        except apsw.Error as error:
            self._undo_all(error)
            _fail(group, str(error), error)
        except StoreUnavailable as error:
            _fail(group, str(error), error)
        except BaseException as error:
            # This thread is being stopped; those who wait in others have to hear of it.
            self._undo_all(error)
            _fail(group, "interrupted", error)
            raise

    def _run(self, job: _Job[Any]) -> None:
        """One write; an apsw.Error that leaves here undoes the whole group."""
        self._db.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._db)  # type: ignore[misc]  # _gather takes no others
        except DISK_FAILURES:
            raise
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            job.error = error
            self._db.execute("ROLLBACK TO job")
        self._db.execute("RELEASE job")

    def _undo_all(self, error: BaseException) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except apsw.Error as worse:
            self._give_up(worse)
        if isinstance(error, apsw.FullError):
            self._make_room()  # not tried again here: `work` may have done more than write
        elif isinstance(error, DISK_FAILURES):
            self._give_up(error)

    def _give_up(self, error: apsw.Error) -> None:
        """After a failed flush the kernel may have dropped pages: believe and touch nothing.

        The connection stays open, unused: it keeps the WAL's index, by which readers go on seeing
        what was committed and nothing else.
        """
        if self.failed is None:
            self.failed = str(error)
            log.event(Event.STORE_FAILED, reason=self.failed)

    def _check_usable(self) -> None:
        if self.failed is not None:
            raise StoreUnavailable("the disk failed before", reason=self.failed)
        if self._closed:
            raise StoreUnavailable("the database is closed")

    def _checkpoint(self, db: Db, mode: int = apsw.SQLITE_CHECKPOINT_PASSIVE) -> None:
        try:
            in_wal, copied = db.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return  # a reader holds the WAL; the next one succeeds
        except apsw.FullError as error:
            self._make_room()
            raise StoreUnavailable("the disk is full", reason=str(error)) from error
        except apsw.Error as error:
            self._give_up(error)
            raise StoreUnavailable("checkpoint failed", reason=str(error)) from error
        self.wal_pages = max(0, in_wal - copied)

    def _note_commit(self, _db: Db, _name: str, pages: int) -> int:
        self.wal_pages = pages
        self.commits += 1
        return apsw.SQLITE_OK


def _fail(group: list[_Job[Any]], reason: str, cause: BaseException) -> None:
    """Even a write that ended with an error of its own: what it saw of the others never was."""
    for job in group:
        job.error = StoreUnavailable("not stored", reason=reason)
        job.error.__cause__ = cause
