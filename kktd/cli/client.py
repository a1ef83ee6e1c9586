"""How `kktctl` reaches the daemon: root's Unix socket, or HTTPS with a token from afar."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

TIMEOUT_S: Final = 30.0  # a sale waits 10 s, a Z-report longer than a person does


class Unreachable(Exception):
    """Nobody answers there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask: `url` wins over the socket."""

    socket: Path
    url: str | None = None
    token: str | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the parsed JSON."""

    status: int
    body: dict[str, Any]

    @property
    def fine(self) -> bool:
        return self.status < 400


class Client:
    """One request a call; each on its own connection."""

    def __init__(self, target: Target, language: str) -> None:
        self._target = target
        self._language = language

    def ask(
        self, method: str, path: str, body: object = None, *, timeout_s: float = TIMEOUT_S
    ) -> Reply:
        """Raises Unreachable.  What changes something gets a key of its own."""
        headers = {"Accept-Language": self._language}
        if self._target.token:
            headers["Authorization"] = f"Bearer {self._target.token}"
        if method != "GET":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        try:
            connection = self._connect(timeout_s)
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                return Reply(answer.status, json.loads(answer.read() or b"{}"))
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(str(error)) from error

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._target.url is None:
            return _UnixConnection(self._target.socket, timeout_s)
        parts = urlsplit(self._target.url)
        if parts.scheme != "https" or not parts.hostname:
            raise Unreachable(f"not an https address: {self._target.url}")
        ca_file = self._target.ca_file
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        return http.client.HTTPSConnection(
            parts.hostname, parts.port or 443, timeout=timeout_s, context=context
        )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
