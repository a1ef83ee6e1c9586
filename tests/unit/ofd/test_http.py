"""One exchange under one deadline, against servers that drip, flood, redirect and hang up."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable

import pytest

from kktd.clock import Deadline, SystemClock
from kktd.ofd.channel import DeliveryError, Misconfigured, Unavailable, Unknown
from kktd.ofd.http import BODY_BYTES_MAX, HttpAnswer, HttpLine, bearer
from tests.unit.ofd.conftest import RudeServer

Talk = Callable[[socket.socket, int], None]
Make = Callable[[Talk], RudeServer]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SLACK_S = 1.0


def ask(line: HttpLine, url: str, ms: int = 5_000) -> HttpAnswer:
    return line.ask("POST", url + "/receipts", Deadline.after_ms(SystemClock(), ms), {}, b"{}")


def read_request(peer: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got or not got.endswith(b"{}"):
        part = peer.recv(4096)
        if not part:
            raise ConnectionError
        got += part
    return got


def drip(peer: socket.socket, data: bytes, each_s: float = 0.05) -> None:
    for byte in data * 1000:
        peer.sendall(bytes([byte]))
        time.sleep(each_s)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_dripped_bytes_do_not_stretch_the_deadline(rude: Make, head: bytes) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)
        peer.sendall(head)
        drip(peer, b"X")

    server = rude(talk)
    began_s = time.monotonic()
    with pytest.raises(Unknown):
        ask(HttpLine(), server.url, ms=500)
    assert time.monotonic() - began_s < 0.5 + SLACK_S


def test_the_thread_of_a_dripping_answer_ends_too(rude: Make) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)
        drip(peer, b"HTTP/1.1 200 OK\r\nX: ")

    server = rude(talk)
    before = {one for one in threading.enumerate() if one.name == "ofd-http"}
    with pytest.raises(Unknown):
        ask(HttpLine(), server.url, ms=200)
    until_s = time.monotonic() + 10
    while {one for one in threading.enumerate() if one.name == "ofd-http"} - before:
        assert time.monotonic() < until_s, "it still reads"
        time.sleep(0.02)


def test_a_server_that_does_not_read_does_not_hold_the_till(rude: Make) -> None:
    server = rude(lambda peer, _number: time.sleep(5))
    by = Deadline.after_ms(SystemClock(), 300)
    began_s = time.monotonic()
    with pytest.raises(Unknown):
        HttpLine().ask("POST", server.url, by, {}, b"x" * (32 << 20))
    assert time.monotonic() - began_s < 0.3 + SLACK_S


@pytest.mark.parametrize(
    "head", [b"Content-Length: 99999999", b"X: y", b"Transfer-Encoding: chunked"]
)
def test_a_flood_is_cut_off(rude: Make, head: bytes) -> None:
    sent = 0

    def talk(peer: socket.socket, _number: int) -> None:
        nonlocal sent
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        block = b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in head else b"x" * 65536
        while True:
            peer.sendall(block)
            sent += 65536

    server = rude(talk)
    with pytest.raises(Unknown, match="AnswerTooLong"):
        ask(HttpLine(), server.url)
    assert sent < 200 * BODY_BYTES_MAX


def test_the_largest_body_is_taken_whole(rude: Make) -> None:
    body = b"x" * BODY_BYTES_MAX

    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert ask(HttpLine(), rude(talk).url).body == body


def test_a_redirect_is_an_answer_and_never_followed(rude: Make) -> None:
    followed = rude(lambda peer, _number: None)

    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)
        where = followed.url.encode()
        peer.sendall(b"HTTP/1.1 307 Go\r\nLocation: " + where + b"\r\nContent-Length: 0\r\n\r\n")

    assert ask(HttpLine(), rude(talk).url).status == 307
    assert followed.accepted == 0


def test_proxies_and_cookies_of_the_surroundings_are_not_used(
    rude: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = rude(lambda peer, _number: None)
    monkeypatch.setenv("http_proxy", proxy.url)
    seen: list[bytes] = []

    def talk(peer: socket.socket, _number: int) -> None:
        for _ in range(2):
            seen.append(read_request(peer))
            peer.sendall(OK.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\n", 1))

    line, url = HttpLine(), rude(talk).url
    ask(line, url)
    ask(line, url)
    assert proxy.accepted == 0
    assert b"cookie" not in seen[1].lower()


def test_a_connection_is_kept(rude: Make) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        while True:
            read_request(peer)
            peer.sendall(OK)

    server, line = rude(talk), HttpLine()
    for _ in range(5):
        ask(line, server.url)
    assert server.accepted == 1


def test_a_kept_connection_closed_meanwhile_is_no_failure(rude: Make) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)
        peer.sendall(OK)  # and hangs up

    server, line = rude(talk), HttpLine()
    for _ in range(5):
        assert ask(line, server.url).status == 200
    assert server.accepted == 5


def test_a_kept_connection_that_dies_under_the_request_is_tried_once_more(rude: Make) -> None:
    def talk(peer: socket.socket, number: int) -> None:
        read_request(peer)
        if number == 1:
            peer.sendall(OK)
            read_request(peer)  # and hangs up instead of answering
        elif number == 2:
            peer.sendall(OK)
            read_request(peer)
        # the third hangs up at once

    server, line = rude(talk), HttpLine()
    assert ask(line, server.url).status == 200
    assert ask(line, server.url).status == 200
    assert server.accepted == 2
    with pytest.raises(Unknown, match="ConnectionClosed"):
        ask(line, server.url)
    assert server.accepted == 3


def test_a_new_connection_that_dies_is_not_tried_again(rude: Make) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)

    server = rude(talk)
    with pytest.raises(Unknown, match="ConnectionClosed"):
        ask(HttpLine(), server.url)
    assert server.accepted == 1


def test_garbage_is_no_answer(rude: Make) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        read_request(peer)
        peer.sendall(b"\x00\xff\r\n\r\n")

    with pytest.raises(Unknown):
        ask(HttpLine(), rude(talk).url)


def test_nothing_is_sent_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(Unavailable, match="ConnectionRefused"):
        ask(HttpLine(), url)


def test_a_name_nobody_knows_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        ask(HttpLine(), "http://ofd.invalid", ms=3_000)


def test_a_name_server_that_is_silent_does_not_stretch_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()

    def silent(*_args: object, **_more: object) -> list[object]:
        asked.set()
        time.sleep(2)
        raise socket.gaierror("nobody answered")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match="ConnectionTimeout"):
        ask(HttpLine(), "http://ofd.example.org", ms=200)
    assert asked.is_set()
    assert time.monotonic() - began_s < 0.2 + SLACK_S


def test_tls_that_is_none_sends_nothing(rude: Make) -> None:
    server = rude(lambda peer, _number: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(Unavailable, match="TLS"):
        ask(HttpLine(), server.url.replace("http:", "https:"))


def test_a_tls_handshake_that_drips_does_not_stretch_the_deadline(rude: Make) -> None:
    def talk(peer: socket.socket, _number: int) -> None:
        peer.sendall(b"\x16\x03\x03\x40\x00")
        drip(peer, b"\x00")

    server = rude(talk)
    began_s = time.monotonic()
    with pytest.raises(Unavailable):
        ask(HttpLine(), server.url.replace("http:", "https:"), ms=500)
    assert time.monotonic() - began_s < 0.5 + SLACK_S


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (errno.EMFILE, Unavailable),
        (errno.ENOMEM, Unavailable),
        (errno.ENOENT, Misconfigured),
        (errno.EACCES, Misconfigured),
    ],
)
def test_a_token_that_cannot_be_read_now_is_not_a_wrong_one(
    reason: int, kind: type[DeliveryError]
) -> None:
    def read() -> str:
        raise OSError(reason, "simulated")

    with pytest.raises(DeliveryError) as raised:
        bearer(read)
    assert type(raised.value) is kind
