"""GET /v1/events: what readers hear, and that none of them holds up the till."""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from kktd import log
from kktd.api import stream
from kktd.events import Event
from kktd.store.tokens import Role
from tests.support.api import ApiBench, UnixHttp

REQUEST = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
MANY = 6_000  # events, far more than socket, transport and queue hold
PARTS = {"mode", "buffer", "printer", "power", "breaker"}


class Listener:
    """Reads a stream line by line, as a browser does."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        connection.request("GET", "/v1/events")
        self.answer = connection.getresponse()

    def next(self) -> tuple[str, Any]:
        """The next event's name and data; heartbeats are skipped."""
        name = ""
        while True:
            line = self.answer.readline().decode()
            if not line:
                raise EOFError
            if line.startswith("event: "):
                name = line[7:].strip()
            if line.startswith("data: "):
                return name, json.loads(line[6:])

    def until(self, wanted: Callable[[str, Any], bool]) -> Any:
        while True:
            name, data = self.next()
            if wanted(name, data):
                return data

    def close(self) -> None:
        self._connection.close()


@contextmanager
def listening(connection: http.client.HTTPConnection) -> Iterator[Listener]:
    made = Listener(connection)
    try:
        yield made
    finally:
        made.close()


def hub_of(bench: ApiBench) -> stream.Hub:
    return bench.server._api.runtime.hub


def connections_of(bench: ApiBench) -> int:
    return sum(len(one.server_state.connections) for one in bench.server._servers)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def never_reads(bench: ApiBench, *, tls: bool = False) -> socket.socket:
    """Asks for the stream and takes nothing of it."""
    if tls:
        plain = socket.create_connection(("127.0.0.1", bench.lan_port))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock: socket.socket = bench.trust().wrap_socket(plain, server_hostname="localhost")
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(bench.socket_path))
    sock.sendall(REQUEST)
    return sock


def flood(number: int = MANY) -> None:
    for _ in range(number):
        log.event(Event.KKT_PRINT_START, receipt_id=str(uuid.UUID(int=0)))


def test_a_reader_hears_every_part_first_without_a_token(bench: ApiBench) -> None:
    with listening(bench.tls_connection()) as heard:
        assert heard.answer.status == 200
        assert heard.answer.headers["Content-Type"].startswith("text/event-stream")
        assert heard.answer.headers["Cache-Control"] == "no-store"
        parts = dict(heard.next() for _ in PARTS)
    assert set(parts) == PARTS
    assert parts["mode"]["network_status"] == "online"
    assert parts["breaker"] == {"state": "CLOSED"}
    assert parts["buffer"]["total_capacity"] == 200


def test_a_second_reader_hears_every_part_too(bench: ApiBench) -> None:
    with listening(bench.tls_connection()) as first:
        for _ in PARTS:
            first.next()
        with listening(UnixHttp(bench.socket_path)) as second:
            assert {second.next()[0] for _ in PARTS} == PARTS


def test_a_sale_is_heard_from_acceptance_to_the_fn(bench: ApiBench) -> None:
    with listening(bench.tls_connection()) as heard:
        sold = bench.sell().body["receipt_id"]
        states: list[str] = []
        while "registered" not in states:
            name, data = heard.next()
            if name == "receipt":
                assert data["receipt_id"] == sold
                states.append(data["state"])
        assert set(states) == {"accepted", "printing", "registered"}
        heard.until(lambda name, data: name == "buffer" and data["current_queued"] >= 1)


def test_maintenance_is_heard(bench: ApiBench) -> None:
    token = bench.token(Role.ENGINEER)
    body = {"reason": "чистка", "estimated_duration_minutes": 5}
    with listening(bench.tls_connection()) as heard:
        for method, sent, expected in (("POST", body, "MAINTENANCE"), ("DELETE", None, None)):
            key = str(uuid.uuid4())
            reply = bench.lan(method, "/v1/pos/maintenance", sent, token=token, key=key)
            assert reply.status == 200
            heard.until(lambda name, data, e=expected: name == "mode" and data["obstacle"] == e)  # type: ignore[misc]


def test_nothing_of_a_person_is_sent() -> None:
    message = stream.message_of("receipt", {"receipt_id": "1", "state": "printed"})
    assert message == b'event: receipt\ndata: {"receipt_id":"1","state":"printed"}\n\n'


def test_a_quiet_stream_beats(own_bench: ApiBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    with listening(UnixHttp(own_bench.socket_path)) as heard:
        while heard.answer.readline() != b": still here\n":
            pass


def test_one_reader_more_than_there_may_be_is_told(own_bench: ApiBench) -> None:
    made = [Listener(UnixHttp(own_bench.socket_path)) for _ in range(stream.READERS_MAX)]
    reply = own_bench.root("GET", "/v1/events")
    assert (reply.status, reply.code) == (429, "RATE_LIMITED")
    assert reply.headers["Retry-After"] == "5"
    made.pop().close()
    wait_for(lambda: hub_of(own_bench).readers < stream.READERS_MAX)
    made.append(Listener(UnixHttp(own_bench.socket_path)))
    for one in made:
        one.close()
    wait_for(lambda: hub_of(own_bench).readers == 0)


def test_nobody_listens_to_the_log_when_nobody_reads(own_bench: ApiBench) -> None:
    before = len(log._observers)
    with listening(UnixHttp(own_bench.socket_path)):
        wait_for(lambda: len(log._observers) == before + 1)
    wait_for(lambda: len(log._observers) == before)


@pytest.mark.parametrize("tls", [False, True])
def test_a_reader_who_never_reads_is_cut_off(own_bench: ApiBench, tls: bool) -> None:
    sock = never_reads(own_bench, tls=tls)
    wait_for(lambda: hub_of(own_bench).readers == 1)
    while hub_of(own_bench).readers:  # the kernel takes some megabytes first
        flood(500)
    wait_for(lambda: connections_of(own_bench) == 0)
    sock.close()


def test_readers_who_never_read_do_not_hold_up_health_or_sales(own_bench: ApiBench) -> None:
    own_bench.until_final(str(uuid.uuid4()))
    stuck = [never_reads(own_bench) for _ in range(stream.READERS_MAX)]
    wait_for(lambda: hub_of(own_bench).readers == stream.READERS_MAX)
    flooding = threading.Thread(target=flood)
    flooding.start()
    taken = []
    for _ in range(30):
        began_s = time.monotonic()
        assert own_bench.root("GET", "/v1/health").status == 200
        taken.append(time.monotonic() - began_s)
    assert own_bench.until_final(str(uuid.uuid4())).status == 200
    flooding.join()
    assert statistics.median(taken) < 0.25
    for one in stuck:
        one.close()


def test_the_server_stops_at_once_with_open_streams(own_bench: ApiBench) -> None:
    reading = Listener(own_bench.tls_connection())
    for _ in PARTS:
        reading.next()
    others = [never_reads(own_bench, tls=True), never_reads(own_bench)]
    wait_for(lambda: hub_of(own_bench).readers == 3)
    began_s = time.monotonic()
    own_bench.stop_server()
    assert time.monotonic() - began_s < 2
    with pytest.raises((EOFError, ConnectionError)):
        reading.until(lambda _name, _data: False)
    for one in others:
        one.close()


def test_a_closed_till_wants_a_token_for_the_stream(own_bench: ApiBench) -> None:
    api = replace(own_bench.settings.api, open_reading=False)
    own_bench.settings = replace(own_bench.settings, api=api)
    assert own_bench.lan("GET", "/v1/events").status == 401
    assert own_bench.lan("HEAD", "/v1/events", token=own_bench.token(Role.CASHIER)).status == 200
