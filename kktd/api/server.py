"""The listeners: one uvicorn Server each, with its own principal, in one thread with one loop.

uvicorn gives every socket of a Server the same TLS, so each listener has a Server of its own; TLS
stands on the LAN alone.  Half a header, half a handshake and too many connections are cut here,
before the application sees anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from kktd import log
from kktd.api.app import Api
from kktd.api.call import Listener
from kktd.api.protocol import GuardedHttp
from kktd.clock import Deadline
from kktd.events import Event

BACKLOG: Final = 128
HANDSHAKE_S: Final = 5.0
GRACEFUL_S: Final = 5  # what is under way may finish; then it is cut
TLS_BUFFER_BYTES: Final = 32 * 1024  # two records; asyncio takes 256 KiB for every connection
TICK_S: Final = 1.0  # uvicorn renews its Date header so often


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that is bound (or was inherited bound) and the kind of caller behind it."""

    listener: Listener
    sock: socket.socket
    tls: ssl.SSLContext | None = None


class ApiServer:
    """`start` returns when every listener accepts; `stop` when the thread has ended."""

    def __init__(self, api: Api, bound: tuple[Bound, ...], *, max_connections: int = 256) -> None:
        self._api = api
        self._bound = bound
        self._max_connections = max_connections
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[_Server] = []
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def start(self) -> None:
        """Raises what kept it from listening."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def stop(self, by: Deadline) -> bool:
        """Answer those who wait, refuse new ones, end; False if it did not end in time."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(self._halt)
        self._thread.join(by.left_s())
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _halt(self) -> None:
        self._api.runtime.halt.set()
        for server in self._servers:
            server.should_exit = True
            server.wake.set()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the thread's top: told to start(), or logged
            if self._started.is_set():
                log.event(Event.WORKER_FAILED, worker="api", error=repr(error))
            else:
                self._error = error
        finally:
            self._api.runtime.close()
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._servers = [
            _Server(self._config(bound.listener), bound.tls, self._max_connections)
            for bound in self._bound
        ]
        pairs = zip(self._servers, self._bound, strict=True)
        running = [asyncio.create_task(server.serve([bound.sock])) for server, bound in pairs]
        listening = [asyncio.create_task(server.listening.wait()) for server in self._servers]
        all_listen = asyncio.gather(*listening)
        first = asyncio.gather(*running)
        either: list[asyncio.Future[Any]] = [all_listen, first]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            all_listen.cancel()
            first.result()
        self._started.set()
        await first

    def _config(self, listener: Listener) -> uvicorn.Config:
        return uvicorn.Config(
            self._api.behind(listener),
            http=GuardedHttp,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=GRACEFUL_S,
        )


class _Server(uvicorn.Server):
    """uvicorn's Server with a handshake limit, a connection cap and a loop that can be woken."""

    def __init__(
        self, config: uvicorn.Config, tls: ssl.SSLContext | None, max_connections: int
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._max_connections = max_connections
        self.listening = asyncio.Event()
        self.wake = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on our own sockets; uvicorn's version offers no handshake limit."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        limits: dict[str, Any] = {}
        if self._tls is not None:
            SSLProtocol.max_size = TLS_BUFFER_BYTES
            limits = {
                "ssl": self._tls,
                "ssl_handshake_timeout": HANDSHAKE_S,
                "ssl_shutdown_timeout": HANDSHAKE_S,
            }
        await self.on_tick(0)  # the Date header of the first second
        self.servers = [
            await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG, **limits)
            for sock in sockets or []
        ]
        self.started = True
        self.listening.set()

    def _protocol(self) -> GuardedHttp:
        return GuardedHttp(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            max_connections=self._max_connections,
        )

    async def main_loop(self) -> None:
        """As uvicorn's, one wake-up a second instead of ten: a till idles most of its life."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), TICK_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's."""
        yield
