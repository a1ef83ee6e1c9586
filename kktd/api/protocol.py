"""HTTP/1.1 at the socket: uvicorn's h11 protocol with the deadlines and the cap it lacks.

A request's header has to be whole in `HEADER_S`, and so has the rest of a body nobody waits for any
more; bodies that are read have their own limit (api/body.py).
"""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections.abc import MutableSet
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEADER_S: Final = 8.0
WRITE_BUFFER_BYTES: Final = 64 * 1024  # for one who reads slowly; asyncio takes 512 KiB with TLS


class GuardedHttp(H11Protocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        max_connections: int = 256,
        draining: asyncio.Event,
        silent: MutableSet[GuardedHttp],
    ) -> None:
        """`silent`: where it is until its first request.  `draining`: no second one is taken."""
        # A stream nobody reads can be cut by the application (scope["state"], api/stream.py).
        state = {**app_state, "abort": self._abort}
        super().__init__(config, server_state, state, _loop)
        self._max_connections = max_connections
        self._draining = draining
        self._silent = silent
        self._cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._max_connections:
            transport.abort()
            return
        _send_at_once(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._owes_bytes():
            self._arm()
        super().data_received(data)
        if not self._owes_bytes():
            self._disarm()
        if self.cycle is not None:
            self._silent.discard(self)
            if self._draining.is_set():
                self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent.discard(self)
        self._disarm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, in the API's form."""
        body = json.dumps(
            {
                "code": "MALFORMED",
                "message": "Запрос не разобран: это не HTTP.",
                "details": {"reason": msg},
                "id": str(uuid.uuid4()),
            },
            ensure_ascii=False,
        ).encode()
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _owes_bytes(self) -> bool:
        """The client has to send more, and the application does not watch it."""
        theirs, ours = self.conn.their_state, self.conn.our_state
        return theirs is h11.IDLE or (theirs is h11.SEND_BODY and ours is h11.DONE)

    def _arm(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(HEADER_S, self.transport.abort)

    def _disarm(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


def _send_at_once(transport: asyncio.Transport) -> None:
    """Header and body leave in two writes: without this the second waits 40 ms for an ACK.

    asyncio does it only for sockets made with the protocol number in their own hands.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
