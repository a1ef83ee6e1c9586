"""The exchange against the rig's half of protocol 1: nothing runs twice, no verdict lies.

The rig's link was written from the same description and shares no code with the driver.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig.faults import Faults
from rig.link import Link, LinkOptions

from kktd.printers.shtrih.exchange import ShtrihExchange
from kktd.printers.shtrih.framing import encode
from kktd.wire.exchange import NotSent, Unanswered
from tests.support.clock import VirtualClock
from tests.support.port import LinkDevice, Machine, MemoryPort

REPLY_MS = 3_000
BY_MS = 20_000


class Verdict(StrEnum):
    ANSWERED = "answered"
    NOT_SENT = "not sent"
    DOUBT = "doubt"


class Desk:
    """An exchange and the rig's link at its far end."""

    def __init__(self, options: LinkOptions | None = None, *, hangs_up: bool = False) -> None:
        self.clock = VirtualClock()
        self.faults = Faults()
        self.machine = Machine()
        self.link = Link(self.machine, self.faults, options)
        self.port = MemoryPort(LinkDevice(self.link), self.clock, hangs_up=hangs_up)
        self.connect()

    @property
    def ran(self) -> list[bytes]:
        return self.machine.ran

    def connect(self) -> None:
        self.port.close()
        self.port.open(self.clock.after_ms(BY_MS))
        self.exchange = ShtrihExchange(self.port)

    def ask(self, question: bytes, by_ms: int = BY_MS) -> bytes:
        return self.exchange.ask(question, REPLY_MS, self.clock.after_ms(by_ms))

    def verdict(self, question: bytes) -> Verdict:
        try:
            self.ask(question)
        except NotSent:
            return Verdict.NOT_SENT
        except Unanswered:
            return Verdict.DOUBT
        return Verdict.ANSWERED


def garble_once(desk: Desk, is_it: Callable[[bytes], bool], replacement: bytes) -> None:
    """Replace the first piece the device sends that `is_it`, as the line would."""
    device = desk.port._device
    transmit, done = device.transmit, False

    def garbled(now_s: float) -> bytes:
        nonlocal done
        data = transmit(now_s)
        if not done and is_it(data):
            done = True
            return replacement
        return data

    device.transmit = garbled  # type: ignore[method-assign]  # a fault of the line


def test_a_question_is_asked_once_and_answered() -> None:
    desk = Desk()
    assert desk.ask(b"\x10abc") == b"\x10\0abc"
    assert desk.ask(b"\x10abd") == b"\x10\0abd"
    assert desk.ran == [b"\x10abc", b"\x10abd"]


def test_an_fn_command_is_matched_by_both_code_bytes() -> None:
    desk = Desk()
    desk.machine.answer = lambda question: question[:2] + b"\0"
    assert desk.ask(b"\xff\x46abc") == b"\xff\x46\0"


def test_the_byte_left_over_on_rndis_is_skipped() -> None:
    desk = Desk(LinkOptions(stray_ff=True))
    for number in range(20):
        assert desk.ask(bytes((0x10, number)))[2] == number


def test_a_lost_acknowledgement_of_the_answer_costs_a_duplicate_and_no_more() -> None:
    desk = Desk()
    device = desk.port._device
    receive = device.receive
    device.receive = lambda data, now_s: None if data == b"\x06" else receive(data, now_s)  # type: ignore[method-assign]
    desk.ask(b"\x10a")
    device.receive = receive  # type: ignore[method-assign]
    assert desk.ask(b"\x10b") == b"\x10\0b"  # same code: the old answer is not taken for it
    assert desk.ran == [b"\x10a", b"\x10b"]


@pytest.mark.parametrize("timed_out", [False, True], ids=["device waits", "device gave up"])
def test_an_old_answer_announced_by_a_garbled_acknowledgement_is_not_taken(timed_out: bool) -> None:
    """ACK turned into NAK: the old answer of the same code comes where ours is expected."""
    desk = Desk()
    device = desk.port._device
    receive = device.receive
    device.receive = lambda data, now_s: None if data == b"\x06" else receive(data, now_s)  # type: ignore[method-assign]
    desk.ask(b"\x50a")
    device.receive = receive  # type: ignore[method-assign]
    if timed_out:
        desk.clock.advance(10)
    again = b"\x06" + encode(b"\x50\0a")
    garble_once(desk, lambda data: data == again, b"\x15" + again[1:])
    assert desk.ask(b"\x50b") == b"\x50\0b"
    assert desk.ran == [b"\x50a", b"\x50b"]


@pytest.mark.parametrize("garbled", [b"", b"\x15", b"\x41"], ids=["lost", "as NAK", "as noise"])
@pytest.mark.parametrize("body", [b"abc", b"\x05\x06", b"\x05\x06\x02\x05\x06"])
def test_a_lost_acknowledgement_of_the_frame_runs_nothing_twice(
    garbled: bytes, body: bytes
) -> None:
    desk = Desk()
    question = b"\x50" + body
    answered = b"\x06\x02"  # ACK and the answer leave together
    garble_once(desk, lambda data: data.startswith(answered), garbled)
    assert desk.ask(question) == b"\x50\0" + body
    assert desk.ran == [question]


def test_an_answer_that_lost_its_head_is_repeated() -> None:
    desk = Desk()
    garble_once(desk, lambda data: data[:2] == b"\x06\x02", b"\x06\x05\x50\x00abc")
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert desk.ran == [b"\x50abc"]


def test_a_damaged_answer_is_repeated() -> None:
    desk = Desk()
    garble_once(desk, lambda data: data[:2] == b"\x06\x02", b"\x06\x02\x02\x50\x00\x00")
    assert desk.ask(b"\x50") == b"\x50\0"
    assert desk.ran == [b"\x50"]


def test_an_answer_cut_short_is_repeated() -> None:
    desk = Desk()
    garble_once(desk, lambda data: data[:2] == b"\x06\x02", b"\x06\x02\x05\x50")
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert desk.ran == [b"\x50abc"]


def test_a_refused_frame_is_sent_again() -> None:
    desk = Desk()
    desk.faults.add("printer", "nak", times=3)
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert desk.ran == [b"\x50abc"]


def test_a_frame_refused_for_ever_was_not_sent() -> None:
    desk = Desk()
    desk.faults.add("printer", "nak")
    assert desk.verdict(b"\x50abc") is Verdict.NOT_SENT
    assert desk.ran == []


def test_a_deaf_device_was_not_sent_anything() -> None:
    desk = Desk()
    desk.link.cut_power(desk.clock.monotonic_s(), desk.clock.monotonic_s() + 3_600)
    started_s = desk.clock.monotonic_s()
    assert desk.verdict(b"\x50abc") is Verdict.NOT_SENT
    assert desk.clock.monotonic_s() - started_s <= BY_MS / 1000


def test_silence_after_the_command_is_a_doubt() -> None:
    desk = Desk()
    desk.faults.add("printer", "lose_reply")
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT
    assert desk.ran == [b"\x50abc"]


def test_a_reply_lost_once_is_repeated() -> None:
    desk = Desk()
    desk.faults.add("printer", "lose_reply", times=1)
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert desk.ran == [b"\x50abc"]


def test_power_lost_under_a_command_is_a_doubt() -> None:
    desk = Desk()
    desk.machine.answer = lambda _question: b"\x50\0"
    desk.faults.add("printer", "power_cut", times=1, command="cash_in", when="after")
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT
    assert desk.ran == [b"\x50abc"]


def test_an_answer_to_another_command_is_a_doubt() -> None:
    desk = Desk()
    desk.machine.answer = lambda _question: b"\x41\0\x1e"
    assert desk.verdict(b"\x10abc") is Verdict.DOUBT


def test_an_old_answer_after_a_reconnect_is_dropped() -> None:
    desk = Desk()
    desk.faults.add("printer", "lose_reply", times=1)
    with pytest.raises(Unanswered):
        desk.ask(b"\x50old", by_ms=200)
    desk.connect()
    assert desk.ask(b"\x50new") == b"\x50\0new"
    assert desk.ran == [b"\x50old", b"\x50new"]


@pytest.mark.parametrize("ack_while_running", [True, False])
def test_a_slow_command_is_waited_for(ack_while_running: bool) -> None:
    desk = Desk(LinkOptions(ack_while_running=ack_while_running))
    desk.faults.add("printer", "slow", ms=10_000, times=1)
    answer = desk.exchange.ask(b"\x41abc", 60_000, desk.clock.after_ms(90_000))
    assert answer == b"\x41\0abc"
    assert desk.ask(b"\x41abd") == b"\x41\0abd"
    assert desk.ran == [b"\x41abc", b"\x41abd"]


def test_a_line_that_hangs_up_under_a_command_is_a_doubt() -> None:
    desk = Desk(hangs_up=True)
    desk.faults.add("printer", "cut_after", bytes=3, direction="to_host", times=1)
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT


def test_a_line_that_is_gone_was_not_sent_anything() -> None:
    desk = Desk(hangs_up=True)
    desk.faults.add("printer", "unplug")
    assert desk.verdict(b"\x50abc") is Verdict.NOT_SENT
    assert desk.ran == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8))
def test_a_device_that_babbles_ends_in_a_verdict_by_the_deadline(pieces: list[bytes]) -> None:
    desk = Desk()
    left = list(pieces)
    device = desk.port._device
    device.receive = lambda data, now_s: None  # type: ignore[method-assign]
    device.transmit = lambda now_s: left.pop() if left else b""  # type: ignore[method-assign]
    started_s = desk.clock.monotonic_s()
    desk.verdict(b"\x50abc")
    assert desk.clock.monotonic_s() - started_s <= BY_MS / 1000 + 1


def play(desk: Desk, seed: int, commands: int) -> tuple[dict[bytes, Verdict], Counter[bytes]]:
    """Ask `commands` different questions over a line with faults in one byte of a hundred."""
    desk.faults.add("printer", "noise", rate=0.01, seed=seed)
    chance = random.Random(seed)
    tails = [b"", b"\x05\x06", b"\x05\x06\x02\x05\x06", bytes(20)]
    verdicts = {}
    for number in range(commands):
        code = bytes((0x50 + chance.randrange(3),))  # often the same one twice in a row
        question = code + number.to_bytes(3, "big") + chance.choice(tails)
        verdicts[question] = desk.verdict(question)
    return verdicts, Counter(desk.ran)


@pytest.mark.parametrize(
    ("seed", "commands", "options"),
    [
        (1, 20_000, LinkOptions()),
        (2, 10_000, LinkOptions(stray_ff=True)),
        (3, 10_000, LinkOptions(baud=115_200)),
        (4, 10_000, LinkOptions(baud=115_200, ack_while_running=False, fast=False)),
    ],
    ids=["tcp", "rndis", "serial", "serial, deaf while it works"],
)
def test_over_a_bad_line_no_command_runs_twice_and_no_verdict_lies(
    seed: int, commands: int, options: LinkOptions
) -> None:
    verdicts, ran = play(Desk(options), seed, commands)
    # Two errors in one bit column pass the LRC: such a command ran as another one.
    mangled = sum(count for question, count in ran.items() if question not in verdicts)
    asked = {verdict: [q for q, v in verdicts.items() if v is verdict] for verdict in Verdict}
    assert max(ran.values()) == 1
    assert not [question for question in asked[Verdict.NOT_SENT] if ran[question]]
    assert sum(not ran[question] for question in asked[Verdict.ANSWERED]) <= mangled
    assert mangled <= commands / 1_000
    assert len(asked[Verdict.ANSWERED]) >= commands * 0.99
