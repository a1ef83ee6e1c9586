"""The exchange of protocol 2 against the rig's half: nothing runs twice, no verdict lies.

The rig's link was written from the same description and shares no code with the driver.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig.faults import Faults
from rig.line import LinkOptions
from rig.link2 import Link2

from kktd.clock import Deadline
from kktd.printers.shtrih.exchange2 import ShtrihExchange2
from kktd.printers.shtrih.framing2 import SYNC, encode, following
from kktd.wire.exchange import NotSent, Unanswered
from kktd.wire.port import Port
from tests.property.test_link import BY_MS, REPLY_MS, Verdict, garble_once
from tests.support.clock import VirtualClock
from tests.support.port import LinkDevice, Machine, MemoryPort

USED_UP = b"\xfc"  # what uses up a number before the first question and after a doubt


class Desk2:
    """An exchange and the rig's link at its far end."""

    def __init__(
        self,
        options: LinkOptions | None = None,
        *,
        hangs_up: bool = False,
        exchange: Callable[[Port], ShtrihExchange2] = ShtrihExchange2,
    ) -> None:
        self.clock = VirtualClock()
        self.faults = Faults()
        self.machine = Machine()
        self.link = Link2(self.machine, self.faults, options)
        self.port = MemoryPort(LinkDevice(self.link), self.clock, hangs_up=hangs_up)
        self.foreign = 0  # answers that belong to another question
        self._make = exchange
        self.connect()

    @property
    def ran(self) -> list[bytes]:
        """Questions that ran, without those that only use up a number."""
        return [question for question in self.machine.ran if question != USED_UP]

    def connect(self) -> None:
        self.port.close()
        self.port.open(self.clock.after_ms(BY_MS))
        self.exchange = self._make(self.port)

    def ask(self, question: bytes, by_ms: int = BY_MS) -> bytes:
        answer = self.exchange.ask(question, REPLY_MS, self.clock.after_ms(by_ms))
        self.foreign += answer != self.machine.answer(question)
        return answer

    def verdict(self, question: bytes, by_ms: int = BY_MS) -> Verdict:
        try:
            self.ask(question, by_ms)
        except NotSent:
            return Verdict.NOT_SENT
        except Unanswered:
            return Verdict.DOUBT
        return Verdict.ANSWERED

    def garble(self, question: bytes, replacement: bytes) -> None:
        """Put this on the line instead of the answer to `question`, once."""
        ran = self.machine.ran
        garble_once(
            self,  # type: ignore[arg-type]  # it needs no more than the port
            lambda data: bool(data) and ran[-1:] == [question],
            replacement,
        )

    def cut_power(self) -> None:
        now_s = self.clock.monotonic_s()
        self.link.cut_power(now_s)
        self.clock.advance(self.link.options.boot_s + 0.001)
        self.link.is_up(self.clock.monotonic_s())


def test_a_question_is_asked_once_and_answered() -> None:
    desk = Desk2()
    assert desk.ask(b"\x10abc") == b"\x10\0abc"
    assert desk.ask(b"\x10abd") == b"\x10\0abd"
    assert desk.ran == [b"\x10abc", b"\x10abd"]


def test_a_conversation_costs_one_frame_each_way_a_question() -> None:
    desk = Desk2()
    desk.ask(b"\x10abc")
    sent = desk.port.bytes_sent
    desk.ask(b"\x10abc")
    assert desk.port.bytes_sent - sent == len(encode(4, b"\x10abc"))
    assert desk.machine.ran == [USED_UP, b"\x10abc", b"\x10abc"]


def test_meeting_runs_nothing() -> None:
    desk = Desk2()
    desk.exchange.meet(desk.clock.after_ms(BY_MS))
    assert desk.machine.ran == []


def test_bytes_that_have_to_be_stuffed_pass_both_ways() -> None:
    desk = Desk2()
    question = b"\x10" + bytes(range(256))
    assert desk.ask(question) == b"\x10\0" + bytes(range(256))


@pytest.mark.parametrize(
    "garbled",
    [b"", b"\x41\x8f\x05", b"\x8f\x06\x00\x03\x00\x50", b"\x06\x00\x03\x00\x50\x00abc"],
    ids=["lost", "noise", "cut short", "without its head"],
)
def test_an_answer_that_did_not_arrive_is_repeated(garbled: bytes) -> None:
    desk = Desk2()
    desk.garble(b"\x50abc", garbled)
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert desk.ran == [b"\x50abc"]


def test_a_request_that_did_not_arrive_is_sent_again() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    device = desk.port._device
    receive, lost = device.receive, list[bytes]()

    def lose_two(data: bytes, now_s: float) -> None:
        if len(lost) < 2:
            lost.append(data)
        else:
            receive(data, now_s)

    device.receive = lose_two  # type: ignore[method-assign]  # a fault of the line
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert lost == [encode(4, b"\x50abc"), SYNC]
    assert desk.ran == [b"\x10", b"\x50abc"]


def test_a_reply_lost_once_is_repeated() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    desk.faults.add("printer", "lose_reply", times=1)
    assert desk.ask(b"\x50abc") == b"\x50\0abc"
    assert desk.ran == [b"\x10", b"\x50abc"]


def test_silence_after_the_command_is_a_doubt() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    desk.faults.add("printer", "lose_reply")
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT
    assert desk.ran == [b"\x10", b"\x50abc"]


def test_after_a_doubt_its_answer_is_not_taken_for_the_next_one() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    fault = desk.faults.add("printer", "lose_reply")
    assert desk.verdict(b"\x50old") is Verdict.DOUBT
    desk.faults.clear()
    assert fault.bitten
    assert desk.ask(b"\x50new") == b"\x50\0new"
    assert desk.ran == [b"\x10", b"\x50old", b"\x50new"]


@pytest.mark.parametrize("ack_while_running", [True, False])
@pytest.mark.parametrize("reconnect", [True, False])
def test_the_answer_of_a_command_still_running_is_not_taken_for_the_next_one(
    ack_while_running: bool, reconnect: bool
) -> None:
    desk = Desk2(LinkOptions(ack_while_running=ack_while_running))
    desk.ask(b"\x10")
    desk.faults.add("printer", "slow", ms=4_000, times=1)
    assert desk.verdict(b"\x50old", by_ms=700) is Verdict.DOUBT
    if reconnect:
        desk.connect()
    answer = None
    while answer is None:
        with suppress(NotSent):  # as long as the old one runs
            answer = desk.ask(b"\x50new")
    assert answer == b"\x50\0new"
    assert desk.ran == [b"\x10", b"\x50old", b"\x50new"]


def test_a_till_that_answers_a_sync_while_it_works_is_not_misunderstood() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    desk.faults.add("printer", "slow", ms=4_000, times=1)
    assert desk.verdict(b"\x50old", by_ms=700) is Verdict.DOUBT
    device = desk.port._device
    receive, transmit = device.receive, device.transmit
    early, synced = [encode(3, b"\x10\0")], list[bytes]()

    def sync_answered(now_s: float) -> bytes:
        return early.pop() if early and synced else transmit(now_s)

    def hear(data: bytes, now_s: float) -> None:
        if data == SYNC and not synced:
            synced.append(data)
        else:
            receive(data, now_s)

    device.receive, device.transmit = hear, sync_answered  # type: ignore[method-assign]
    assert desk.ask(b"\x50new") == b"\x50\0new"
    assert desk.ran == [b"\x10", b"\x50old", b"\x50new"]


@pytest.mark.parametrize("ack_while_running", [True, False])
def test_a_slow_command_is_waited_for(ack_while_running: bool) -> None:
    desk = Desk2(LinkOptions(ack_while_running=ack_while_running))
    desk.ask(b"\x10")
    desk.faults.add("printer", "slow", ms=10_000, times=1)
    answer = desk.exchange.ask(b"\x41abc", 60_000, desk.clock.after_ms(90_000))
    assert answer == b"\x41\0abc"
    assert desk.ask(b"\x41abd") == b"\x41\0abd"
    assert desk.ran == [b"\x10", b"\x41abc", b"\x41abd"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("asked_before", [0, 1, 5])
def test_power_lost_under_a_command_is_a_doubt(when: str, asked_before: int) -> None:
    """Even under the first command since the power came: its number is not the device's first."""
    desk = Desk2()
    for _ in range(asked_before):
        desk.ask(b"\x10")
    desk.machine.answer = lambda _question: b"\x50\0"
    desk.faults.add("printer", "power_cut", times=1, command="cash_in", when=when)
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT
    assert desk.ran.count(b"\x50abc") == (when == "after")
    assert desk.ask(b"\x50abd") == b"\x50\0"


def test_power_lost_between_two_commands_is_found_out() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    desk.cut_power()
    verdicts = [desk.verdict(b"\x50a"), desk.verdict(b"\x50b")]
    assert verdicts == [Verdict.DOUBT, Verdict.ANSWERED]
    assert desk.ran == [b"\x10", b"\x50b"]


def test_the_number_after_power_on_is_not_given_to_a_command_after_an_overflow() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    for _ in range(0x1_0000 + 3):
        desk.ask(b"\x10")
    assert desk.machine.ran.count(USED_UP) == 2
    assert len(desk.ran) == 0x1_0000 + 4


def test_another_number_in_the_middle_is_a_doubt() -> None:
    desk = Desk2()
    desk.ask(b"\x10")
    device = desk.port._device
    transmit = device.transmit
    device.transmit = lambda now_s: transmit(now_s) and encode(77, b"\x50\0")  # type: ignore[method-assign]
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT


def test_an_answer_to_another_command_is_a_doubt() -> None:
    desk = Desk2()
    desk.machine.answer = lambda _question: b"\x41\0\x1e"
    assert desk.verdict(b"\x10abc") is Verdict.DOUBT


def test_a_deaf_device_was_not_sent_anything() -> None:
    desk = Desk2()
    desk.link.cut_power(desk.clock.monotonic_s(), desk.clock.monotonic_s() + 3_600)
    started_s = desk.clock.monotonic_s()
    assert desk.verdict(b"\x50abc") is Verdict.NOT_SENT
    assert desk.clock.monotonic_s() - started_s <= BY_MS / 1000


def test_a_line_that_hangs_up_under_a_command_is_a_doubt() -> None:
    desk = Desk2(hangs_up=True)
    desk.ask(b"\x10")
    desk.faults.add("printer", "cut_after", bytes=3, direction="to_host", times=1)
    assert desk.verdict(b"\x50abc") is Verdict.DOUBT


def test_a_line_that_is_gone_was_not_sent_anything() -> None:
    desk = Desk2(hangs_up=True)
    desk.ask(b"\x10")
    desk.faults.add("printer", "unplug")
    assert desk.verdict(b"\x50abc") is Verdict.NOT_SENT
    assert desk.ran == [b"\x10"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8))
def test_a_device_that_babbles_ends_in_a_verdict_by_the_deadline(pieces: list[bytes]) -> None:
    desk = Desk2()
    left = list(pieces)
    device = desk.port._device
    device.receive = lambda data, now_s: None  # type: ignore[method-assign]
    device.transmit = lambda now_s: left.pop() if left else b""  # type: ignore[method-assign]
    started_s = desk.clock.monotonic_s()
    desk.verdict(b"\x50abc")
    assert desk.clock.monotonic_s() - started_s <= BY_MS / 1000 + 1


def play(desk: Desk2, seed: int, commands: int) -> tuple[dict[bytes, Verdict], Counter[bytes]]:
    """Ask `commands` different questions over a line with faults in one byte of a hundred."""
    desk.faults.add("printer", "noise", rate=0.01, seed=seed)
    chance = random.Random(seed)
    tails = [b"", b"\x8f\x9f", SYNC, bytes(20)]
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
        (2, 10_000, LinkOptions(baud=115_200)),
        (3, 10_000, LinkOptions(baud=115_200, ack_while_running=False, fast=False)),
    ],
    ids=["tcp", "serial", "serial, deaf while it works"],
)
def test_over_a_bad_line_no_command_runs_twice_and_no_verdict_lies(
    seed: int, commands: int, options: LinkOptions
) -> None:
    desk = Desk2(options)
    verdicts, ran = play(desk, seed, commands)
    # One damaged frame of 65 536 passes the CRC: such a command ran as another one.
    mangled = sum(count for question, count in ran.items() if question not in verdicts)
    asked = {verdict: [q for q, v in verdicts.items() if v is verdict] for verdict in Verdict}
    assert max(ran.values()) == 1
    assert not [question for question in asked[Verdict.NOT_SENT] if ran[question]]
    assert sum(not ran[question] for question in asked[Verdict.ANSWERED]) <= mangled
    assert mangled <= 2
    assert desk.foreign <= mangled
    assert len(asked[Verdict.ANSWERED]) >= commands * 0.99


class SteppingExchange(ShtrihExchange2):
    """What the vendor's drivers do: no answer, so the next number and the command once more."""

    def _deliver(self, number: int, question: bytes, reply_ms: int, by: Deadline) -> bytes:
        for _ in range(3):
            self._port.write(encode(number, question), by)
            token = self._next(by.within_ms(reply_ms))
            if token is not None and token.number == number:
                return token.data
            number = following(self._sync(by))
        raise Unanswered("silence after the command")


def test_these_tests_would_see_a_command_run_twice() -> None:
    _, ran = play(Desk2(exchange=SteppingExchange), 1, 300)
    assert max(ran.values()) > 1
