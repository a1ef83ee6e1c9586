"""Which low level a till speaks is found out by ENQ and sync, once, and never by a command."""

from __future__ import annotations

import pytest
from rig.faults import Faults
from rig.line import LinkOptions
from rig.link2 import AnyLink

from kktd.printers.shtrih.exchange import ShtrihExchange
from kktd.printers.shtrih.exchange2 import ShtrihExchange2
from kktd.printers.shtrih.framing import ENQ
from kktd.printers.shtrih.framing2 import SYNC
from kktd.printers.shtrih.protocols import EXCHANGES, Protocols
from kktd.wire.exchange import Exchange, NotSent, Unanswered
from tests.support.clock import VirtualClock
from tests.support.port import LinkDevice, Machine, MemoryPort

BY_MS = 10_000


class Desk:
    """A till, its line, and what chooses."""

    def __init__(self, speaks: str, setting: str = "auto") -> None:
        self.clock, self.faults, self.machine = VirtualClock(), Faults(), Machine()
        self.link = AnyLink(self.machine, self.faults, LinkOptions(protocol=speaks))
        self.port = MemoryPort(LinkDevice(self.link), self.clock, hangs_up=False)
        self.protocols = Protocols(setting)
        self.sent = bytearray()
        device, receive = self.port._device, self.port._device.receive

        def listen(data: bytes, now_s: float) -> None:
            self.sent += data
            receive(data, now_s)

        device.receive = listen  # type: ignore[method-assign]

    def begin(self, by_ms: int = BY_MS) -> Exchange:
        self.sent.clear()
        by = self.clock.after_ms(by_ms)
        self.port.close()
        self.port.open(by)
        return self.protocols.begin(self.port, by)

    def ask(self, exchange: Exchange, question: bytes) -> bytes:
        return exchange.ask(question, 3_000, self.clock.after_ms(BY_MS))


@pytest.mark.parametrize("speaks", ["1", "2"])
def test_a_till_that_speaks_one_is_spoken_to_in_it(speaks: str) -> None:
    desk = Desk(speaks)
    exchange = desk.begin()
    assert isinstance(exchange, (ShtrihExchange, ShtrihExchange2)[int(speaks) - 1])
    assert desk.machine.ran == []  # no command was sent to find out
    assert desk.ask(exchange, b"\x50abc") == b"\x50\0abc"


def test_a_till_that_speaks_both_is_spoken_to_in_protocol_1() -> None:
    desk = Desk("auto")
    assert isinstance(desk.begin(), ShtrihExchange)


def test_a_till_that_speaks_both_and_was_spoken_to_in_protocol_2_stays_there() -> None:
    desk = Desk("auto")
    desk.port.open(desk.clock.after_ms(BY_MS))
    desk.port.write(SYNC, desk.clock.after_ms(BY_MS))
    assert isinstance(desk.begin(), ShtrihExchange2)


@pytest.mark.parametrize("speaks", ["1", "2"])
def test_what_was_found_out_is_not_asked_again_after_a_reconnect(speaks: str) -> None:
    desk = Desk(speaks)
    first = desk.begin()
    assert type(desk.begin()) is type(first)
    assert not desk.sent


@pytest.mark.parametrize(("speaks", "first"), [("1", bytes((ENQ,))), ("2", SYNC)])
def test_after_a_doubt_what_worked_last_is_tried_first(speaks: str, first: bytes) -> None:
    desk = Desk(speaks)
    found = desk.begin()
    desk.protocols.doubt()
    assert type(desk.begin()) is type(found)
    assert bytes(desk.sent) == first


def test_a_till_that_was_exchanged_for_one_of_the_other_protocol_is_found() -> None:
    old, new = Desk("2"), Desk("1")
    old.begin()
    new.protocols = old.protocols
    new.protocols.doubt()
    assert isinstance(new.begin(), ShtrihExchange)


def test_an_answer_left_over_does_not_hide_protocol_1() -> None:
    desk = Desk("1")
    exchange = desk.begin()
    desk.faults.add("printer", "lose_reply", times=1)
    with pytest.raises(Unanswered):
        exchange.ask(b"\x50old", 300, desk.clock.after_ms(300))
    desk.protocols.doubt()
    again = desk.begin()
    assert desk.ask(again, b"\x50new") == b"\x50\0new"
    assert desk.machine.ran == [b"\x50old", b"\x50new"]


@pytest.mark.parametrize("by_ms", [700, BY_MS])
def test_a_till_that_answers_nothing_ends_by_the_deadline_and_was_sent_no_command(
    by_ms: int,
) -> None:
    desk = Desk("1")
    now_s = desk.clock.monotonic_s()
    desk.link.cut_power(now_s, now_s + 3_600)
    with pytest.raises(NotSent):
        desk.begin(by_ms)
    assert desk.clock.monotonic_s() - now_s <= by_ms / 1000
    assert not bytes(desk.sent).replace(SYNC, b"").strip(bytes((ENQ,)))
    assert SYNC in desk.sent


@pytest.mark.parametrize("setting", list(EXCHANGES))
def test_a_setting_is_believed_without_asking(setting: str) -> None:
    desk = Desk("auto", setting)
    assert isinstance(desk.begin(), (ShtrihExchange, ShtrihExchange2)[int(setting) - 1])
    desk.protocols.doubt()
    desk.begin()
    assert not desk.sent
