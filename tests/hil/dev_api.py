"""The developer's side of the till's API: the Unix socket of root, and HTTPS with the till's CA."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import uuid
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ROLES: Final = ("cashier", "supervisor", "engineer", "admin")
TIMEOUT_S: Final = 15.0
Answer = tuple[int, Any]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask_as_root(path: Path, method: str, target: str, body: object = None) -> Answer:
    """Over the Unix socket; raises OSError when nobody answers."""
    return _ask(UnixConnection(path), method, target, body, {})


def ask(
    base: str, ca_file: Path, token: str, method: str, target: str, body: object = None
) -> Answer:
    """Over HTTPS, with a fresh idempotency key; the certificate must be the till's."""
    parts = urlsplit(base)
    context = ssl.create_default_context(cafile=str(ca_file))
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context
    )
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
    return _ask(connection, method, target, body, headers)


def mint_token(path: Path, role: str) -> str:
    status, answer = ask_as_root(path, "POST", "/v1/tokens", {"role": role, "name": f"dev {role}"})
    if status not in (200, 201):
        raise RuntimeError(f"POST /v1/tokens for {role} answered {status} {answer}")
    return str(answer["token"])


def token_works(base: str, ca_file: Path, token: str) -> bool:
    """Any answer but 401 comes from behind the door."""
    status, _ = ask(base, ca_file, token, "GET", f"/v1/kkt/receipt/{uuid.UUID(int=0)}")
    return status != 401


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: object,
    headers: dict[str, str],
) -> Answer:
    text = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    if text is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, target, text, headers)
        response = connection.getresponse()
        content = response.read()
        try:
            return response.status, json.loads(content or b"null")
        except ValueError:
            return response.status, content.decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"{method} {target}: {error!r}") from error
    finally:
        connection.close()
