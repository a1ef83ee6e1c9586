"""The partition the database lives on: how full it is, and the ballast that can be thrown off.

At a full disk SQLite can neither delete nor checkpoint; a file that is given up makes the room in
which what is under way is finished and written down.  [SQLITE]
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kktd.store.connection import Db

BALLAST_BYTES: Final = 32 * 2**20  # two WALs at their longest (store/writer.py)
BALLAST_SHARE: Final = 20  # and never more than a twentieth of the partition


@dataclass(frozen=True, slots=True)
class Partition:
    """One reading, bytes.  `left` is what a process without privileges may still take."""

    total: int
    left: int


def read_partition(folder: Path) -> Partition:
    """As df counts: blocks kept back for root belong to nobody.  Raises OSError."""
    found = os.statvfs(folder)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    left = found.f_bavail * found.f_frsize
    return Partition(used + left, left)


def read_free_bytes(db: Db) -> int:
    """Pages inside the file that hold nothing: deleting rows does not make the file smaller."""
    return int(db.pragma("freelist_count")) * int(db.pragma("page_size"))


class Ballast:
    """A file beside the database.  Thread-safe: each call is one step of the file system."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def bytes(self) -> int:
        """What throwing it off would free; 0 while there is none."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def make(self, partition: Partition) -> bool:
        """Take the room if it is there twice; whether the ballast lies there now."""
        wanted = min(BALLAST_BYTES, partition.total // BALLAST_SHARE)
        if self.bytes:
            return True
        if partition.left < 2 * wanted:
            return False
        partial = self._path.with_suffix(".part")
        try:
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, wanted)
            finally:
                os.close(fd)
            partial.rename(self._path)
        except OSError:
            partial.unlink(missing_ok=True)
            return False
        return True

    def release(self) -> bool:
        """Throw it off; whether there was one."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
