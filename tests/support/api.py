"""A till with its API listening: real desk, lane, driver, store and sockets; the printer simulated.

The lane runs in a thread under the virtual clock, so that nothing but sockets takes real time;
`pause` holds it, as a printer does that is printing.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from kktd import log
from kktd.api import tls
from kktd.api.app import build_api
from kktd.api.call import Listener
from kktd.api.server import ApiServer, Bound
from kktd.api.snapshot import as_gauges, take
from kktd.api.till import NoUps, SyncJob, SyncView, Till
from kktd.clock import Deadline, SystemClock
from kktd.config import ApiSettings, BufferSettings, PrinterSettings, Settings, TillSettings
from kktd.metrics import Metrics
from kktd.model.states import NetworkMode
from kktd.ofd.breaker import Breaker, BreakerRules, Circuit
from kktd.power.power import PowerSeen
from kktd.store import tokens
from kktd.store.tokens import Role
from tests.support.clock import VirtualClock
from tests.support.openapi import check_answer, described
from tests.support.till import POS_ID, TillBench

SALE: Final[dict[str, Any]] = {
    "pos_id": POS_ID,
    "type": "sale",
    "items": [{"name": "Молоко 3,2 %", "qty": 2, "price": "99.50", "vat": "10%"}],
    "payments": [{"method": "card", "amount": "199.00"}],
    "cashier": {"name": "Иванова А. П."},
}
ORIGIN: Final = "https://shop.example"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Message
    body: Any
    raw: bytes

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


class UnixHttp(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path: Path, timeout: float = 20) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class NoDelivery:
    """Nothing is sent to any ОФД here; what was asked is kept."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.asked: list[tuple[bool, str]] = []
        self.woken = 0

    def force(self, *, ignore_backoff: bool, user: str) -> SyncJob:
        self.asked.append((ignore_backoff, user))
        return SyncJob(str(uuid.uuid4()), 9)

    def wake(self) -> None:
        self.woken += 1

    def reset_breaker(self, *, user: str) -> Circuit:
        return self.breaker.reset()


class ApiBench:
    """Listens on a Unix socket, a TLS port and a metrics port of this machine."""

    def __init__(
        self,
        folder: Path,
        certificates: Path,
        settings: Settings | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """`plain`: two ports more, the doors of LAN and socket without TLS and without a file."""
        self.settings = settings or Settings(
            till=TillSettings(pos_ids=(POS_ID,)),
            api=ApiSettings(origins=(ORIGIN,), names=("pos-001.local",)),
            printer=PrinterSettings(print_timeout_ms=3_000),
        )
        self._folder = folder
        self._plain = plain
        self.certificates = certificates
        self._lane_gate = threading.Event()
        self._lane_gate.set()
        self.reminds_of_capacity = False
        self.old_shifts: frozenset[str] = frozenset()
        self.server_clock = VirtualClock()
        self.mode, self.mode_for_s = NetworkMode.ONLINE, 0.0
        self.power = PowerSeen()
        self.till: TillBench | None = None
        self.start()

    # ---- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """As the daemon starts: recovery first, listeners last."""
        rules = self.settings.printer
        if self.till is None:
            self.till = TillBench(
                self._folder,
                capacity=self.settings.buffer.capacity,
                max_unprinted=rules.max_unprinted,
                ffd=rules.ffd,
            )
        bench = self.till
        breaker = Breaker(bench.clock, BreakerRules())
        self.breaker, self.delivery = breaker, NoDelivery(breaker)
        self.metrics = Metrics(CollectorRegistry(), (POS_ID,))
        log.configure(_Nowhere(), self.metrics.observe)  # type: ignore[arg-type]  # writes only
        self.late: dict[str, bool] = {}
        self.api_till = Till(
            desk=bench.desk,
            store=bench.store,
            clock=bench.clock,
            settings=lambda: self.settings,
            lanes=bench.lanes,
            breaker=breaker.snapshot,
            sync=SyncView,
            network=lambda: self.mode,
            power=_Ups(self),
            network_for_s=lambda: self.mode_for_s,
            delivery=self.delivery,
            metrics=self.metrics,
            version="0.1.0",
            workers=lambda: self.late,
            old_shifts=lambda: self.old_shifts,
            capacity_reminder=lambda: self.reminds_of_capacity,
        )
        self.metrics.attach(lambda: as_gauges(take(self.api_till)))
        self.socket_path = self._folder / "api.sock"
        self.socket_path.unlink(missing_ok=True)
        root = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        root.bind(str(self.socket_path))
        lan, metrics = _port(), _port()
        self.lan_port: int = lan.getsockname()[1]
        self.metrics_port: int = metrics.getsockname()[1]
        context = tls.ensure(self.certificates, self.settings.api.names, SystemClock())
        self.api = build_api(self.api_till)
        self.server = ApiServer(
            self.api,
            (
                Bound(Listener.SOCKET, root),
                Bound(Listener.LAN, lan, context),
                Bound(Listener.METRICS, metrics),
                *self._plain_bound(),
            ),
            self.server_clock,
            max_connections=self.settings.api.max_connections,
        )
        self._stopping = threading.Event()
        self._lane_thread = threading.Thread(target=self._run_lane, daemon=True)
        self._lane_thread.start()
        self.server.start()

    def _plain_bound(self) -> tuple[Bound, ...]:
        if not self._plain:
            return ()
        lan, root = _port(), _port()
        self.plain_lan: int = lan.getsockname()[1]
        self.plain_root: int = root.getsockname()[1]
        return Bound(Listener.LAN, lan), Bound(Listener.SOCKET, root)

    def stop(self) -> None:
        self._stopping.set()
        self._lane_gate.set()
        self._lane_thread.join(10)
        self.stop_server()

    def stop_server(self) -> None:
        """The listeners alone."""
        assert self.server.stop(Deadline.after_ms(SystemClock(), 8_000))

    def restart(self) -> None:
        """kill -9, as far as memory goes; file and FN stay."""
        self.stop()
        assert self.till is not None
        self.till.crash()
        self.start()

    def close(self) -> None:
        self.stop()
        assert self.till is not None
        self.till.close()

    def _run_lane(self) -> None:
        assert self.till is not None
        while not self._stopping.is_set():
            self._lane_gate.wait()
            due_s = self.till.lane.step(self.till.clock.monotonic_s())
            if due_s > self.till.clock.monotonic_s():
                # Idle: a little real time, so that the thread does not spin.
                self.till.clock.advance(0.02)
                self._stopping.wait(0.002)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The lane is busy with something long."""
        self._lane_gate.clear()
        try:
            yield
        finally:
            self._lane_gate.set()

    # ---- asking -----------------------------------------------------------------------------

    def root(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Over the Unix socket; `body` is JSON unless it is bytes."""
        reply = exchange(UnixHttp(self.socket_path), method, path, body, headers)
        return self._as_described(Listener.SOCKET, method, path, reply)

    def lan(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        key: str | None = None,
    ) -> Reply:
        """Over TLS, as a point of sale."""
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        if key is not None:
            given["Idempotency-Key"] = key
        reply = exchange(self.tls_connection(), method, path, body, given)
        return self._as_described(Listener.LAN, method, path, reply)

    def _as_described(self, listener: Listener, method: str, path: str, reply: Reply) -> Reply:
        """Every answer of every test is held to the till's own OpenAPI document."""
        document = described(listener, open_reading=self.settings.api.open_reading)
        check_answer(document, method, path, reply.status, reply.headers, reply.raw)
        return reply

    def sell(self, sale: object = None, *, key: str | None = None, **headers: str) -> Reply:
        """A sale over TLS with the cashier's token and a fresh key."""
        return self.lan(
            "POST",
            "/v1/kkt/receipt",
            SALE if sale is None else sale,
            headers,
            token=self.token(Role.CASHIER),
            key=key or str(uuid.uuid4()),
        )

    def until_final(self, key: str, sale: object = None) -> Reply:
        """Repeat the same sale, as a point of sale does, until its answer is no 202."""
        end_s = time.monotonic() + 20
        while True:
            reply = self.sell(sale, key=key)
            if reply.status != 202 or time.monotonic() > end_s:
                return reply
            time.sleep(0.05)

    def tls_connection(self, timeout: float = 20) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self.lan_port, timeout=timeout, context=self.trust()
        )

    def trust(self) -> ssl.SSLContext:
        """What a client does that was given the till's CA."""
        return ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))

    def token(self, role: Role) -> str:
        """A token of this role, made once."""
        if not hasattr(self, "_tokens"):
            self._tokens: dict[Role, str] = {}
        if role not in self._tokens:
            made = self.root("POST", "/v1/tokens", {"role": role.value, "name": f"test {role}"})
            self._tokens[role] = made.body["token"]
        return self._tokens[role]

    def stored_receipts(self) -> int:
        return self._count("SELECT count(*) FROM receipts")

    def stored_keys(self) -> int:
        return self._count("SELECT count(*) FROM idempotency_keys")

    def stored_tokens(self) -> list[tokens.Token]:
        return self.api_till.store.read(tokens.find_all)

    def _count(self, sql: str) -> int:
        return int(str(self.api_till.store.read(lambda db: db.execute(sql).get)))


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request on its own connection."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, path, data, dict(headers or {}))
        answer = connection.getresponse()
        raw = answer.read()
        kind = answer.headers.get("Content-Type", "")
        parsed = json.loads(raw) if raw and kind.startswith("application/json") else None
        return Reply(answer.status, answer.headers, parsed, raw)
    finally:
        connection.close()


def sale(**changes: Any) -> dict[str, Any]:
    """The usual sale with some fields other, or absent when None."""
    made = SALE | changes
    return {name: value for name, value in made.items() if value is not None}


def item(**changes: Any) -> dict[str, Any]:
    made = SALE["items"][0] | changes
    return {name: value for name, value in made.items() if value is not None}


def with_buffer(settings: Settings, capacity: int) -> Settings:
    return replace(settings, buffer=BufferSettings(capacity=capacity))


class _Ups(NoUps):
    """Its words are those the test says."""

    def __init__(self, bench: ApiBench) -> None:
        self._bench = bench

    @property
    def seen(self) -> PowerSeen:  # type: ignore[override]  # there it never changes
        return self._bench.power


class _Nowhere:
    """A log nobody reads."""

    def write(self, _text: str) -> int:
        return 0

    def flush(self) -> None:
        return


def _port() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    return sock
