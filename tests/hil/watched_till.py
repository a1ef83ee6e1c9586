"""The virtual till with root's eyes in it: for tests that ask what only root sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from look import Failed, Look
from virtual_till import VirtualTill

BOOT_S: Final = 900.0  # emulated, on a busy machine


class WatchedTill(VirtualTill):
    """With root's eyes in it."""

    def __init__(self, folder: Path, image: Path, ports: dict[str, int]) -> None:
        super().__init__(folder, image, ports)
        self.look = Look(self)

    def make(self) -> None:
        super().make()
        self.look.install()

    def power_on(self, extra: Sequence[str] = ()) -> None:
        super().power_on([*extra, *self.look.machine()])

    def wait(self, what: Callable[[], bool], within_s: float = BOOT_S) -> float:
        """Seconds it took; TimeoutError after `within_s`."""
        started_s = time.monotonic()
        while not what():
            if time.monotonic() - started_s > within_s:
                raise TimeoutError(self.console)
            time.sleep(1)
        return time.monotonic() - started_s

    def version(self) -> str:
        """Of the running image; empty while nobody answers."""
        try:
            return self.look.run(". /etc/os-release; echo $IMAGE_VERSION", 20).strip()
        except (OSError, ValueError, Failed):
            self.look.close()
            return ""

    def images(self) -> list[str]:
        """On the ESP; none while nobody answers."""
        try:
            return sorted(self.look.run("ls /efi/EFI/Linux", 60).split())
        except (OSError, ValueError, Failed):
            self.look.close()
            return []

    def status(self) -> str:
        return self.look.ask("LANG=C kktctl update status")[1]

    def sells(self) -> bool:
        try:
            status, health = self.ask("/v1/health")
        except (OSError, ValueError):
            return False
        return status == 200 and bool(health["can_sell"])
