"""The check that proves a version after its first boots; what fails it rejects the version.

A printer that cannot be there (no device, nobody at the address) is known to be absent and fails
nothing: people switch tills on before printers.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from kktd.clock import Clock, Deadline
from kktd.config import Settings
from kktd.errors import KktdError
from kktd.update.dry_run import dry_run

READY_MS: Final = 150_000  # on a slow box with an old database
DEATHS_MAX: Final = 5  # then nobody waits for the rest of the time
PRINTER_MS: Final = 60_000
LOOK_S: Final = 1.0
CONNECT_S: Final = 3.0
USB: Final = Path("/sys/bus/usb/devices")

Ask = Callable[[str], tuple[int, Mapping[str, Any]]]  # GET of a path; raises OSError while silent


class Failed(Exception):
    """`reason` is a name of reasons.FAILURES, the text a detail in English."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Trial:
    """`settings` is None on a till nobody has provisioned: then nothing can sell or fail."""

    ask: Ask
    settings: Settings | None
    clock: Clock
    printer_counts: bool = True
    deaths: Callable[[], int] = lambda: 0  # of the daemon since the boot

    def run(self) -> None:
        """Raises Failed."""
        self.check_store_code()
        if self.settings is None:
            return
        self.check_ready()
        self.check_database()
        if self.printer_counts:
            self.check_printers(self.settings)

    def check_store_code(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="kktd-trial-") as folder:
                dry_run(Path(folder), self.clock)
        except (KktdError, OSError) as error:
            raise Failed("dry_run", f"{type(error).__name__}: {error}") from error

    def check_ready(self) -> None:
        def over() -> bool:
            return self._get("/v1/ready")[0] == 200 or self.deaths() >= DEATHS_MAX

        if not self._wait(READY_MS, over) or self.deaths() >= DEATHS_MAX:
            raise Failed("not_ready")

    def check_database(self) -> None:
        _, health = self._get("/v1/health")
        _, salvage = self._get("/v1/salvage")
        if not health or health["components"]["disk"]["status"] == "unhealthy":
            raise Failed("database", "the disk fails or is full")
        found = salvage.get("salvage")
        if found is not None and found["confirmed_by"] is None:
            raise Failed("database", "it was damaged and nobody confirmed what was salvaged")

    def check_printers(self, settings: Settings) -> None:
        """Each answered since the start, or is not there."""
        silent: list[str] = []

        def all_answered() -> bool:
            _, health = self._get("/v1/health")
            printers = health["components"]["printers"] if health else {}
            silent[:] = [
                name
                for name, lane in settings.lanes.items()
                if not (printers.get(name) or {}).get("model")
            ]
            return not silent or all(is_absent(settings.lanes[one].url) for one in silent)

        if not self._wait(PRINTER_MS, all_answered):
            raise Failed("printer", ", ".join(silent))

    def _get(self, path: str) -> tuple[int, Mapping[str, Any]]:
        try:
            return self.ask(path)
        except OSError:
            return 0, {}

    def _wait(self, limit_ms: int, what: Callable[[], bool]) -> bool:
        by, pause = Deadline.after_ms(self.clock, limit_ms), threading.Event()
        while not what():
            if by.left_s() <= 0:
                return False
            pause.wait(LOOK_S)
        return True


def is_absent(url: str, usb: Path = USB) -> bool:
    """Whether nothing can be at the other end: no such device, nobody at the address."""
    parts = urlsplit(url)
    if parts.scheme == "usb":
        return parts.netloc.lower() not in _usb_ids(usb) if parts.netloc else not _usb_ids(usb)
    if parts.scheme == "tcp":
        try:
            address = (parts.hostname or "", parts.port or 0)
            socket.create_connection(address, CONNECT_S).close()
        except OSError:
            return True
        return False
    return not Path(parts.path).exists()


def _usb_ids(folder: Path) -> set[str]:
    found = set()
    for device in folder.iterdir() if folder.is_dir() else ():
        try:
            pair = [(device / f"id{one}").read_text().strip() for one in ("Vendor", "Product")]
        except OSError:
            continue
        found.add(":".join(pair).lower())
    return found
