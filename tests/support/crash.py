"""Kills at chosen moments: before or after a commit, or after a byte on the wire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kktd.clock import Deadline
from kktd.store.connection import Db
from kktd.store.store import Store
from tests.support.port import MemoryPort

T = TypeVar("T")


class Killed(BaseException):
    """kill -9: nothing catches it but the test."""


class KillableStore(Store):
    """Dies at a commit: `die_in` commits from now, before it (nothing stored) or after it."""

    def __init__(self, path: Path) -> None:
        self.die_in: int | None = None
        self.die_after_commit = False
        super().__init__(path)

    def write(self, work: Callable[[Db], T]) -> T:
        if self.die_in is None:
            return super().write(work)
        self.die_in -= 1
        if self.die_in > 0:
            return super().write(work)
        self.die_in = None
        if self.die_after_commit:
            super().write(work)
        raise Killed


class KillablePort(MemoryPort):
    """Dies when so many more bytes have passed, in either direction, or at a moment."""

    die_in_bytes: int | None = None
    die_at_s: float | None = None  # monotonic

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        data = super().read(max_bytes, by)
        if self.die_at_s is not None and self._clock.monotonic_s() >= self.die_at_s:
            raise Killed
        self._count(len(data))
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        if self.die_in_bytes is not None and self.die_in_bytes < len(data):
            super().write(data[: self.die_in_bytes], by)
            self.die_in_bytes = None
            raise Killed
        super().write(data, by)
        self._count(len(data))

    def _count(self, passed: int) -> None:
        if self.die_in_bytes is None:
            return
        self.die_in_bytes -= passed
        if self.die_in_bytes <= 0:
            self.die_in_bytes = None
            raise Killed
