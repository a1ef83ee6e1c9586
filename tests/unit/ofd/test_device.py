"""The channel that only reads: what it calls delivered, what it waits for, what a person sees."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from kktd.model.device import FnLife
from kktd.model.fiscal import FiscalDocument
from kktd.model.money import Kopecks
from kktd.model.receipt import Sign
from kktd.ofd.channel import NotAccepted, Unavailable
from kktd.ofd.device import DeviceChannel
from tests.support.clock import VirtualClock
from tests.support.receipts import a_receipt

FN = "9999078902019097"
NOON = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - a till knows no zones


def _life(last_fd: int, first_unsent_fd: int | None, since: datetime = NOON) -> FnLife:
    unsent = 0 if first_unsent_fd is None else last_fd - first_unsent_fd + 1
    oldest = None if first_unsent_fd is None else since
    return FnLife(FN, last_fd, unsent, first_unsent_fd, oldest, 1_000, date(2028, 1, 1))


def _document(fd: int, fn: str = FN) -> FiscalDocument:
    return FiscalDocument(fn, fd, "1", 1, 1, NOON, Sign.SALE, Kopecks(100))


def _channel(clock: VirtualClock, readings: dict[str, FnLife | None]) -> DeviceChannel:
    return DeviceChannel(lambda: readings, clock, UTC)


@pytest.mark.parametrize(
    ("life", "fd", "is_there"),
    [
        (_life(7, 5), 4, True),
        (_life(7, 5), 5, False),
        (_life(7, 5), 7, False),
        (_life(7, None), 7, True),
        (_life(7, None), 8, False),  # made after the reading
    ],
)
def test_what_stands_before_the_first_unsent_is_delivered(
    life: FnLife, fd: int, is_there: bool
) -> None:
    clock = VirtualClock()
    channel, document = _channel(clock, {FN: life}), _document(fd)
    assert channel.is_ready(document) is is_there
    by = clock.after_ms(1_000)
    if is_there:
        delivered = channel.send(a_receipt(), document, by)
        assert (delivered.fn, delivered.fd, delivered.fp) == (FN, fd, "1")
    else:
        with pytest.raises(Unavailable):
            channel.send(a_receipt(), document, by)


def test_an_fn_that_was_not_read_yet_is_waited_for() -> None:
    clock = VirtualClock()
    for readings in ({}, {FN: None}):
        channel = _channel(clock, dict(readings))
        assert not channel.is_ready(_document(1))
    with pytest.raises(Unavailable):
        _channel(clock, {FN: None}).ping(clock.after_ms(1_000))


def test_what_an_old_fn_took_away_is_a_person_s() -> None:
    clock = VirtualClock()
    channel, gone = _channel(clock, {FN: _life(7, None)}), _document(3, "1" * 16)
    assert channel.is_ready(gone), "nothing else will ever happen to it"
    with pytest.raises(NotAccepted):
        channel.send(a_receipt(), gone, clock.after_ms(1_000))


def test_a_printer_with_old_documents_does_not_reach_its_ofd() -> None:
    clock = VirtualClock()
    channel = _channel(clock, {FN: _life(7, 5)})
    channel.ping(clock.after_ms(1_000))
    clock.advance(301)
    with pytest.raises(Unavailable):
        channel.ping(clock.after_ms(1_000))
