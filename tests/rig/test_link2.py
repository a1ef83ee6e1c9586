"""The device's side of the alternative low level: [SHTRIH] 3."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig.faults import Faults
from rig.line import FIRST_BYTES, PROTOCOL_2
from rig.link import frame
from rig.link2 import Level2, Link2, crc16, frame2, stuff, unstuff

from tests.rig.bench import (
    ACK,
    CONTINUE,
    ENQ,
    FN_STATUS,
    FULL_STATUS,
    NAK,
    OPEN_SHIFT,
    STATUS,
    STX,
    Bench,
    close,
    open_receipt,
    operation,
    plain,
    storage,
)

PING = bytes.fromhex("8F 00 00 0F 1D")
NOTHING_YET = bytes.fromhex("8F 02 00 01 00 99 5A")
START = b"\x8f"

# Whole frames that hosts sent to real tills, and what came back where it was recorded.
CONVERSATIONS = {
    "sync after power-on": (PING.hex(), NOTHING_YET.hex()),
    "full status": (
        "8F 07 00 08 00 11 1E 00 00 00 82 2D",
        "8F 34 00 08 00 11 00 1E 43 32 31 88 0D 06 13 01 18 00 90 00 02 00 80 4E 41 00 00 01 01 10 "
        "02 08 13 0F 30 07 00 04 0E 00 00 24 00 00 00 00 00 A9 EA F2 CE B3 00 00 00 22 EF",
    ),
    "field of table 2": ("8F 09 00 12 00 2E 1E 00 00 00 02 02 28 BB", None),
    "port of the ОФД": (
        "8F 09 00 9A 00 2E 1E 00 00 00 13 02 27 1D",
        "8F 32 00 9A 00 2E 00 CF CE D0 D2" + " 00" * 36 + " 00 02 00 00 FF FF BC 79",
    ),
    "value of the port": (
        "8F 0B 00 9B 00 1F 1E 00 00 00 13 01 00 02 16 15",
        "8F 06 00 9B 00 1F 00 61 1E 5E B8",
    ),
    "the same field again": ("8F 09 00 9C 00 2E 1E 00 00 00 13 02 AF 47", None),
    "short status of operator 1": (
        "8F 07 00 56 00 10 01 00 00 00 85 90",
        "8F 12 00 56 00 10 00 01 90 00 02 00 00 99 49 00 00 00 4A 8E 08 2A A8",
    ),
    "short status while printing": (
        "8F 07 00 39 00 10 01 00 00 00 76 A9",
        "8F 13 00 39 00 10 00 01 90 00 08 05 02 00 00 00 00 00 FF FF FF 05 2B 73",
    ),
    "short status after a receipt": (
        "8F 07 00 26 00 10 01 00 00 00 E4 14",
        "8F 13 00 26 00 10 00 01 90 00 02 00 00 33 48 00 00 00 FF FF FF 00 78 C2",
    ),
    "tag 1215": (
        "8F 08 00 3D 00 FF 3B 1E 00 00 00 99 B6",
        "8F 0A 00 3D 00 FF 3B 00 BF 04 01 00 00 F0 8C",
    ),
    "tag 1216": (
        "8F 08 00 3E 00 FF 3B 1E 00 00 00 EC 7E",
        "8F 0A 00 3E 00 FF 3B 00 C0 04 01 00 00 40 45",
    ),
    "tag 1077": (
        "8F 08 00 DE 00 FF 3B 1E 00 00 00 D5 0E",
        "8F 0F 00 DE 00 FF 3B 00 35 04 06 00 31 04 18 F6 3A 52 4E 6E",
    ),
    "tag 1038": (
        "8F 08 00 DF 00 FF 3B 1E 00 00 00 06 49",
        "8F 0D 00 DF 00 FF 3B 00 0E 04 04 00 31 00 00 00 61 88",
    ),
    "an item": (
        "8F 08 00 E6 00 FF 3B 1E 00 00 00 D3 56",
        "8F 39 00 E6 00 FF 3B 00 23 04 30 00 06 04 04 00 88 AA E0 A0 37 04 02 00 E8 03 FF 03 04 00 "
        "06 40 42 0F 13 04 02 00 E8 03 AF 04 01 00 02 B0 04 01 00 5B BE 04 01 00 04 BC 04 01 00 0A "
        "16 AE",
    ),
    "behind the item": ("8F 08 00 E7 00 FF 3B 1E 00 00 00 00 11", None),
}
ANSWERS_ALONE = (
    "8F 2F 00 11 00 2D 00 CF C0 D0 CE CB C8 20 CA C0 D1 D1 C8 D0 CE C2 20 C8 20 C0 C4 CC C8 CD C8 "
    "D1 D2 D0 C0 D2 CE D0 CE C2 00 00 00 00 00 00 00 1E 00 02 DB 40",
    "8F 12 00 25 00 FF 45 00 00 00 00 00 00 52 00 00 00 F2 BF 0B 3E 90 6B",
)
# Answers of one layout whatever the values: ours are as long.
SAME_LENGTH = {"port of the ОФД", "value of the port", "short status of operator 1"}


def split(heard: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and payload of every frame, check sums looked at."""
    for piece in heard.split(START)[1:]:
        body = unstuff(piece)
        assert body is not None
        size, number = struct.unpack("<HH", body[:4])
        assert len(body) == 2 + size + 2
        assert crc16(body[:-2]) == int.from_bytes(body[-2:], "little")
        yield number, body[4:-2]


def only(heard: bytes) -> tuple[int, bytes]:
    (found,) = split(heard)
    return found


@dataclass
class Host2(Bench):
    """The bench's till with a host that numbers its requests."""

    number: int = field(default=1)

    def ask(self, payload: bytes) -> bytes:
        self.number = (self.number + 1) % 0x10000
        number, answer = only(self.say(frame2(self.number, payload)))
        assert number == self.number
        return answer


def test_check_sums_are_those_of_the_standard() -> None:
    assert crc16(b"\0\0") == 0x1D0F
    assert crc16(bytes.fromhex("03 00 06 00 FC")) == 0x63ED
    assert frame2(None) == PING
    assert frame2(1) == NOTHING_YET


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_recorded_request_gets_an_answer_with_its_number(name: str) -> None:
    bench = Host2()
    request, real = (bytes.fromhex(text) if text else b"" for text in CONVERSATIONS[name])
    if request == PING:
        assert bench.say(request) == real
        return
    number, payload = only(request)
    for earlier in range(2, number):  # the number of the trace is reached as that host did
        only(bench.say(frame2(earlier, b"\xfc")))
    if payload[:2] == b"\xff\x3b":
        bench.printer.till.reading = [b"\x0e\x04\x04\x00\x31\x00\x00\x00"]
    answered, ours = only(bench.say(request))
    assert answered == number
    assert ours.startswith(payload[: 2 if payload[0] == 0xFF else 1] + b"\0")
    if real:
        theirs_number, theirs = only(real)
        assert theirs_number == number
        assert name not in SAME_LENGTH or len(ours) == len(theirs)


@pytest.mark.parametrize("whole", ANSWERS_ALONE)
def test_a_recorded_answer_is_framed_as_ours(whole: str) -> None:
    number, payload = only(bytes.fromhex(whole))
    assert frame2(number, payload) == bytes.fromhex(whole)


@given(st.binary(max_size=300))
def test_stuffing_is_undone_and_hides_every_start(data: bytes) -> None:
    assert unstuff(stuff(data)) == data
    assert START not in stuff(data)


@given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=300))
def test_a_frame_gives_its_number_and_payload_back(number: int, payload: bytes) -> None:
    assert only(frame2(number, payload)) == (number, payload)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_request_may_come_in_any_pieces(payload: bytes, data: st.DataObject) -> None:
    echo, sent, heard = Echo(), frame2(2, payload), b""
    link = Link2(echo, Faults())
    while sent:
        cut = data.draw(st.integers(1, len(sent)))
        link.receive(sent[:cut], 0.0)
        heard += link.transmit(0.0)
        sent = sent[cut:]
    assert only(heard) == (2, payload)
    assert echo.ran == [payload]


class Echo:
    """A device that answers with the question and remembers what ran."""

    def __init__(self) -> None:
        self.ran: list[bytes] = []

    def execute(self, payload: bytes, _now_s: float) -> bytes:
        self.ran.append(payload)
        return payload

    def power_off(self, _now_s: float) -> None:
        """Nothing to forget."""

    def power_on(self, _now_s: float) -> None:
        """Nothing to do."""


def test_the_first_request_after_power_on_is_number_two() -> None:
    bench = Host2()
    assert bench.say(frame2(1, OPEN_SHIFT)) == NOTHING_YET
    assert bench.say(frame2(3, OPEN_SHIFT)) == NOTHING_YET
    assert bench.last_fd() == 1
    assert only(bench.say(frame2(2, OPEN_SHIFT))) == (2, b"\xe0\0\x1e")
    assert bench.last_fd() == 2


def test_a_lost_reply_is_repeated_by_the_same_number_and_the_command_runs_once() -> None:
    bench = Host2()
    bench.faults.add("printer", "lose_reply", times=1, command="open_shift")
    request = frame2(2, OPEN_SHIFT)
    assert bench.say(request) == b""
    assert only(bench.say(request)) == (2, b"\xe0\0\x1e")
    assert only(bench.say(PING)) == (2, b"\xe0\0\x1e")
    assert bench.last_fd() == 2


@pytest.mark.parametrize("number", [0, 1, 2, 4, 0xFFFF])
def test_any_other_number_repeats_the_last_answer(number: int) -> None:
    bench = Host2()
    first = bench.say(frame2(2, STATUS))
    assert bench.say(frame2(number, OPEN_SHIFT)) == first
    assert bench.say(frame2(3)) == first, "a number without data is an empty frame"
    assert bench.last_fd() == 1


def test_numbers_go_round_after_65535() -> None:
    echo = Echo()
    link = Link2(echo, Faults())
    assert isinstance(link.level, Level2)
    link.level.number = 0xFFFE
    for number in (0xFFFF, 0, 1, 2):
        link.receive(frame2(number, b"\xfc"), 0.0)
    assert [number for number, _ in split(link.transmit(0.0))] == [0xFFFF, 0, 1, 2]
    assert len(echo.ran) == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_power_cut_forgets_numbers_and_the_answer(when: str) -> None:
    bench = Host2()
    bench.ask(STATUS)
    bench.faults.add("printer", "power_cut", times=1, command="open_shift", when=when)
    assert bench.say(frame2(3, OPEN_SHIFT)) == b""
    bench.hear(1)
    assert bench.last_fd() == (2 if when == "after" else 1)
    assert bench.say(PING) == NOTHING_YET
    assert only(bench.say(frame2(2, STATUS)))[0] == 2


@pytest.mark.parametrize(
    "damaged",
    [
        frame2(2, OPEN_SHIFT)[:-1] + b"\0",
        frame2(2, OPEN_SHIFT)[:-1],
        b"\x8f\x01\x00\x00\x00\x00",
        b"\x8f\x07\x00\x02\x00\x9f\x00\x1e",
        b"\x06\x15\x05\x02",
    ],
    ids=["check sum", "cut short", "length one", "bad escape", "control bytes"],
)
def test_a_damaged_frame_is_dropped_in_silence(damaged: bytes) -> None:
    bench = Host2(options={"protocol": "2"})
    assert bench.say(damaged) == b""
    assert bench.hear(0.1) == b""
    assert bench.last_fd() == 1
    assert only(bench.say(frame2(2, OPEN_SHIFT)))[0] == 2


def test_a_start_inside_a_frame_begins_the_next_one() -> None:
    bench = Host2()
    assert bench.say(frame2(2, OPEN_SHIFT)[:7] + PING) == NOTHING_YET


def test_bytes_too_far_apart_are_no_frame() -> None:
    bench = Host2()
    assert bench.say(frame2(2, STATUS)[:6]) == b""
    assert bench.printer.next_due_s() == pytest.approx(0.05)
    bench.hear(0.06)
    assert bench.say(frame2(2, STATUS)[6:]) == b""


def test_bytes_take_the_time_of_the_line() -> None:
    bench = Host2(options={"baud": 4800})
    byte_s = 10 / 4800
    request = frame2(2, STATUS)
    bench.printer.receive(request, bench.now_s)
    assert bench.hear(len(request) * byte_s) == b""
    assert bench.hear(byte_s * 1.01) == START


@pytest.mark.parametrize(("hears", "answers"), [(True, 1), (False, 2)])
def test_a_repeat_sent_to_a_working_device_never_runs_twice(hears: bool, answers: int) -> None:
    bench = Host2(options={"fast": False, "ack_while_running": hears})
    request = frame2(2, OPEN_SHIFT)
    assert bench.say(request) == b""
    assert bench.say(request) == b""
    assert [number for number, _ in split(bench.hear(3))] == [2] * answers
    assert bench.last_fd() == 2


def test_a_slow_answer_comes_after_the_command_has_run() -> None:
    bench = Host2()
    bench.faults.add("printer", "slow", times=1, command="open_shift", ms=2_000)
    assert bench.say(frame2(2, OPEN_SHIFT)) == b""
    assert bench.last_fd() == 2
    assert only(bench.hear(2)) == (2, b"\xe0\0\x1e")


@pytest.mark.parametrize(("passed", "fd"), [(11, 1), (12, 2)])
@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_line_cut_inside_the_request(passed: int, fd: int, in_pieces: bool) -> None:
    bench = Host2()
    bench.faults.add(
        "printer", "cut_after", times=1, command="open_shift", direction="to_device", bytes=passed
    )
    request = frame2(2, OPEN_SHIFT) + PING
    assert len(frame2(2, OPEN_SHIFT)) == 12
    for piece in [bytes([byte]) for byte in request] if in_pieces else [request]:
        bench.say(piece)
    assert bench.printer.drops() == 1
    assert bench.last_fd() == fd


def test_a_line_cut_inside_the_answer_leaves_it_to_be_asked_for() -> None:
    bench = Host2()
    bench.faults.add(
        "printer", "cut_after", times=1, command="open_shift", direction="to_host", bytes=4
    )
    assert bench.say(frame2(2, OPEN_SHIFT)) == frame2(2, b"\xe0\0\x1e")[:4]
    bench.wait(1)
    bench.printer.reconnect(bench.now_s)
    assert only(bench.say(PING)) == (2, b"\xe0\0\x1e")
    assert bench.last_fd() == 2


def test_a_device_that_keeps_nothing_over_a_connection_numbers_anew() -> None:
    bench = Host2(options={"keep_answer_on_reconnect": False})
    bench.ask(STATUS)
    bench.printer.reconnect(bench.now_s)
    assert bench.say(PING) == NOTHING_YET


def test_faults_of_the_till_itself_bite_here_too() -> None:
    bench = Host2()
    bench.faults.add("printer", "refuse", times=1, command="open_shift", code="16")
    bench.faults.add("printer", "busy", times=1, command="x_report")
    assert bench.ask(OPEN_SHIFT) == b"\xe0\x16"
    assert bench.ask(OPEN_SHIFT) == b"\xe0\0\x1e"
    assert bench.ask(plain(0x40)) == b"\x40\x50"
    bench.faults.add("printer", "paper_out", times=1, command="x_report")
    assert bench.ask(plain(0x40)) == b"\x40\x6b"


def test_a_receipt_is_sold_from_the_shift_to_the_sign() -> None:
    bench = Host2()
    bench.open_shift()
    assert bench.sell(12_345)[2] == 0
    assert bench.printer.documents()[-1]["total_kopecks"] == 12_345
    assert bench.ask(FN_STATUS)[29:] == struct.pack("<I", 3)


@pytest.mark.parametrize("protocol", ["auto", "2"])
def test_the_first_byte_after_power_on_decides(protocol: str) -> None:
    bench = Host2(options={"protocol": protocol})
    assert bench.say(PING) == NOTHING_YET
    assert bench.say(ENQ) == b"", "the choice stays"
    bench.printer.cut_power(bench.now_s)
    bench.hear(1)
    assert bench.say(ENQ) == (NAK if protocol == "auto" else b"")
    assert bench.say(PING) == (NAK * len(PING) if protocol == "auto" else NOTHING_YET)


def test_a_frame_of_level_one_decides_too() -> None:
    bench = Bench()
    assert FIRST_BYTES[0x02] != PROTOCOL_2
    assert bench.say(frame(open_receipt(0))) == b"", "no ENQ yet"
    assert bench.say(PING) == b""
    assert bench.say(ENQ) == NAK


def test_other_bytes_decide_nothing() -> None:
    bench = Host2()
    assert bench.say(b"\xff\x06\x15") == b""
    assert bench.say(PING) == NOTHING_YET


def test_new_exchange_parameters_open_the_choice_again() -> None:
    bench = Host2()
    assert bench.ask(plain(0x14, b"\0\x06\x32")) == b"\x14\0"
    assert bench.say(ENQ) == NAK


@pytest.mark.parametrize(("protocol", "said"), [("auto", True), ("1", False), ("2", True)])
def test_the_model_says_whether_it_speaks_level_two(protocol: str, said: bool) -> None:
    host = Bench if protocol == "1" else Host2
    flags = int.from_bytes(host(options={"protocol": protocol}).ask(b"\xf7\x01")[2:10], "little")
    assert bool(flags >> 28 & 1) is said


SALE = (OPEN_SHIFT, open_receipt(0), operation(), close(cash=10_000))
soup = st.lists(
    st.tuples(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from([PING, START, ENQ, ACK, STX, b"\x9f"]),
            st.builds(frame2, st.integers(1, 6), st.sampled_from(SALE)),
            st.builds(lambda whole, end: whole[:end], st.just(PING), st.integers(1, 4)),
        ),
        st.sampled_from([0.0, 0.01, 0.06, 1.0]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(soup)
def test_any_soup_of_bytes_never_makes_a_document_twice(
    pieces: list[tuple[bytes, float]],
) -> None:
    """However often each number came, what it ran is at most one document."""
    bench = Host2(options={"protocol": "2"})
    numbers = set()
    for data, pause in pieces:
        for number, payload in split(bench.say(data)):
            if payload:
                numbers.add(number)
        bench.hear(pause)
    made = [found["type"] for found in bench.printer.documents()][1:]
    assert len(made) <= max(len(numbers), 1)
    bench.hear(1)
    assert bench.say(PING), "and the device still answers"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.floats(0.001, 0.008))
def test_noise_and_a_host_that_repeats_by_number_run_each_request_once(
    seed: int, rate: float
) -> None:
    bench = Host2(options={"protocol": "2"})
    bench.faults.add("printer", "noise", rate=rate, seed=seed)
    for number, payload in enumerate((*SALE, CONTINUE, FULL_STATUS, storage(0x40)), start=2):
        for _ in range(400):
            if any(got == number for got, _ in heard_well(bench, frame2(number, payload))):
                break
            bench.hear(0.06)
        else:
            pytest.fail("no answer")
    types = [found["type"] for found in bench.printer.documents()]
    assert types == ["registration", "shift_open", "receipt"]


def heard_well(bench: Bench, request: bytes) -> list[tuple[int, bytes]]:
    try:
        return list(split(bench.say(request)))
    except (AssertionError, struct.error):
        return []
