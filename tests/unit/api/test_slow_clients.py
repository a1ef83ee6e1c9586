"""Callers who dawdle, and the rest of the shop that must not notice."""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from kktd.api import body as api_body
from kktd.api import protocol
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench, Reply

QUICK_S = 0.25  # on a loaded machine of two cores; the mean is some milliseconds


@contextmanager
def _connected(bench: ApiBench) -> Iterator[socket.socket]:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(str(bench.socket_path))
    with sock:
        yield sock


def _until_closed(sock: socket.socket) -> bytes:
    data = b""
    while True:
        try:
            more = sock.recv(65_536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def _seconds_until_cut(sock: socket.socket) -> float:
    """Drip one letter at a time until the other end hangs up, five seconds at most."""
    began = time.monotonic()
    while time.monotonic() - began < 5:
        try:
            sock.sendall(b"a")
        except OSError:
            break
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_S", 0.4)
    monkeypatch.setattr(api_body, "BODY_S", 0.4)


@pytest.mark.usefixtures("short_limits")
def test_half_a_header_is_cut_however_it_drips(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert _seconds_until_cut(sock) < 2


@pytest.mark.usefixtures("short_limits")
def test_a_connection_that_says_nothing_is_cut(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        assert _until_closed(sock) == b""


@pytest.mark.usefixtures("short_limits")
def test_the_second_request_of_a_connection_has_the_same_limit(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(b"GET /v1/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in sock.recv(4_096)
        began = time.monotonic()
        sock.sendall(b"GET /v1/rea")
        _until_closed(sock)
        assert time.monotonic() - began < 2


@pytest.mark.usefixtures("short_limits")
def test_a_slow_body_is_told_and_cut_and_nothing_is_stored(bench: ApiBench) -> None:
    before = bench.stored_receipts()
    body = json.dumps(SALE).encode()
    with _connected(bench) as sock:
        head = f"POST /v1/kkt/receipt HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body[:40])
        answer = _until_closed(sock)
    assert b"400 Bad Request" in answer
    assert b"MALFORMED" in answer
    assert b"did not arrive in time" in answer
    assert bench.stored_receipts() == before


@pytest.mark.usefixtures("short_limits")
def test_a_body_nobody_reads_any_more_is_cut_too(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(b"GET /v1/ready HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
        assert _seconds_until_cut(sock) < 2


def test_a_body_cut_off_stores_nothing(bench: ApiBench) -> None:
    before = bench.stored_receipts()
    body = json.dumps(SALE).encode()
    with _connected(bench) as sock:
        head = f"POST /v1/kkt/receipt HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body[:-1])
    time.sleep(0.2)
    assert bench.stored_receipts() == before


def test_a_body_of_16_mib_is_refused_before_it_is_sent(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(
            b"POST /v1/kkt/receipt HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert b"413" in _until_closed(sock)


def test_chunks_without_an_end_are_limited(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(
            b"POST /v1/kkt/receipt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            for _ in range(400):
                sock.sendall(chunk)
        except OSError:
            return  # it hung up on us before we were done
        assert b"413" in _until_closed(sock)


def test_what_is_no_http_gets_the_error_body(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        answer = _until_closed(sock)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"400" in head
    assert json.loads(body)["code"] == "MALFORMED"


def test_a_header_without_end_is_refused(bench: ApiBench) -> None:
    with _connected(bench) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        try:
            for index in range(4_000):
                sock.sendall(f"X-{index}: {'y' * 60}\r\n".encode())
        except OSError:
            return
        assert b"400" in _until_closed(sock)


def _health_ms(bench: ApiBench, seconds: float) -> list[float]:
    taken = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in ("/v1/health", "/v1/kkt/buffer/status"):
            began = time.monotonic()
            assert bench.root("GET", path).status in (200, 503)
            taken.append((time.monotonic() - began) * 1000)
    return taken


def test_health_stays_quick_beside_48_slow_sales_and_a_long_print(own_bench: ApiBench) -> None:
    """48 callers wait for a printer that prints something long; 48 more send half a request."""
    own_bench.token(Role.CASHIER)
    replies: list[Reply] = []
    with ExitStack() as held:
        with own_bench.paused():
            sellers = [
                threading.Thread(target=lambda: replies.append(own_bench.sell())) for _ in range(48)
            ]
            for seller in sellers:
                seller.start()
            for _ in range(48):
                sock = held.enter_context(_connected(own_bench))
                sock.sendall(
                    b"POST /v1/kkt/receipt HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
                )
            time.sleep(0.5)
            taken = _health_ms(own_bench, 2.0)
        for seller in sellers:
            seller.join(30)
    print(
        f"health beside 48 sales and 48 half requests: mean {statistics.mean(taken):.1f} ms, "
        f"P99 {statistics.quantiles(taken, n=100)[98]:.1f} ms, max {max(taken):.1f} ms"
    )
    assert max(taken) < QUICK_S * 1000
    assert {one.status for one in replies} <= {200, 202}
    assert len(replies) == 48


def test_more_connections_than_the_cap_are_closed_at_once(
    tmp_path_factory: pytest.TempPathFactory, certificates: object
) -> None:
    from dataclasses import replace
    from pathlib import Path

    from kktd.config import ApiSettings, Settings

    settings = replace(Settings(), api=ApiSettings(max_connections=16, names=("pos-001.local",)))
    made = ApiBench(tmp_path_factory.mktemp("cap"), Path(str(certificates)), settings)
    try:
        with ExitStack() as held:
            for _ in range(16):
                held.enter_context(_connected(made))
            time.sleep(0.1)
            extra = held.enter_context(_connected(made))
            assert _until_closed(extra) == b""
        time.sleep(0.1)
        assert made.root("GET", "/v1/ready").status == 200
    finally:
        made.close()


def test_the_server_stops_with_half_requests_open(own_bench: ApiBench) -> None:
    with _connected(own_bench) as half, _connected(own_bench) as idle:
        half.sendall(b"POST /v1/kkt/receipt HTTP/1.1\r\nContent-Length: 500\r\n")
        idle.sendall(b"GET /v1/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        idle.recv(4_096)
        began = time.monotonic()
        own_bench.stop_server()
        assert time.monotonic() - began < 3
