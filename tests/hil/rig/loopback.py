"""A small HTTP/1.1 server for the rig: loopback only, and able to misbehave on the wire.

The standard server cannot close its listener and open it again on the same port, nor stop in the
middle of an answer; both are what a till has to live through.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

LOOPBACK: Final = "127.0.0.1"
BODY_BYTES_MAX: Final = 4 << 20
IDLE_S: Final = 120.0  # a client that says nothing holds its thread no longer than this
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST


class Sent(Enum):
    """How much of an answer leaves before the connection closes."""

    ALL = "all"
    HALF = "half"
    NOTHING = "nothing"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as read from the wire; `gone` tells whether its sender has hung up."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    gone: Callable[[], bool] = field(default=lambda: False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `body` is sent as JSON, bytes as they are with the type in `headers`."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: Sent = Sent.ALL


Respond = Callable[[Request], Reply]


class LoopbackServer:
    """Serves `respond`, one thread a connection."""

    def __init__(self, respond: Respond, port: int = 0, reset: Callable[[], bool] | None = None):
        """`reset` is asked at each new connection; True answers it with RST."""
        self._respond, self._reset = respond, reset
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.closing = threading.Event()
        # Bound and never listening: it keeps the port ours while the listener is away.
        self._holder = _bound(port)
        self.port: int = self._holder.getsockname()[1]
        try:
            self.open()
        except OSError:
            self._holder.close()
            raise

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def open(self) -> None:
        """Listen (again); harmless when it does already."""
        with self._lock:
            if self._listener is not None or self.closing.is_set():
                return
            listener = _bound(self.port)
            try:
                listener.listen(128)
            except OSError:
                listener.close()
                raise
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        """Stop listening and reset every connection: from now on connecting is refused."""
        with self._lock:
            listener, self._listener = self._listener, None
            if listener is not None:
                _shut(listener)  # wakes accept(), which close() alone does not
                listener.close()
            for connection in self._connections:  # leave the set before they are closed
                _reset_on_close(connection)
                _shut(connection)

    def close(self) -> None:
        self.closing.set()
        self.refuse()
        self._holder.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    connection.close()
                    return
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        try:
            if self._reset is not None and self._reset():
                _reset_on_close(connection)
                return
            _Connection(connection, peer, self._respond)
        except OSError:
            pass  # the client left, or refuse() took the socket away
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Connection(BaseHTTPRequestHandler):
    """Requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True  # or a keep-alive answer waits 40 ms for the client's ACK
    wbufsize = -1  # head and body leave in one segment

    def __init__(self, connection: socket.socket, peer: tuple[str, int], respond: Respond) -> None:
        self._respond = respond
        # The base class wants a server only to hand it on; it is never asked for anything here.
        super().__init__(connection, peer, None)  # type: ignore[arg-type]

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self._send(Reply(413, {"error": "the body is too long or has no length"}))
            self.close_connection = True
            return
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            gone=lambda: _hung_up(self.connection),
        )
        self._send(self._respond(request))

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = _handle

    def _send(self, reply: Reply) -> None:
        head = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}"]
        if isinstance(reply.body, bytes):
            body = reply.body
        else:
            body = json.dumps(reply.body, ensure_ascii=False).encode()
            head.append("Content-Type: application/json")
        head.append(f"Content-Length: {len(body)}")
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.sent is not Sent.ALL:
            self.close_connection = True
        if reply.sent is Sent.RESET:
            _reset_on_close(self.connection)
        if reply.sent in (Sent.NOTHING, Sent.RESET):
            return
        if self.command == "HEAD":
            body = b""
        cut = len(body) // 2 if reply.sent is Sent.HALF else len(body)
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + body[:cut])
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the requests are kept by who answers them."""


def _bound(port: int) -> socket.socket:
    """With SO_REUSEADDR the port may be bound twice while nobody listens, and not otherwise."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def _reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected any more
        connection.shutdown(socket.SHUT_RDWR)


def _hung_up(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
