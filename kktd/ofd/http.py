"""One HTTP exchange at a time under a deadline for the whole of it.

`requests` bounds each read and not their sum, and nothing bounds the resolver: dripped bytes or a
dead name server would hold a till for minutes.  So a thread of its own asks, and when the deadline
passes its socket is shut, the thread is left to end by itself and the next exchange gets a new one.
No redirects, no cookies, no proxies, nothing from the environment: the adapter is used bare.
"""

from __future__ import annotations

import errno
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter

from kktd.clock import Deadline
from kktd.ofd.channel import DeliveryError, Misconfigured, Unavailable, Unknown

BODY_BYTES_MAX: Final = 64 << 10  # an acknowledgement has a few hundred
OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
LEAST_TIMEOUT_S: Final = 0.001  # 0 would mean a socket that does not block

_FAILURES: Final = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a name or header no request can carry
)


def bearer(token: Callable[[], str]) -> str:
    """The Authorization of a token read now.

    Raises Misconfigured, without a word of the token, when there is none or no header can carry it,
    Unavailable when this machine has no descriptor or memory left to read it: that passes.
    """
    try:
        text = token().strip()
    except OSError as error:
        kind = Unavailable if error.errno in OUT_OF_RESOURCES else Misconfigured
        raise kind(f"token: {type(error).__name__}") from error
    except ValueError as error:
        raise Misconfigured(f"token: {type(error).__name__}") from error
    if not text or not text.isascii() or not text.isprintable():
        raise Misconfigured("token: none, or no text a header can carry")
    return f"Bearer {text}"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer, whatever its status.  `headers` finds names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def reason(self) -> str:
        """`503 Service Unavailable`, the phrase from the standard and not from the wire."""
        return f"{self.status} {http.client.responses.get(self.status, '')}".rstrip()


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What to send, and where the thread puts what came of it."""

    request: requests.PreparedRequest
    by: Deadline
    outcome: queue.SimpleQueue[HttpAnswer | BaseException] = field(
        default_factory=queue.SimpleQueue
    )


class HttpLine:
    """Keeps one connection alive.  One caller thread."""

    def __init__(self, ca_file: str | None = None, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        """`ca_file`: a CA bundle, or None for the system's."""
        self._verify: str | bool = ca_file or _system_authorities()
        self._body_bytes_max = body_bytes_max
        self._asker: _Asker | None = None
        self._prepared: requests.PreparedRequest | None = None
        self._prepared_url = ""

    def ask(
        self,
        method: str,
        url: str,
        by: Deadline,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Any complete answer; back by the deadline, over whatever the server does.

        Raises Unavailable when nothing was sent (no name, no connection, no TLS) and Unknown when
        something was and no whole answer of at most `body_bytes_max` came.
        """
        request = self._prepare(method, url, headers, body)
        exchange = _Exchange(request, by)
        asker = self._asker
        if asker is None:
            asker = self._asker = _Asker(self._verify, self._body_bytes_max)
            asker.start()
        asker.todo.put(exchange)
        try:
            outcome = exchange.outcome.get(timeout=max(LEAST_TIMEOUT_S, by.left_s()))
        except queue.Empty:
            self.close()
            if asker.wire.cut():
                raise Unknown("AnswerTimeout") from None
            raise Unavailable("ConnectionTimeout") from None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _prepare(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.PreparedRequest:
        """Parsing the same address again for each receipt would cost as much as sending it."""
        if self._prepared is None or (self._prepared.method, self._prepared_url) != (method, url):
            try:
                self._prepared = requests.Request(method, url).prepare()
            except ValueError as error:
                raise Unavailable(_reason(error)) from error
            self._prepared_url = url
        request = self._prepared.copy()
        request.prepare_headers(headers)
        request.prepare_body(body, None)
        return request

    def close(self) -> None:
        """Let the connection and the thread go."""
        if self._asker is not None:
            self._asker.todo.put(None)
            self._asker = None


class _Wire:
    """The socket in use, for the thread that may have to cut it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False
        self.opened_count = 0

    @property
    def open(self) -> bool:
        return self._socket is not None

    def opening(self) -> None:
        """From here on nothing can have been sent, until `opened`."""
        with self._lock:
            self._socket = None

    def opened(self, connected: socket.socket) -> None:
        """Raises when the exchange was given up meanwhile: nothing is sent then."""
        with self._lock:
            if self._cut:
                connected.close()
                raise ConnectionAbortedError("given up")
            self._socket = connected
            self.opened_count += 1

    def cut(self) -> bool:
        """End all reading and writing; whether anything may have been sent."""
        with self._lock:
            self._cut = True
            if self._socket is None:
                return False
            with suppress(OSError):  # closed already
                # The plain socket's: TLS would first say goodbye to a peer that does not listen.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            return True


class _Asker(threading.Thread):
    """Makes exchanges until it is told to stop or was cut."""

    def __init__(self, verify: str | bool, body_bytes_max: int) -> None:
        super().__init__(name="http", daemon=True)
        self._body_bytes_max = body_bytes_max
        self.todo: queue.SimpleQueue[_Exchange | None] = queue.SimpleQueue()
        self.wire = _Wire()
        self._verify = verify
        self._adapter = _Adapter(self.wire)

    def run(self) -> None:
        while (exchange := self.todo.get()) is not None:
            try:
                exchange.outcome.put(self._ask(exchange))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                exchange.outcome.put(error)
        self._adapter.close()

    def _ask(self, exchange: _Exchange) -> HttpAnswer:
        """Once more when a kept connection turns out to be dead: the key makes that harmless."""
        opened_before = self.wire.opened_count
        try:
            return self._ask_once(exchange)
        except _FAILURES as error:
            kept = self.wire.open and self.wire.opened_count == opened_before
            if not kept or not _is_hang_up(error):
                raise self._sorted(error) from error
        try:
            return self._ask_once(exchange)
        except _FAILURES as error:
            # The first try did leave: whatever became of the second, nobody knows.
            raise Unknown(_reason(error)) from error

    def _ask_once(self, exchange: _Exchange) -> HttpAnswer:
        left_s = max(LEAST_TIMEOUT_S, exchange.by.left_s())
        response = self._adapter.send(
            exchange.request, stream=True, timeout=(left_s, left_s), verify=self._verify
        )
        try:
            body = b""
            # Only the read after the last byte tells a whole body from one that was cut.
            while part := response.raw.read(self._body_bytes_max + 1, decode_content=False):
                body += part
                if len(body) > self._body_bytes_max:
                    raise http.client.HTTPException("AnswerTooLong")
            return HttpAnswer(response.status_code, response.headers, body)
        finally:
            response.close()

    def _sorted(self, error: BaseException) -> DeliveryError:
        return (Unknown if self.wire.open else Unavailable)(_reason(error))


class _Adapter(HTTPAdapter):
    """One kept connection, no repeats; tells the wire of each socket."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        wire = self._wire

        class Plain(urllib3.connection.HTTPConnection):
            def connect(self) -> None:
                wire.opening()
                super().connect()
                wire.opened(self.sock)

        class Secure(urllib3.connection.HTTPSConnection):
            def connect(self) -> None:
                wire.opening()
                super().connect()
                wire.opened(self.sock)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _system_authorities() -> str | bool:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _is_hang_up(error: BaseException) -> bool:
    """The peer ended the connection before the first byte of an answer."""
    return isinstance(error, requests.ConnectionError) and not isinstance(error, requests.Timeout)


_NAMED: Final = (
    (requests.exceptions.ConnectTimeout, "ConnectionTimeout"),
    (TimeoutError, "ConnectionTimeout"),
    (socket.gaierror, "NameNotFound"),
    (ConnectionRefusedError, "ConnectionRefused"),
    (http.client.IncompleteRead, "AnswerIncomplete"),
    (urllib3.exceptions.IncompleteRead, "AnswerIncomplete"),
    (http.client.RemoteDisconnected, "ConnectionClosed"),
    (ConnectionError, "ConnectionReset"),
)


def _reason(error: BaseException) -> str:
    """A short name of the first cause: the libraries wrap it three times over."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    for one in reversed(chain):
        if isinstance(one, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
            return "AnswerTimeout"
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"TLS: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            return f"TLS: {one.reason or 'handshake failed'}"
        for kind, name in _NAMED:
            if isinstance(one, kind):
                return name
    return str(error)[:100] or type(error).__name__
