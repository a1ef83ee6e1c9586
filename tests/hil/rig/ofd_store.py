"""What the simulated ОФД remembers: every request, and each receipt once."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

Row = dict[str, Any]
JOURNAL: Final = "ofd.jsonl"


class OfdStore:
    """Rows in memory and, given a directory, in a journal of one JSON object a line.

    No fsync: the rig has to outlive kill -9 of everything, not the power of the desk it runs on.
    A row that stores a receipt is written before its answer leaves.
    """

    def __init__(self, state_dir: Path | None) -> None:
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._kept: dict[str, Mapping[str, Any]] = {}
        self._keys: dict[tuple[str, int], str] = {}
        self._journal: Path | None = None
        if state_dir is not None:
            state_dir.mkdir(parents=True, exist_ok=True)
            self._journal = state_dir / JOURNAL
            self._read_back(self._journal)

    def begin(self, row: Row) -> None:
        """Show a request from now on: a hung one is one that was seen."""
        with self._lock:
            self._rows.append(row)

    def finish(self, row: Row) -> None:
        """Write the row down; it will not change any more."""
        if self._journal is None:
            return
        line = json.dumps(row, ensure_ascii=False) + "\n"
        with self._lock, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(line)

    def keep(self, row: Row) -> None:
        """Remember the receipt of a row by its key and by its fiscal numbers."""
        with self._lock:
            self._keep(row)

    def rows(self) -> list[Row]:
        with self._lock:
            return [dict(row) for row in self._rows]

    def receipts(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(body) for body in self._kept.values()]

    def by_key(self, key: str | None) -> Mapping[str, Any] | None:
        with self._lock:
            return self._kept.get(key) if key is not None else None

    def key_of(self, fn: str, fd: int) -> str | None:
        with self._lock:
            return self._keys.get((fn, fd))

    def _keep(self, row: Row) -> None:
        body = row["body"]
        self._kept.setdefault(row["key"], body)
        self._keys[body["fiscal"]["fn"], body["fiscal"]["fd"]] = row["key"]

    def _read_back(self, journal: Path) -> None:
        """A last line cut by kill -9 was never answered; it goes, so that the next starts clean."""
        if not journal.exists():
            return
        whole, newline, rest = journal.read_bytes().rpartition(b"\n")
        if rest:
            journal.write_bytes(whole + newline)
        # Rows are written as they end and shown as they came.
        for row in sorted(map(json.loads, whole.splitlines()), key=lambda row: str(row["time"])):
            self._rows.append(row)
            if row["outcome"] == "stored":
                self._keep(row)
