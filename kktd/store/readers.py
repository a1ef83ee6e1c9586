"""Connections that only read: one for each reader at a time, kept for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw

from kktd.errors import StoreUnavailable
from kktd.store.connection import DISK_FAILURES, Db, open_reader

T = TypeVar("T")

IDLE_MAX: Final = 8  # more readers at once than this is rare: theirs are closed again


class Readers:
    """Thread-safe.  No connection belongs to a thread, so none outlives one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[Db] = []
        self._open = 0
        self._closed = False

    @property
    def open_count(self) -> int:
        """Connections now open, idle ones included."""
        return self._open

    def read(self, query: Callable[[Db], T]) -> T:
        """Run `query` in one snapshot; raises StoreUnavailable when the file cannot be read."""
        db: Db | None = None
        try:
            db = self._take()
            db.execute("BEGIN")
            return query(db)
        except DISK_FAILURES as error:
            raise StoreUnavailable("the database cannot be read", reason=str(error)) from error
        finally:
            if db is not None:
                self._give_back(db)

    def close(self) -> None:
        """Close what is idle; a reader still at work closes its own when it is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
        for db in idle:
            db.close(True)

    def _take(self) -> Db:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the database is closed")
            self._open += 1
            if self._idle:
                self._open -= 1
                return self._idle.pop()
        try:
            return open_reader(self._path)
        except BaseException:
            with self._lock:
                self._open -= 1
            raise

    def _give_back(self, db: Db) -> None:
        """End the snapshot, which would pin the WAL; a connection that cannot is closed."""
        try:
            db.execute("ROLLBACK")
        except apsw.Error:
            whole = False
        else:
            whole = True
        with self._lock:
            if whole and not self._closed and len(self._idle) < IDLE_MAX:
                self._idle.append(db)
                return
            self._open -= 1
        db.close(True)
