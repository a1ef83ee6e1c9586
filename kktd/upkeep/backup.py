"""The nightly copy of the database in a second place: a folder on another disk, an HTTP target.

A copy counts only when it was opened, checked whole and flushed under its name.  It is made a few
pages a step from a snapshot, so that no sale notices.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import KktdError
from kktd.events import Event
from kktd.ofd.channel import DeliveryError
from kktd.ofd.http import HttpLine
from kktd.store import chores, journal
from kktd.store.connection import Db
from kktd.store.copying import Copy, check_copy
from kktd.store.store import Store
from kktd.upkeep.nightly import is_due

LOOK_S: Final = 60.0
AGAIN_S: Final = 3_600.0  # a stick that is not there, a server that is away
STEP_S: Final = 0.01
STEP_PAGES: Final = 256  # 1 MiB
PUT_MS: Final = 600_000
NAME: Final = "backup"


@dataclass(frozen=True, slots=True)
class BackupRules:
    """Where to, and how many are kept; neither place: no copies are made.  `at` HH:MM."""

    directory: Path | None
    url: str
    token: Callable[[], str] | None
    ca_file: str | None
    keep: int
    at: str
    zone: ZoneInfo

    @property
    def wanted(self) -> bool:
        return self.directory is not None or bool(self.url)


@dataclass(frozen=True, slots=True)
class BackupSeen:
    """`done_at_s` of the last good copy, `problem` of the last try if it failed."""

    wanted: bool = False
    running: bool = False
    done_at_s: int | None = None
    problem: str | None = None


class _Failed(Exception):
    """With the reason."""


class Backup:
    """A worker's step; `seen`, `ask` and `find_copies` from any thread."""

    def __init__(
        self, clock: Clock, store: Store, file: Path, pos_id: str, rules: BackupRules
    ) -> None:
        self._clock = clock
        self._store = store
        self._file = file
        self._prefix = f"kktd-{pos_id}-"
        self._rules = rules
        self._asked = False
        self._copy: Copy | None = None
        self._partial = file.with_suffix(".copy")
        self._due_s = float("-inf")
        done_s = store.read(lambda db: chores.find_done(db, NAME)) if rules.wanted else None
        self.seen = BackupSeen(rules.wanted, done_at_s=done_s)

    def ask(self) -> None:
        """A person wants one now."""
        self._asked = True

    def find_copies(self) -> list[tuple[str, int]]:
        """Name and bytes of what lies in the folder, the newest first."""
        folder = self._rules.directory
        if folder is None or not folder.is_dir():
            return []
        found = sorted(folder.glob(f"{self._prefix}*.db"), reverse=True)
        return [(one.name, one.stat().st_size) for one in found]

    def step(self, now_s: float) -> float:
        """Begin, go on with or finish one; when to be called again (monotonic s)."""
        try:
            if self._copy is not None:
                self._go_on(self._copy)
            elif self._rules.wanted and (self._asked or (now_s >= self._due_s and self._is_due())):
                self._begin()
            else:
                self._due_s = max(self._due_s, now_s)
                return now_s + LOOK_S
        except (_Failed, KktdError, DeliveryError, OSError) as error:
            self._due_s = now_s + AGAIN_S
            self._fail(
                str(error.details.get("reason", error) if isinstance(error, KktdError) else error)
            )
        return self._clock.monotonic_s() + (STEP_S if self._copy is not None else LOOK_S)

    def _is_due(self) -> bool:
        rules = self._rules
        return is_due(self.seen.done_at_s, self._clock.wall_s(), rules.at, rules.zone)

    def _begin(self) -> None:
        self._asked = False
        folder = self._rules.directory
        if folder is not None:
            if not folder.is_dir():
                raise _Failed("the folder is not there")
            if folder.stat().st_dev == self._file.stat().st_dev:
                raise _Failed("the folder is on the till's own disk: no second place")
        self._partial = (folder or self._file.parent) / f"{self._prefix}new.part"
        self._partial.unlink(missing_ok=True)
        room = os.statvfs(self._partial.parent)
        if room.f_bavail * room.f_frsize < 2 * self._file.stat().st_size:
            raise _Failed("no room for a copy")
        self._copy = Copy(self._file, self._partial)
        self.seen = replace(self.seen, running=True)

    def _go_on(self, copy: Copy) -> None:
        if not copy.step(STEP_PAGES):
            return
        copy.close()
        self._copy = None
        check_copy(self._partial)
        now_s = self._clock.wall_s()
        name = f"{self._prefix}{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}.db"
        size = self._partial.stat().st_size
        if self._rules.url:
            self._put(name)
        if self._rules.directory is not None:
            self._keep(self._rules.directory, name)
        else:
            self._partial.unlink()
        self.seen = BackupSeen(True, done_at_s=int(now_s))
        facts = {"name": name, "bytes": size}
        log.event(Event.BACKUP_DONE, facts=facts)

        def note(db: Db) -> None:
            chores.note_done(db, NAME, int(now_s))
            journal.append(db, Event.BACKUP_DONE, int(now_s * 1000), facts=facts)

        self._store.write(note)

    def _keep(self, folder: Path, name: str) -> None:
        """Under its name for good, then the oldest go."""
        _flush(self._partial)
        self._partial.rename(folder / name)
        _flush(folder)
        for old, _ in self.find_copies()[self._rules.keep :]:
            (folder / old).unlink()

    def _put(self, name: str) -> None:
        """The whole file in one request: a till's has a few dozen megabytes."""
        line = HttpLine(self._rules.ca_file)
        headers = {"Content-Type": "application/vnd.sqlite3", "Accept-Encoding": "identity"}
        if self._rules.token is not None:
            headers["Authorization"] = f"Bearer {self._rules.token().strip()}"
        by = Deadline.after_ms(self._clock, PUT_MS)
        url = f"{self._rules.url.rstrip('/')}/{name}"
        answer = line.ask("PUT", url, by, headers, self._partial.read_bytes())
        line.close()
        if not 200 <= answer.status < 300:
            raise _Failed(answer.reason)

    def _fail(self, reason: str) -> None:
        if self._copy is not None:
            self._copy.close()
            self._copy = None
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)
        first = self.seen.problem != reason
        self.seen = replace(self.seen, running=False, problem=reason)
        log.event(Event.BACKUP_FAILED, reason=reason)
        if first:
            now_ms = int(self._clock.wall_s() * 1000)
            self._store.write(
                lambda db: journal.append(db, Event.BACKUP_FAILED, now_ms, reason=reason)
            )

    def close(self) -> None:
        """After the last step: a copy that is not whole is none."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None
            with suppress(OSError):
                self._partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
