"""An update, step by step: may it be, is it ours, is it here, is it in the other slot.

Until systemd-sysupdate has written the boot image, which it does last, the running version is the
only one; after it, the next boot tries the new one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kktd.clock import Clock
from kktd.update.box import Box, order, said_by
from kktd.update.release import Release, UpdateRefused, read_release
from kktd.update.source import Source, Tell, copy_release, read_signed
from kktd.update.state import FOLDER, Failure, Pending, Progress, UpdateState, load, save

SYSUPDATE: Final = "/usr/lib/systemd/systemd-sysupdate"
INSTALL_S: Final = 1_800
STEP_PERCENT: Final = 5  # between two marks of the progress
COPIED_PERCENT: Final = 60  # the rest is writing

Health = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Installer:
    """Of one box; `write` puts a copied release into the other slot."""

    box: Box
    clock: Clock
    keys: list[Ed25519PublicKey]
    folder: Path = FOLDER
    write: Callable[[str, Path], None] = field(default=lambda version, _: write_slot(version))

    def check(self, source: Source) -> Release:
        """A release of ours that is newer; raises UpdateRefused."""
        running = self._running()
        release = read_release(*read_signed(source), self.keys)
        rejected = self.state().rejected
        too_old = order(release.version) <= order(running)
        if too_old or (rejected is not None and rejected.version == release.version):
            raise UpdateRefused("not_newer", release.version)
        return release

    def apply(self, source: Source, health: Health | None, unsent_max: int, tell: Tell) -> Release:
        """Returns with the release in the other slot: a restart tries it.  Raises UpdateRefused."""
        refuse_unfit(self.box, health, unsent_max)
        release = self.check(source)
        try:
            note = self._notes(release, tell)
            note(0)
            copy_release(
                source,
                release,
                self.folder / "incoming",
                lambda percent: note(percent * COPIED_PERCENT // 100),
            )
            note(COPIED_PERCENT)
            self.write(release.version, self.folder / "incoming")
            # Written after it: a cut in between leaves no word of an image that is not there, and
            # a version that is there tells of itself at its check.
            pending = Pending(release.version, self.box.boot_id(), self.clock.wall_s())
            self._save(replace(self.state(), pending=pending, failure=None, progress=None))
        except BaseException:
            self._save(replace(self.state(), progress=None))
            raise
        for file in (self.folder / "incoming").iterdir():
            file.unlink()
        return release

    def roll_back(self, health: Health | None, unsent_max: int) -> str:
        """The version that the next boot takes; raises UpdateRefused."""
        running, other = self._running(), self.box.fallback()
        if other is None:
            raise UpdateRefused("no_other")
        refuse_unfit(self.box, health, unsent_max, proven=True)
        now_s = self.clock.wall_s()
        self._save(UpdateState(rejected=Failure(running, "by_hand", "", now_s)))
        self.box.reject(running)
        return other.version

    def state(self) -> UpdateState:
        """As it is now, for the version that runs."""
        found = load(self.folder / "state.json")
        return found.settle(self._running(), self.box.boot_id(), self.clock.wall_s())

    def _running(self) -> str:
        running = self.box.version()
        if running is None or not self.box.images():
            raise UpdateRefused("no_slots")
        return running

    def _notes(self, release: Release, tell: Tell) -> Tell:
        """For eyes and for the page, each few percent once."""
        last = [-STEP_PERCENT]

        def note(percent: int) -> None:
            if percent - last[0] >= STEP_PERCENT:
                last[0] = percent
                progress = Progress(release.version, percent, self.clock.wall_s())
                self._save(replace(self.state(), progress=progress))
                tell(percent)

        return note

    def _save(self, state: UpdateState) -> None:
        save(state, self.folder / "state.json")


def refuse_unfit(box: Box, health: Health | None, unsent_max: int, *, proven: bool = False) -> None:
    """Raises UpdateRefused when this is no moment for it.  `proven`: do not ask whether this
    version is."""
    if not proven and not box.proven():
        raise UpdateRefused("not_blessed")
    if health is None:
        raise UpdateRefused("daemon_silent")
    parts = health["components"]
    if parts.get("power", {}).get("state", "mains") != "mains":
        raise UpdateRefused("on_battery")
    unsent = parts["buffer"]["current_queued"]
    shifts = [one["shift"] for one in parts["printers"].values()]
    if unsent > unsent_max and any(shift != "closed" for shift in shifts):
        raise UpdateRefused("unsent", f"{unsent} receipts, {unsent_max} allowed")


def write_slot(version: str) -> None:
    """Into the other slot, the boot image last; raises UpdateRefused."""
    try:
        code, said = said_by((SYSUPDATE, "--verify=no", "update", version), INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpdateRefused("not_written", str(error)) from error
    if code != 0:
        raise UpdateRefused("not_written", said[-400:])
