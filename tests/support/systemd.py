"""What systemd hears of the daemon."""

from __future__ import annotations

import socket
import time
from pathlib import Path


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.05)
        self.heard: list[str] = []

    def listen(self, seconds: float, until: str) -> bool:
        """Whether a message with `until` came in time."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            try:
                self.heard += self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
            if any(until in line for line in self.heard):
                return True
        return False

    def close(self) -> None:
        self._socket.close()
