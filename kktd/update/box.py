"""The box as its firmware sees it: which version runs, which others could, what is proven.

Source: [BOOT] automatic boot assessment: `kktd_V+LEFT-DONE.efi` is on trial, `kktd_V.efi` proven.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kktd.update.state import STATE, UpdateState, load, sync_folder

IMAGE: Final = re.compile(r"kktd_(?P<version>[\w.~-]+?)(\+(?P<left>\d+)(-(?P<done>\d+))?)?\.efi")
TRIES: Final = 3
COMMAND_S: Final = 60


@dataclass(frozen=True, slots=True)
class Image:
    """`tries_left` is None for one that was proven."""

    version: str
    tries_left: int | None
    file: Path


@dataclass(frozen=True, slots=True)
class Box:
    """Where things are; another root for tests."""

    root: Path = Path("/")

    def version(self) -> str | None:
        """Of the running image; None where this is none."""
        return _os_release(self.root).get("IMAGE_VERSION")

    def boot_id(self) -> str:
        file = self.root / "proc/sys/kernel/random/boot_id"
        return file.read_text(encoding="ascii").strip()

    def images(self) -> list[Image]:
        """What the ESP can boot, the newest first."""
        folder = self.root / "efi/EFI/Linux"
        found = []
        for file in folder.iterdir() if folder.is_dir() else ():
            if match := IMAGE.fullmatch(file.name):
                left = match["left"]
                found.append(Image(match["version"], None if left is None else int(left), file))
        return sorted(found, key=lambda image: order(image.version), reverse=True)

    def proven(self) -> bool:
        """Whether the running version passed its check."""
        running = self.version()
        return any(one.version == running and one.tries_left is None for one in self.images())

    def fallback(self) -> Image | None:
        """The version a rejected one gives way to."""
        running = self.version()
        others = [one for one in self.images() if one.version != running]
        return next((one for one in others if one.tries_left is None), None)

    def reject(self, version: str) -> None:
        """No boot takes it any more; raises OSError."""
        for image in self.images():
            if image.version == version:
                image.file.replace(image.file.with_name(f"kktd_{version}+0-{TRIES}.efi"))
                sync_folder(image.file.parent)


def order(version: str) -> tuple[tuple[int, int | str], ...]:
    """For comparing: numbers as numbers, a word before the end (1.0~rc1 < 1.0)."""
    parts = re.findall(r"\d+|[A-Za-z~]+", version)
    known = [(1, int(one)) if one.isdigit() else (-1, one) for one in parts]
    return (*known, (0, 0))


def said_by(command: Sequence[str], timeout_s: float = COMMAND_S) -> tuple[int, str]:
    """Exit code and both streams of a program of the system; raises OSError, TimeoutExpired."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def _os_release(root: Path) -> dict[str, str]:
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            lines = (root / name).read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        return {key: value.strip('"') for key, _, value in pairs}
    return {}


def seen_by(box: Box, now_s: float) -> UpdateState | None:
    """What stands in the state file, for the version that runs; None where this is no image."""
    running = box.version()
    return None if running is None else load(STATE).settle(running, box.boot_id(), now_s)
