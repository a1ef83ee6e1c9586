"""A real little partition for a till's data, which can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType


class NoMount(Exception):
    """Mounting needs root and a kernel that lets it."""


class SmallPartition:
    """A tmpfs at `folder`; a context manager."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        self._size = f"size={mebibytes}m,mode=0700"

    def __enter__(self) -> SmallPartition:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", self._size, "kktd-test", str(self.folder))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take all the room but so much, as somebody's forgotten file would."""
        with (self.folder / "filling").open("ab") as file:
            left = os.statvfs(self.folder)
            room = left.f_bavail * left.f_frsize - leave_bytes
            if room > 0:
                os.posix_fallocate(file.fileno(), file.tell(), room)

    def clear(self) -> None:
        """The forgotten file is found."""
        (self.folder / "filling").unlink()

    def _mount(self, *words: str) -> None:
        done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoMount(done.stderr.strip())
