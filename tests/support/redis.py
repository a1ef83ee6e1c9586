"""A real redis-server, to be killed, frozen and started again."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import redis


class RedisServer:
    """Nothing survives its end: as of a Redis that keeps no files."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.password = password
        self._folder = folder
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), "--logfile", str(self._folder / "redis.log")]
        if self.password:
            command += ["--requirepass", self.password]
        self._process = subprocess.Popen(command)
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            with contextlib.suppress(redis.ConnectionError):
                self.client().ping()
                return
            time.sleep(0.02)
        raise TimeoutError((self._folder / "redis.log").read_text())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(
            self.url, password=self.password, decode_responses=True, protocol=2
        )

    def find(self, key: str) -> Any:
        """The value, or None."""
        return self.client().get(key)

    def expire(self, key: str) -> None:
        """Its TTL passes now."""
        self.client().pexpire(key, 1)
        while self.find(key) is not None:
            time.sleep(0.002)

    def close(self) -> None:
        self.thaw()
        self.kill()
