"""What a start learns of apcupsd, and that it waits for no answer for long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kktd.clock import SystemClock
from kktd.power import nis
from kktd.power.table import UpsEvent


@contextmanager
def apcupsd(answer: bytes) -> Iterator[str]:
    """Answers once with these bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(64)
                client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def lines(*texts: str) -> bytes:
    return b"".join(len(one).to_bytes(2) + one.encode() for one in texts) + bytes(2)


@pytest.mark.parametrize(
    ("status", "events"),
    [
        ("ONLINE", ()),
        ("ONBATT", (UpsEvent.ONBATTERY,)),
        ("COMMLOST", (UpsEvent.COMMFAILURE,)),
        ("ONBATT COMMLOST", (UpsEvent.COMMFAILURE, UpsEvent.ONBATTERY)),
        ("CAL ONLINE REPLACEBATT", ()),
    ],
)
def test_the_status_of_apcupsd_is_what_was_missed(
    status: str, events: tuple[UpsEvent, ...]
) -> None:
    with apcupsd(lines("APC      : 001,036,0870\n", f"STATUS   : {status} \n")) as address:
        assert nis.find_events(address, SystemClock()) == events


@pytest.mark.parametrize("answer", [b"", b"\x00", lines("STATUS : ONBATT\n")[:-2], b"\xff" * 9])
def test_half_an_answer_is_none(answer: bytes) -> None:
    with apcupsd(answer) as address:
        assert nis.find_events(address, SystemClock()) == ()


def test_nobody_there_and_somebody_deaf_are_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nis, "ANSWER_MS", 100)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        assert nis.find_events(address, SystemClock()) == ()
    assert nis.find_events(address, SystemClock()) == ()
