"""A disk that is slow, full or broken under another process: builds disk.c and controls it."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("disk.c")


class NoCompiler(Exception):
    """Neither cc nor gcc: there is nothing to build the library with."""


def library() -> Path:
    """The shared library, built once for each version of its source."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("install a C compiler")
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    built = Path(tempfile.gettempdir()) / f"kktd-disk-{os.getuid()}-{digest}.so"
    if not built.exists():
        partial = built.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", partial, SOURCE, "-ldl"],
            check=True,
        )
        partial.rename(built)
    return built


class Disk:
    """Faults of one child process, set while it runs."""

    def __init__(self, folder: Path) -> None:
        self._control = folder / "disk.control"
        self.set()

    def environment(self) -> dict[str, str]:
        """For the child."""
        return {**os.environ, "LD_PRELOAD": str(library()), "DISK_CONTROL": str(self._control)}

    def set(self, *, flush_us: int = 0, flush_errno: int = 0, write_errno: int = 0) -> None:
        """What the disk does from now on; without arguments it is well."""
        with self._control.open("r+b" if self._control.exists() else "w+b") as file:
            file.write(struct.pack("=3i", flush_us, flush_errno, write_errno))
