"""The simulated ОФД keeps a receipt once, and breaks exactly where it was told to."""

from __future__ import annotations

import copy
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.faults import BadFault, Faults
from rig.ofd import SimulatedOfd

TOKEN = "till-1"
Answer = tuple[int, Any]


def a_receipt(key: str = "r-1", fd: int = 7) -> dict[str, Any]:
    return {
        "external_id": key,
        "timestamp": "2026-03-02T14:23:45+03:00",
        "operation": "sell",
        "company": {"inn": "9706048530", "sno": "osn", "payment_address": "Москва, Тверская, 1"},
        "cashier": {"name": "Петрова А."},
        "items": [
            {
                "name": "Сыр",
                "price": "500.00",
                "quantity": "0.300",
                "sum": "150.00",
                "measure": 11,
                "payment_method": "full_payment",
                "payment_object": "commodity",
                "vat": "vat10",
            }
        ],
        "payments": [{"type": 0, "sum": "50.00"}, {"type": 1, "sum": "100.00"}],
        "total": "150.00",
        "fiscal": {
            "fn": "9999078902019097",
            "fd": fd,
            "fp": "0123456789",
            "shift": 3,
            "receipt_no": 2,
            "datetime": "2026-03-02T14:23",
        },
    }


class Client:
    """A till's end: one connection a request, no retries, the bearer token of the bench."""

    def __init__(self, ofd: SimulatedOfd, token: str = TOKEN) -> None:
        self._ofd, self._token = ofd, token

    def call(self, method: str, path: str, body: str | None = None, key: str = "") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._ofd.port, timeout=5)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            connection.request(method, path, None if body is None else body.encode(), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def post(self, receipt: dict[str, Any], key: str | None = None) -> Answer:
        text = json.dumps(receipt, ensure_ascii=False)
        return self.call("POST", "/receipts", text, key or receipt["external_id"])


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def ofd(tmp_path: Path, faults: Faults) -> Iterator[SimulatedOfd]:
    simulated = SimulatedOfd(tmp_path, faults, TOKEN)
    simulated.start()
    yield simulated
    simulated.close()


@pytest.fixture
def till(ofd: SimulatedOfd) -> Client:
    return Client(ofd)


def test_a_receipt_is_acknowledged_with_its_own_numbers(till: Client, ofd: SimulatedOfd) -> None:
    status, answer = till.post(a_receipt())
    assert status == 201
    assert (answer["external_id"], answer["status"]) == ("r-1", "done")
    assert (answer["fn"], answer["fd"], answer["fp"]) == ("9999078902019097", 7, "0123456789")
    assert till.call("GET", "/receipts/r-1") == (200, answer)
    assert ofd.receipts() == [a_receipt()]


def test_the_same_receipt_again_gets_the_same_answer_and_no_second_place(
    till: Client, ofd: SimulatedOfd
) -> None:
    first = till.post(a_receipt())
    assert till.post(a_receipt()) == first
    assert len(ofd.receipts()) == 1
    assert [row["outcome"] for row in ofd.requests()] == ["stored", "repeated"]


def test_another_body_under_the_same_key_is_a_conflict(till: Client, ofd: SimulatedOfd) -> None:
    till.post(a_receipt())
    changed = a_receipt() | {"cashier": {"name": "Иванова"}}
    assert till.post(changed)[0] == 409
    assert ofd.receipts() == [a_receipt()]


def test_one_document_under_two_keys_is_noticed_as_a_duplicate(
    till: Client, ofd: SimulatedOfd
) -> None:
    till.post(a_receipt("r-1", fd=7))
    assert till.post(a_receipt("r-2", fd=7))[0] == 409
    assert [row["outcome"] for row in ofd.requests()] == ["stored", "duplicate"]
    assert till.post(a_receipt("r-2", fd=8))[0] == 201


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("total",), 150.00),  # a JSON number
        (("total",), "150.0"),
        (("total",), "150.01"),
        (("items", 0, "sum"), "149.99"),
        (("items", 0, "quantity"), "0"),
        (("items", 0, "vat"), "20%"),
        (("items", 0, "measure"), True),
        (("items", 0, "name"), "я" * 129),
        (("payments", 0, "sum"), "49.99"),
        (("payments", 0, "type"), []),
        (("fiscal", "fn"), "12"),
        (("fiscal", "fd"), "7"),
        (("fiscal", "fp"), 123456789),
        (("timestamp",), "2026-03-02T14:23:45"),
        (("company", "inn"), "123"),
        (("operation",), "sale"),
        (("items",), []),
    ],
)
def test_a_body_that_does_not_add_up_is_refused_with_the_field_named(
    till: Client, ofd: SimulatedOfd, path: tuple[Any, ...], value: object
) -> None:
    receipt = copy.deepcopy(a_receipt())
    place: Any = receipt
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    status, answer = till.post(receipt)
    assert status == 422
    assert path[0] in answer["error"]["text"] or str(path[-1]) in answer["error"]["text"]
    assert ofd.receipts() == []


def test_a_correction_may_come_without_lines(till: Client) -> None:
    assert till.post(a_receipt() | {"operation": "correction", "items": []})[0] == 201


def test_the_key_must_be_the_one_in_the_body(till: Client) -> None:
    assert till.post(a_receipt(), key="r-2")[0] == 400
    assert till.call("POST", "/receipts", json.dumps(a_receipt()))[0] == 400
    assert till.call("POST", "/receipts", "{", "r-1")[0] == 400


def test_a_stranger_is_refused_and_a_ping_needs_no_token(ofd: SimulatedOfd) -> None:
    stranger = Client(ofd, "guess")
    assert stranger.post(a_receipt())[0] == 401
    assert stranger.call("GET", "/health") == (200, {"status": "ok"})
    assert stranger.call("GET", "/nothing")[0] == 404


def test_receipts_and_requests_outlive_a_restart(tmp_path: Path) -> None:
    first = SimulatedOfd(tmp_path, Faults(), TOKEN)
    first.start()
    Client(first).post(a_receipt())
    first.close()
    with next(tmp_path.iterdir()).open("a") as journal:
        journal.write('{"time": "cut by kill')
    second = SimulatedOfd(tmp_path, Faults(), TOKEN)
    second.start()
    try:
        assert Client(second).post(a_receipt())[0] == 201
        assert Client(second).post(a_receipt("r-2"))[0] == 409
        assert second.receipts() == [a_receipt()]
    finally:
        second.close()
    outcomes = [row["outcome"] for row in SimulatedOfd(tmp_path, Faults(), TOKEN).requests()]
    assert outcomes == ["stored", "repeated", "duplicate"]


def test_a_refused_connection_is_refused_by_the_kernel_until_the_fault_goes(
    till: Client, ofd: SimulatedOfd, faults: Faults
) -> None:
    port = ofd.port
    idle = socket.create_connection(("127.0.0.1", port), timeout=5)
    faults.add("ofd", "refuse_connection")
    with pytest.raises(ConnectionRefusedError):
        till.call("GET", "/health")
    assert _has_ended(idle)  # the old connection is gone as well
    faults.clear("ofd")
    assert ofd.port == port
    assert till.call("GET", "/health")[0] == 200


def _has_ended(connection: socket.socket) -> bool:
    with connection:
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True


def test_a_counted_refusal_resets_that_many_connections(
    till: Client, ofd: SimulatedOfd, faults: Faults
) -> None:
    faults.add("ofd", "refuse_connection", times=2)
    for _ in range(2):
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            till.post(a_receipt())
    assert till.post(a_receipt())[0] == 201
    assert len(ofd.requests()) == 1


@pytest.mark.parametrize("name", ["lose_answer", "half_answer"])
def test_a_lost_answer_means_the_receipt_is_there(
    till: Client, ofd: SimulatedOfd, faults: Faults, name: str
) -> None:
    faults.add("ofd", name, times=1)
    with pytest.raises((http.client.RemoteDisconnected, http.client.IncompleteRead)):
        till.post(a_receipt())
    (row,) = ofd.requests()
    assert (row["answer"], row["fault"], row["outcome"]) == (None, name, "stored")
    assert till.post(a_receipt())[0] == 201
    assert ofd.receipts() == [a_receipt()]


def test_a_hang_is_seen_stores_nothing_and_ends_with_its_caller(
    till: Client, ofd: SimulatedOfd, faults: Faults
) -> None:
    faults.add("ofd", "hang", times=1)
    with socket.create_connection(("127.0.0.1", ofd.port), timeout=0.3) as caller:
        head = f"POST /receipts HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2"
        caller.sendall(head.encode() + b"\r\n\r\n{}")
        with pytest.raises(TimeoutError):
            caller.recv(1)
        (row,) = ofd.requests()
        assert (row["answer"], row["fault"]) == (None, "hang")
    assert till.post(a_receipt())[0] == 201
    assert ofd.receipts() == [a_receipt()]


def test_latency_delays_the_answer_and_nothing_else(till: Client, faults: Faults) -> None:
    faults.add("ofd", "latency", ms=200, times=1)
    started = time.monotonic()
    assert till.post(a_receipt())[0] == 201
    assert time.monotonic() - started >= 0.2


def test_a_status_comes_with_its_retry_after(ofd: SimulatedOfd, faults: Faults) -> None:
    faults.add("ofd", "status", code=503, retry_after=7)
    connection = http.client.HTTPConnection("127.0.0.1", ofd.port, timeout=5)
    connection.request("GET", "/health")
    response = connection.getresponse()
    assert (response.status, response.headers["Retry-After"]) == (503, "7")
    connection.close()


def test_a_counted_fault_waits_for_receipts_and_lets_pings_through(
    till: Client, faults: Faults
) -> None:
    faults.add("ofd", "status", code=500, times=1)
    assert till.call("GET", "/health")[0] == 200
    assert till.post(a_receipt())[0] == 500
    assert till.post(a_receipt())[0] == 201


def test_a_path_narrows_a_fault(till: Client, faults: Faults) -> None:
    faults.add("ofd", "status", code=500, path="/health")
    assert till.call("GET", "/health")[0] == 500
    assert till.post(a_receipt())[0] == 201


def test_wrong_numbers_are_told_once_and_the_right_ones_kept(
    till: Client, ofd: SimulatedOfd, faults: Faults
) -> None:
    faults.add("ofd", "wrong_numbers", times=1)
    assert till.post(a_receipt())[1]["fd"] == 8
    assert till.post(a_receipt())[1]["fd"] == 7
    assert ofd.receipts()[0]["fiscal"]["fd"] == 7


def test_unauthorized_and_reject_bite_where_they_should(
    till: Client, ofd: SimulatedOfd, faults: Faults
) -> None:
    faults.add("ofd", "unauthorized", times=1)
    assert till.post(a_receipt())[0] == 401
    faults.add("ofd", "reject", match="Сыр")
    status, answer = till.post(a_receipt())
    assert (status, set(answer["error"])) == (422, {"code", "text", "type", "error_id"})
    other = a_receipt("r-2", fd=8)
    other["items"][0]["name"] = "Хлеб"
    assert till.post(other)[0] == 201
    assert [receipt["external_id"] for receipt in ofd.receipts()] == ["r-2"]


def test_wait_makes_the_till_ask_again(till: Client, faults: Faults) -> None:
    faults.add("ofd", "wait", times=2)
    assert till.post(a_receipt()) == (202, {"external_id": "r-1", "status": "wait"})
    assert till.call("GET", "/receipts/r-1")[0] == 202
    assert till.call("GET", "/receipts/r-1")[1]["status"] == "done"
    assert till.call("GET", "/receipts/r-9")[0] == 404


def test_a_connection_kept_alive_answers_without_the_delay_of_nagle(ofd: SimulatedOfd) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ofd.port, timeout=5)
    started = time.monotonic()
    for _ in range(50):
        connection.request("GET", "/health")
        connection.getresponse().read()
    connection.close()
    assert time.monotonic() - started < 1.0  # a delayed ACK costs 40 ms each: two seconds


def test_senders_at_once_store_one_receipt(till: Client, ofd: SimulatedOfd) -> None:
    answers: list[Answer] = []
    senders = [
        threading.Thread(target=lambda: answers.append(till.post(a_receipt()))) for _ in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(10)
    assert [status for status, _ in answers] == [201] * 8
    assert sorted(row["outcome"] for row in ofd.requests()) == ["repeated"] * 7 + ["stored"]


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "latency"},
        {"name": "latency", "ms": "5"},
        {"name": "latency", "ms": -1},
        {"name": "status", "code": 99},
        {"name": "reject", "match": 5},
        {"name": "hang", "times": 0},
        {"name": "hang", "bytes": 1},
        {"name": "explode"},
    ],
)
def test_a_fault_that_could_not_bite_is_not_taken(faults: Faults, settings: Any) -> None:
    with pytest.raises(BadFault):
        faults.add("ofd", **settings)
    assert faults.as_json() == []


def test_a_second_simulator_cannot_take_the_same_port(ofd: SimulatedOfd) -> None:
    second = SimulatedOfd(None, Faults(), TOKEN)
    with pytest.raises(OSError, match="in use"):
        second.start(ofd.port)
