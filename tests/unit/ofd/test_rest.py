"""Every answer and every silence of the ОФД, and what the channel makes of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from rig.faults import Faults
from rig.ofd import SimulatedOfd

from kktd.errors import BadConfig
from kktd.model.receipt import (
    Customer,
    Measure,
    PaymentMethod,
    ReceiptType,
    Settlement,
    Subject,
    VatRate,
)
from kktd.ofd.channel import (
    Busy,
    DeliveryError,
    Misconfigured,
    NotAccepted,
    Throttled,
    Unavailable,
    Unknown,
    WrongNumbers,
)
from kktd.trace import Trace, bound
from tests.support.receipts import a_line, a_receipt
from tests.unit.ofd.conftest import SELLER, Line, RudeServer

Make = Callable[[Callable[[socket.socket, int], None]], RudeServer]


def test_a_receipt_is_delivered_with_the_numbers_of_the_fn(line: Line, ofd: SimulatedOfd) -> None:
    receipt = a_receipt()
    delivered = line.send(receipt)
    assert (delivered.fn, delivered.fd, delivered.fp) == ("9960440300112233", 7, "0123456789")
    [kept] = ofd.receipts()
    assert kept["external_id"] == receipt.id
    assert kept["timestamp"] == "2026-03-02T14:23:00+03:00"
    assert kept["total"] == "199.00"
    assert kept["fiscal"]["qr"].startswith("t=20260302T1423&s=199.00&fn=9960440300112233&i=7")


def test_the_trace_of_the_sale_goes_along(line: Line, ofd: SimulatedOfd) -> None:
    sale = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    with bound(sale):
        line.send(a_receipt(), fd=7)
    line.send(a_receipt(), fd=8)
    assert [row["traceparent"] for row in ofd.requests()] == [sale.as_header(), None]


@pytest.mark.parametrize("vat", VatRate)
def test_every_vat_rate_has_a_name_the_ofd_knows(line: Line, vat: VatRate) -> None:
    line.send(a_receipt(a_line(vat=vat)))


@pytest.mark.parametrize("kind", ReceiptType)
def test_sales_refunds_and_corrections_go(line: Line, kind: ReceiptType) -> None:
    line.send(a_receipt(type=kind))


def test_a_refund_tells_the_ofd_what_it_takes_back(line: Line, ofd: SimulatedOfd) -> None:
    line.send(a_receipt())
    line.send(a_receipt(type=ReceiptType.REFUND), 8)
    sold, refunded = ofd.receipts()
    assert "refund_of" not in sold
    assert refunded["operation"] == "sell_refund"
    assert refunded["refund_of"] == {"fn": "9999078900000001", "fd": 17, "fp": "1060838650"}


def test_every_subject_settlement_and_measure_has_a_name_the_ofd_knows(line: Line) -> None:
    plain = a_line()
    lines = [
        *(replace(plain, subject=one) for one in Subject),
        *(replace(plain, settlement=one) for one in Settlement),
        *(replace(plain, measure=one) for one in Measure),
    ]
    line.send(a_receipt(*lines))


def test_quantities_discounts_and_split_payments_add_up_over_there(
    line: Line, ofd: SimulatedOfd
) -> None:
    lines = (a_line(500_00, "0.300", discount=1_01), a_line(1, "1E+3"), a_line(33, "2.5"))
    paid = {PaymentMethod.CARD: 100_00, PaymentMethod.CASH: 100_00, PaymentMethod.PREPAID: 1_00}
    line.send(a_receipt(*lines, payments=paid))
    [kept] = ofd.receipts()
    assert [item["quantity"] for item in kept["items"]] == ["0.300", "1000", "2.5"]
    assert kept["items"][0]["discount"] == "1.01"
    cash = next(one["sum"] for one in kept["payments"] if one["type"] == 0)
    assert Decimal(cash) == Decimal(kept["total"]) - 101, "change is taken off the cash"


def test_a_repeat_carries_the_same_bytes_under_the_same_key(line: Line, ofd: SimulatedOfd) -> None:
    receipt = a_receipt()
    line.send(receipt)
    line.send(receipt)
    first, second = ofd.requests()
    assert first["body"] == second["body"]
    assert first["key"] == second["key"] == receipt.id
    assert len(ofd.receipts()) == 1


Case = tuple[str, dict[str, Any], type[DeliveryError], str]
CASES: list[Case] = [
    ("refuse_connection", {}, Unavailable, "ConnectionRefused"),
    ("hang", {}, Unknown, "AnswerTimeout"),
    ("latency", {"ms": 60_000}, Unknown, "AnswerTimeout"),
    ("lose_answer", {}, Unknown, "ConnectionClosed"),
    ("half_answer", {}, Unknown, "AnswerIncomplete"),
    ("wrong_numbers", {}, WrongNumbers, "answered fn"),
    ("unauthorized", {}, Misconfigured, "401 Unauthorized: unknown token"),
    ("reject", {"match": "Молоко"}, NotAccepted, "422 "),
    ("wait", {}, Unknown, "202 Accepted, not done in time"),
    ("status", {"code": 400}, NotAccepted, "400 Bad Request: simulated 400"),
    ("status", {"code": 413}, NotAccepted, "413"),
    ("status", {"code": 415}, NotAccepted, "415"),
    ("status", {"code": 422}, NotAccepted, "422"),
    ("status", {"code": 403}, Misconfigured, "403 Forbidden"),
    ("status", {"code": 404}, Misconfigured, "404 Not Found"),
    ("status", {"code": 408}, Unknown, "408"),
    ("status", {"code": 425}, Unknown, "425"),
    ("status", {"code": 429}, Throttled, "429"),
    ("status", {"code": 500}, Unknown, "500"),
    ("status", {"code": 502}, Unknown, "502"),
    ("status", {"code": 503}, Busy, "503 Service Unavailable"),
    ("status", {"code": 504}, Unknown, "504"),
    ("status", {"code": 302}, Unknown, "302"),
    ("status", {"code": 204}, Unknown, "204"),
    ("status", {"code": 200}, Unknown, "200 without fiscal numbers"),
]


@pytest.mark.parametrize(("fault", "settings", "kind", "reason"), CASES)
def test_each_fault_ends_in_its_class_by_the_deadline(
    line: Line,
    faults: Faults,
    fault: str,
    settings: dict[str, Any],
    kind: type[DeliveryError],
    reason: str,
) -> None:
    line.ping()
    faults.add("ofd", fault, **settings)
    began_s = time.monotonic()
    with pytest.raises(kind) as raised:
        line.send(a_receipt(), ms=2_000)
    assert time.monotonic() - began_s < 30, "by the deadline, not when the other side lets go"
    assert type(raised.value) is kind
    assert raised.value.reason.startswith(reason)
    faults.clear()
    line.send(a_receipt(), fd=8)


def test_busy_says_for_how_long(line: Line, faults: Faults) -> None:
    faults.add("ofd", "status", code=503, retry_after=17)
    with pytest.raises(Busy) as raised:
        line.send(a_receipt())
    assert raised.value.retry_after_s == 17


def test_nobody_silences_the_till_for_more_than_an_hour(line: Line, faults: Faults) -> None:
    faults.add("ofd", "status", code=429, retry_after=86_400)
    with pytest.raises(Throttled) as raised:
        line.send(a_receipt())
    assert raised.value.retry_after_s == 3_600


def test_a_lost_answer_is_repeated_under_the_same_key(
    line: Line, ofd: SimulatedOfd, faults: Faults
) -> None:
    faults.add("ofd", "lose_answer", times=1)
    receipt = a_receipt()
    with pytest.raises(Unknown):
        line.send(receipt)
    line.send(receipt)
    assert [row["outcome"] for row in ofd.requests()] == ["stored", "repeated"]
    assert len(ofd.receipts()) == 1


def test_a_receipt_in_their_queue_is_asked_for_and_not_sent_again(
    line: Line, ofd: SimulatedOfd, faults: Faults
) -> None:
    faults.add("ofd", "wait")
    receipt = a_receipt()
    with pytest.raises(Unknown):
        line.send(receipt, ms=400)
    faults.clear()
    line.send(receipt)
    assert [row["method"] for row in ofd.requests()].count("POST") == 1


def test_a_conflict_is_settled_by_their_own_record(
    line: Line, ofd: SimulatedOfd, faults: Faults
) -> None:
    receipt = a_receipt()
    line.send(receipt)
    faults.add("ofd", "status", times=1, code=409, path="/receipts")
    assert line.send(receipt).fd == 7
    faults.add("ofd", "status", times=1, code=409, path="/receipts")
    with pytest.raises(WrongNumbers):
        line.send(receipt, fd=8)


@pytest.mark.parametrize("first", [b"202 Accepted", b"409 Conflict"])
def test_a_question_that_finds_nobody_leaves_it_unknown(rude: Make, first: bytes) -> None:
    server: RudeServer

    def talk(peer: socket.socket, _number: int) -> None:
        peer.recv(65536)
        server.close()
        head = b"HTTP/1.1 " + first + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        peer.sendall(head)

    server = rude(talk)
    with pytest.raises(DeliveryError) as raised:
        Line(server.url).send(a_receipt())
    assert type(raised.value) is Unknown, "the receipt did leave"


def test_our_document_under_another_key_is_not_accepted(line: Line) -> None:
    line.send(a_receipt(), fd=9)
    with pytest.raises(NotAccepted) as raised:
        line.send(a_receipt(), fd=9)
    assert raised.value.reason.startswith("409")


def test_what_they_say_of_a_customer_stays_out_of_the_log(rude: Make) -> None:
    text = '{"error": {"text": "no anna@example.org, no +79991112233"}}'
    customer = Customer(email="anna@example.org", phone="+79991112233")

    def talk(peer: socket.socket, _number: int) -> None:
        peer.recv(65536)
        head = f"HTTP/1.1 422 No\r\nContent-Length: {len(text)}\r\n\r\n"
        peer.sendall((head + text).encode())

    with pytest.raises(NotAccepted) as raised:
        Line(rude(talk).url).send(replace(a_receipt(), customer=customer))
    assert raised.value.reason.endswith(": no …, no …")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 60_000,
        b'{"fn": 1',
        b'{"fn": true, "fd": 7, "fp": "1"}',
        b'{"fn": "9960440300112233", "fd": %s, "fp": "123456789"}' % (b"7" * 5_000),
    ],
)
def test_a_body_that_says_nothing_leaves_it_unknown(rude: Make, body: bytes) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with pytest.raises(Unknown, match="200 without fiscal numbers"):
        Line(rude(talk).url).send(a_receipt())


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [
        ("7", 7, 7),
        ("-1", None, None),
        ("soon", None, None),
        ("", None, None),
        ("9" * 30, 3600, 3600),
        ("DATE", 80, 90),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    rude: Make, header: str, least_s: float | None, most_s: float | None
) -> None:
    said = (
        format_datetime(datetime.now(UTC) + timedelta(seconds=90)) if header == "DATE" else header
    )

    def talk(peer: socket.socket, _number: int) -> None:
        peer.recv(65536)
        head = f"HTTP/1.1 503 No\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n"
        peer.sendall(head.encode())

    with pytest.raises(Busy) as raised:
        Line(rude(talk).url).send(a_receipt())
    found_s = raised.value.retry_after_s
    if least_s is None or most_s is None:
        assert found_s is None
    else:
        assert found_s is not None
        assert least_s <= found_s <= most_s


@pytest.mark.parametrize("token", ["", " \n", "a\r\nHost: x", "ключ"])
def test_a_token_no_header_can_carry_is_a_wrong_setting(ofd: SimulatedOfd, token: str) -> None:
    line = Line(ofd.url, lambda: token)
    with pytest.raises(Misconfigured):
        line.send(a_receipt())
    line.ping()
    assert [row["method"] for row in ofd.requests()] == ["GET"]


def test_a_token_file_that_is_gone_is_a_wrong_setting(ofd: SimulatedOfd) -> None:
    def gone() -> str:
        raise FileNotFoundError("token")

    with pytest.raises(Misconfigured):
        Line(ofd.url, gone).send(a_receipt())


@pytest.mark.parametrize("url", ["", "ofd.example.org", "ftp://ofd.example.org", "https://"])
def test_an_address_that_is_none_is_a_bad_setting(url: str) -> None:
    with pytest.raises(BadConfig):
        Line(url)


@pytest.mark.parametrize(
    ("code", "alive"), [(200, True), (204, True), (404, True), (401, True), (302, False)]
)
def test_a_ping_is_answered_by_any_service_that_lives(
    line: Line, faults: Faults, code: int, alive: bool
) -> None:
    faults.add("ofd", "status", code=code)
    if alive:
        line.ping()
    else:
        with pytest.raises(DeliveryError):
            line.ping()


@pytest.mark.parametrize(("code", "kind"), [(500, Unknown), (503, Busy), (429, Throttled)])
def test_a_ping_tells_trouble_apart(
    line: Line, faults: Faults, code: int, kind: type[DeliveryError]
) -> None:
    faults.add("ofd", "status", code=code)
    with pytest.raises(kind):
        line.ping()


def test_the_seller_stands_in_for_a_receipt_without_a_tax_system(
    line: Line, ofd: SimulatedOfd
) -> None:
    line.send(replace(a_receipt(), tax_system=None))
    assert ofd.receipts()[0]["company"]["sno"] == SELLER.tax_system.name.lower()
