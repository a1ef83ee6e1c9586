"""Settings and token, read again: when their files change and on SIGHUP, by one path.

A file with a mistake is refused whole and the till goes on with what it had (contract 2.1, §5.5).
Folders are watched, not files: an editor writes a new file and renames it over the old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kktd import log
from kktd.clock import Clock
from kktd.config import Settings
from kktd.errors import BadConfig, StoreUnavailable
from kktd.events import Event
from kktd.settings_file import load, require_complete
from kktd.settings_table import merge_live, value_of
from kktd.store import journal
from kktd.store.store import Store

LOOK_S: Final = 0.5  # for news of the folders; a look costs one poll()
QUIET_S: Final = 0.2  # an editor makes several changes at once
QUIET_MAX_S: Final = 2.0  # a folder that is never quiet
AFRESH_S: Final = 30.0  # whether or not the watch heard of anything: a folder may be replaced


class FolderWatch:
    """inotify on the folders of some files.  One thread; raises OSError where nothing can be."""

    def __init__(self, files: Iterable[Path]) -> None:
        # Loaded here: half a megabyte and ctypes, which no start has to wait for.
        import pyinotify

        pyinotify.log.handlers.clear()  # it would write to stderr in a format of its own
        manager = pyinotify.WatchManager()
        self._news = False
        self._notifier = pyinotify.Notifier(manager, self._note)
        mask = (
            pyinotify.IN_CLOSE_WRITE
            | pyinotify.IN_MOVED_TO
            | pyinotify.IN_CREATE  # a link to another file
            | pyinotify.IN_DELETE
            | pyinotify.IN_ATTRIB  # readable now
        )
        try:
            for folder in sorted({str(file.parent) for file in files}):
                manager.add_watch(folder, mask, quiet=False)
        except pyinotify.WatchManagerError as error:
            self.close()
            raise OSError(str(error)) from error

    def changed(self) -> bool:
        """Whether anything moved in a folder since the last question; does not wait."""
        self._news = False
        while self._notifier.check_events(0):
            try:
                self._notifier.read_events()
            except UnicodeDecodeError:  # somebody's file name; the rest of the batch is lost
                self._news = True
            self._notifier.process_events()
        return self._news

    def close(self) -> None:
        self._notifier.stop()

    def _note(self, _event: object) -> None:
        self._news = True


class Reloader:
    """`step` runs in one thread; `ask` may be called from a signal handler."""

    def __init__(
        self,
        file: Path,
        settings: Settings,
        clock: Clock,
        store: Store,
        *,
        use: Callable[[Settings], None],
        token_changed: Callable[[], None],
        tell_systemd: Callable[[str], None],
    ) -> None:
        """`use` swaps the rules; it is given what is in force from then on."""
        self._file = file
        self._settings = settings
        self._clock = clock
        self._store = store
        self._use = use
        self._token_changed = token_changed
        self._tell_systemd = tell_systemd
        self._watch: FolderWatch | None = None
        self._watch_again_s = float("-inf")
        self._asked = False
        self._news_since_s: float | None = None
        self._look_at_s = float("-inf")
        self._seen = _digest(file)
        self._seen_token = _digest(self._token_file)
        self.refused: str | None = None  # why the file is not in force

    def ask(self) -> None:
        """SIGHUP: read the file whether it changed or not.  Takes no lock."""
        self._asked = True

    def step(self, now_s: float) -> float:
        """Look for news and reload; when to be called again (monotonic s)."""
        asked, self._asked = self._asked, False
        self._listen(now_s)
        if not asked and now_s < self._look_at_s:
            return min(self._look_at_s, now_s + LOOK_S)
        self._news_since_s = None
        self._look_at_s = now_s + AFRESH_S
        seen = _digest(self._file)
        if asked or seen != self._seen:
            self._seen = seen
            self._reload()
        self._look_at_token()
        return now_s + LOOK_S

    def close(self) -> None:
        """After the last step."""
        if self._watch is not None:
            self._watch.close()

    @property
    def _token_file(self) -> Path:
        return Path(self._settings.ofd.token_file)

    def _listen(self, now_s: float) -> None:
        """Put the look off until the folder is quiet."""
        if self._watch is None and now_s >= self._watch_again_s:
            self._watch_again_s = now_s + AFRESH_S
            try:
                self._watch = FolderWatch((self._file, self._token_file))
            except (OSError, ImportError, MemoryError) as error:
                log.event(Event.SETTINGS_UNWATCHED, error=repr(error), looks_every_s=AFRESH_S)
        if self._watch is not None and self._watch.changed():
            if self._news_since_s is None:
                self._news_since_s = now_s
            self._look_at_s = min(now_s + QUIET_S, self._news_since_s + QUIET_MAX_S)

    def _look_at_token(self) -> None:
        seen = _digest(self._token_file)
        if seen is not None and seen != self._seen_token:
            self._seen_token = seen
            self._note(Event.OFD_TOKEN_CHANGED)
            self._token_changed()

    def _reload(self) -> None:
        """systemd hears of the end too when the file is refused: it would wait for it."""
        now_us = int(self._clock.monotonic_s() * 1_000_000)
        self._tell_systemd(f"RELOADING=1\nMONOTONIC_USEC={now_us}")
        try:
            found = load(self._file)
            require_complete(found)
        except BadConfig as error:
            self._refuse(error)
        else:
            self.refused = None
            self._apply(found)
        finally:
            self._tell_systemd("READY=1")

    def _refuse(self, error: BadConfig) -> None:
        facts = {"reason": str(error), **error.details}
        place = [f"{name} {facts[name]}" for name in ("line", "key") if name in facts]
        self.refused = ", ".join((*place, str(error.details.get("reason", error))))
        self._note(Event.SETTINGS_REFUSED, facts=facts)
        self._tell_systemd(f"STATUS=settings refused: {self.refused}")

    def _apply(self, found: Settings) -> None:
        merged, taken, waiting = merge_live(self._settings, found)
        if taken:
            self._settings = merged
            self._use(merged)
        # Of SIGHUP too when nothing changed: who asked wants an answer.
        self._note(Event.SETTINGS_APPLIED, changed={key: value_of(merged, key) for key in taken})
        if waiting:
            self._note(Event.SETTINGS_NEED_RESTART, keys=waiting)

    def _note(self, event: Event, **facts: Any) -> None:
        """In the log and, while there is a store, in the journal."""
        log.event(event, **facts)
        now_ms = int(self._clock.wall_s() * 1000)
        with suppress(StoreUnavailable):
            self._store.write(lambda db: journal.append(db, event, now_ms, **facts))


def _digest(file: Path) -> bytes | None:
    """What the file holds now, as a fingerprint: no token is kept; None while it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return None
