"""One JSON object a line, with the guide's keys, and no secret in it."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from kktd import log
from kktd.events import Event
from kktd.model.states import FiscalState


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure(stream)
    yield stream
    log.configure()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_begins_with_the_keys_of_the_guide(stream: io.StringIO) -> None:
    log.event(Event.KKT_PRINT_SUCCESS, receipt_id="r-1", duration_ms=180)
    (line,) = lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "component", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    assert line["level"] == "INFO"
    assert line["component"] == "kkt_adapter"
    assert line["event"] == "kkt_print_success"
    assert line["receipt_id"] == "r-1"
    assert line["duration_ms"] == 180


def test_a_level_may_be_told(stream: io.StringIO) -> None:
    log.event(Event.PRINTER_LOST, level="WARN")
    assert lines(stream)[0]["level"] == "WARN"


def test_facts_are_written_in_russian_and_on_one_line(stream: io.StringIO) -> None:
    log.event(Event.RECEIPT_HELD, reason="строка\nвторая", state=FiscalState.ACCEPTED)
    assert "строка" in stream.getvalue()
    assert lines(stream)[0]["reason"] == "строка\nвторая"
    assert lines(stream)[0]["state"] == "accepted"


@pytest.mark.parametrize("key", ["token", "authorization", "email", "phone", "contact", "inn"])
def test_secrets_and_contacts_stay_out(stream: io.StringIO, key: str) -> None:
    secret: dict[str, Any] = {key: "TELL-NOBODY"}
    log.event(Event.REQUEST_FAILED, facts=secret, **secret)
    assert "TELL-NOBODY" not in stream.getvalue()
    assert lines(stream)[0][key] == "…"


def test_a_library_in_trouble_writes_a_line_like_every_other(stream: io.StringIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("it failed %d times", 3)
    logging.getLogger("urllib3").warning("of no interest")
    (line,) = lines(stream)
    assert line["event"] == "library_failed"
    assert line["library"] == "uvicorn.error"
    assert line["reason"] == "it failed 3 times"
    assert line["error"] == "ValueError('boom')"


def test_a_stream_that_is_gone_stops_no_sale() -> None:
    stream = io.StringIO()
    log.configure(stream)
    stream.close()
    log.event(Event.RECEIPT_CREATE, receipt_id="r-1")
    log.configure()


def test_text_that_cannot_be_written_stops_no_sale(stream: io.StringIO) -> None:
    log.event(Event.RECEIPT_CREATE, name="\ud800")
    log.event(Event.RECEIPT_CREATE, name="next")
    assert stream.getvalue().count("next") == 1
