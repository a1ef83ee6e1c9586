"""Frames of protocol 2 survive any cut of the stream and any noise around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kktd.printers.shtrih.framing2 import (
    DATA_BYTES_MAX,
    ESCAPE,
    HEAD,
    NUMBERS,
    SYNC,
    Deframer,
    Kind,
    Token,
    encode,
)

numbers = st.integers(0, NUMBERS - 1)
# as much of what is stuffed, and of what stuffing makes of it, as of everything else
bytes_of_data = st.sampled_from([HEAD, ESCAPE, 0x81, 0x83]) | st.integers(0, 255)
payloads = st.lists(bytes_of_data, max_size=300).map(bytes)
packets = st.tuples(numbers, payloads)
packet_lists = st.lists(packets, max_size=6)


def stream_of(sent: list[tuple[int, bytes]]) -> bytes:
    return b"".join(encode(number, data) for number, data in sent)


def whole(tokens: list[Token]) -> list[tuple[int | None, bytes]]:
    return [(token.number, token.data) for token in tokens if token.kind is Kind.FRAME]


@given(packet_lists, st.data())
def test_frames_survive_any_cut_of_the_stream(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream, received, deframer = stream_of(sent), list[Token](), Deframer()
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        received += deframer.feed(stream[:cut])
        stream = stream[cut:]
    assert received == [Token(Kind.FRAME, number, payload) for number, payload in sent]
    assert not deframer.inside


@given(st.binary(max_size=600), packet_lists)
def test_frames_are_read_after_any_noise(rubbish: bytes, sent: list[tuple[int, bytes]]) -> None:
    """Without a silence, whatever the noise was: a bare 8F begins a frame wherever it stands."""
    received = whole(Deframer().feed(rubbish + stream_of(sent)))
    assert received[len(received) - len(sent) :] == sent


@given(st.lists(st.tuples(st.binary(max_size=12), packets), max_size=5), st.binary(max_size=12))
def test_no_frame_is_lost_to_noise_between_them(
    sent: list[tuple[bytes, tuple[int, bytes]]], tail: bytes
) -> None:
    stream = b"".join(before + encode(*packet) for before, packet in sent) + tail
    received = whole(Deframer().feed(stream))
    assert [packet for packet in received if packet in [one for _, one in sent]] == [
        packet for _, packet in sent
    ]


@given(packets, st.data())
def test_one_wrong_byte_never_passes(packet: tuple[int, bytes], data: st.DataObject) -> None:
    frame = bytearray(encode(*packet))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    assert packet not in whole(Deframer().feed(bytes(frame)))


@given(packets, st.data())
def test_a_frame_cut_short_is_given_up_once(packet: tuple[int, bytes], data: st.DataObject) -> None:
    frame = encode(*packet)
    deframer = Deframer()
    assert deframer.feed(frame[: data.draw(st.integers(1, len(frame) - 1))]) == []
    assert deframer.give_up()
    assert not deframer.give_up()


@given(packets)
def test_a_head_stands_at_the_beginning_of_a_frame_alone(packet: tuple[int, bytes]) -> None:
    assert encode(*packet)[1:].count(HEAD) == 0


def test_the_longest_frame_passes() -> None:
    data = bytes(DATA_BYTES_MAX)
    assert whole(Deframer().feed(encode(7, data))) == [(7, data)]


def test_a_sync_has_neither_number_nor_data() -> None:
    assert Deframer().feed(SYNC) == [Token(Kind.FRAME)]


@pytest.mark.parametrize(
    "damaged",
    [b"\x8f\x01\x00", b"\x8f\x9f\x41", b"\x8f\x02\x00\x8f"],
    ids=["a length of 1", "an escape of nothing", "a head inside"],
)
def test_what_cannot_be_a_frame_is_damaged_at_once(damaged: bytes) -> None:
    assert [token.kind for token in Deframer().feed(damaged)] == [Kind.DAMAGED]


@pytest.mark.parametrize("number", [-1, NUMBERS])
def test_a_number_that_fits_no_frame_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="number"):
        encode(number, b"\x10")


def test_data_that_fit_no_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="data of"):
        encode(1, bytes(DATA_BYTES_MAX + 1))
