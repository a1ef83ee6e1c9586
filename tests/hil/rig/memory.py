"""A file of JSON lines that outlives kill -9 and power cuts: one line is one whole change.

A document and the registers it moves stand in ONE line, so that no cut can part them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Memory:
    """Append-only; `path` None keeps everything in this process."""

    def __init__(self, path: Path | None, *, fsync: bool = True) -> None:
        self._path = path
        self._fsync = fsync
        self._records: list[Record] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._read(path)
            self._file = path.open("ab")

    def records(self) -> list[Record]:
        """What was remembered when the file was opened, oldest first; handed out once."""
        found, self._records = self._records, []
        return found

    def append(self, record: Record, *, durable: bool = True) -> None:
        """Remember one change; on disk when this returns, unless `durable` is off."""
        if self._path is None:
            return
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        if durable and self._fsync:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._path is not None:
            self._file.close()

    def _read(self, path: Path) -> None:
        """Read whole lines and cut off a torn last one: its change never happened."""
        data = path.read_bytes() if path.exists() else b""
        whole = 0
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                record = json.loads(line)
            except ValueError:
                break
            self._records.append(record)
            whole += len(line)
        if whole < len(data):
            os.truncate(path, whole)
