"""The listeners: one uvicorn Server each, with its own principal, in one thread with one loop.

uvicorn gives every socket of a Server the same TLS, so each listener has a Server of its own; TLS
stands on the LAN alone.  Half a header, half a handshake and too many connections are cut here,
before the application sees anything.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import ssl
import threading
import weakref
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from kktd import log
from kktd.api.app import Api
from kktd.api.call import Listener
from kktd.api.protocol import GuardedHttp
from kktd.clock import Clock, Deadline
from kktd.events import Event

BACKLOG: Final = 128
HANDSHAKE_S: Final = 5.0
GOODBYE_S: Final = 1.0  # for the other end of a TLS connection; idle clients say none
GRACEFUL_S: Final = 5  # what is under way may finish; then it is cut
TLS_BUFFER_BYTES: Final = 32 * 1024  # two records; asyncio takes 256 KiB for every connection
DRAIN_LOOK_S: Final = 0.01
TICK_S: Final = 1.0  # uvicorn renews its Date header so often
LATE_S: Final = 10.0  # a loop that has not turned for so long hangs


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that is bound and the kind of caller behind it.

    `inherited`: systemd holds it too, so whoever comes while nobody accepts waits for the next
    daemon instead of being refused.
    """

    listener: Listener
    sock: socket.socket
    tls: ssl.SSLContext | None = None
    inherited: bool = False


class ApiServer:
    """`start` returns when every listener accepts; `stop` when the thread has ended."""

    def __init__(
        self, api: Api, bound: tuple[Bound, ...], clock: Clock, *, max_connections: int = 256
    ) -> None:
        self._api = api
        self._bound = bound
        self._clock = clock
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

    def drain(self, by: Deadline) -> bool:
        """Leave those who come now to the next daemon; whether a socket is inherited for it.

        Returns when everyone who came before has made a request, or at the deadline.
        """
        loop = self._loop
        if loop is None or not any(bound.inherited for bound in self._bound):
            return False
        drained = asyncio.run_coroutine_threadsafe(self._drain(), loop)
        with contextlib.suppress(concurrent.futures.TimeoutError, RuntimeError):
            drained.result(by.left_s())
        return True

    def stop(self, by: Deadline) -> bool:
        """Answer those who wait, refuse new ones, end; False if it did not end in time."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(self._halt)
        self._thread.join(by.left_s())
        return not self._thread.is_alive()

    def on_time(self) -> bool:
        """Whether the loop still turns, for the watchdog."""
        now_s = self._clock.monotonic_s()
        return self._thread.is_alive() and all(
            now_s - server.ticked_s <= LATE_S for server in self._servers
        )

    async def _drain(self) -> None:
        pairs = zip(self._servers, self._bound, strict=True)
        draining = [server for server, bound in pairs if bound.inherited]
        for server in draining:
            server.drain()
        halt = self._api.runtime.halt
        while not halt.is_set():
            with contextlib.suppress(TimeoutError):
                # Before the first look too: asyncio accepts, and makes the connection later.
                await asyncio.wait_for(halt.wait(), DRAIN_LOOK_S)
            if not any(server.silent for server in draining):
                return

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
            _Server(self._config(bound.listener), bound.tls, self._max_connections, self._clock)
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
        self, config: uvicorn.Config, tls: ssl.SSLContext | None, max_connections: int, clock: Clock
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._clock = clock
        self.ticked_s = clock.monotonic_s()
        self._max_connections = max_connections
        self._draining = asyncio.Event()
        self.listening = asyncio.Event()
        self.wake = asyncio.Event()
        # Accepted, and no request came yet: a handshake, half a header.  One that ends forgets it.
        self.silent: weakref.WeakSet[GuardedHttp] = weakref.WeakSet()

    def drain(self) -> None:
        """Accept no more; each connection ends after the request it makes or has made."""
        self._draining.set()
        loop = asyncio.get_running_loop()
        for sock in (sock for one in self.servers for sock in one.sockets):
            # Not closed yet: asyncio would drop what it has accepted and not made a transport of.
            loop.remove_reader(sock.fileno())
        for connection in list(self.server_state.connections):
            if isinstance(connection, GuardedHttp) and connection not in self.silent:
                connection.shutdown()

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
                "ssl_shutdown_timeout": GOODBYE_S,
            }
        await self.on_tick(0)  # the Date header of the first second
        self.servers = [
            await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG, **limits)
            for sock in sockets or []
        ]
        self.started = True
        self.listening.set()

    def _protocol(self) -> GuardedHttp:
        connection = GuardedHttp(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            max_connections=self._max_connections,
            draining=self._draining,
            silent=self.silent,
        )
        self.silent.add(connection)
        return connection

    async def main_loop(self) -> None:
        """As uvicorn's, one wake-up a second instead of ten: a till idles most of its life."""
        while not await self.on_tick(0):
            self.ticked_s = self._clock.monotonic_s()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), TICK_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's."""
        yield
