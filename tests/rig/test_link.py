"""The device's side of the standard low level: [SHTRIH] 2.2, step by step."""

from __future__ import annotations

import pytest
from rig.link import State, frame

from tests.rig.bench import (
    ACK,
    ENQ,
    FN_STATUS,
    NAK,
    OPEN_SHIFT,
    STATUS,
    STX,
    Bench,
)


def answered(heard: bytes) -> bool:
    return heard[:2] == ACK + STX


def test_before_the_first_enq_everything_is_ignored() -> None:
    bench = Bench()
    assert bench.say(frame(FN_STATUS) + ACK + NAK + b"\xff") == b""
    assert bench.say(ENQ) == NAK


def test_every_byte_but_stx_is_refused_while_waiting_for_a_frame() -> None:
    bench = Bench()
    bench.say(ENQ)
    assert bench.say(ENQ + b"\x00\xff") == NAK * 3


def test_a_second_command_needs_no_enq() -> None:
    bench = Bench()
    bench.ask(STATUS)
    assert answered(bench.say(frame(STATUS)))


def test_a_bad_check_sum_is_refused_and_the_command_is_not_run() -> None:
    bench = Bench()
    bench.say(ENQ)
    broken = bytearray(frame(OPEN_SHIFT))
    broken[-1] ^= 1
    assert bench.say(bytes(broken)) == NAK
    assert bench.last_fd() == 1


def test_a_frame_of_no_length_is_refused() -> None:
    bench = Bench()
    bench.say(ENQ)
    assert bench.say(STX + b"\x00") == NAK


def test_a_silence_inside_a_frame_is_refused_after_the_byte_timeout() -> None:
    bench = Bench()
    bench.say(ENQ)
    assert bench.say(frame(STATUS)[:4]) == b""
    assert bench.printer.next_due_s() == pytest.approx(0.05)
    assert bench.hear(0.06) == NAK
    assert answered(bench.say(frame(STATUS)))


def test_an_unconfirmed_answer_is_repeated_and_the_command_runs_once() -> None:
    bench = Bench()
    bench.say(ENQ)
    first = bench.say(frame(OPEN_SHIFT))
    assert answered(first)
    assert bench.say(ENQ) == b"", "the first ENQ in place of the ACK is silent"
    again = bench.say(ENQ)
    assert again == first
    assert bench.last_fd() == 2
    bench.say(ACK)
    assert bench.say(ENQ) == NAK, "nothing pending any more"


def test_a_nak_alone_repeats_nothing() -> None:
    bench = Bench()
    bench.say(ENQ)
    first = bench.say(frame(FN_STATUS))
    assert bench.say(NAK) == b""
    assert bench.hear(10) == b""
    assert bench.say(ENQ) == first


def test_a_late_host_finds_its_answer_after_the_confirm_timeout() -> None:
    bench = Bench()
    bench.say(ENQ)
    first = bench.say(frame(FN_STATUS))
    bench.wait(60)
    assert bench.say(ACK) == b"", "too late: only ENQ is heard now"
    assert bench.say(ENQ) == first


def test_a_resent_frame_with_enq_and_ack_inside_looks_like_a_confirmation() -> None:
    """The trap of [SHTRIH] 2.3 step 3: hosts must not send the frame twice."""
    bench = Bench()
    bench.say(ENQ)
    trap = b"\x17\x1e\x00\x00\x00\x02\x05\x06"
    bench.say(frame(trap))
    assert answered(bench.say(frame(trap))), "05 inside asked for the repeat, 06 confirmed it"
    assert bench.say(ENQ) == NAK


def test_an_enq_to_a_running_command_is_acknowledged_at_once() -> None:
    bench = Bench(options={"fast": False})
    bench.say(ENQ)
    assert bench.say(frame(OPEN_SHIFT)) == ACK
    assert bench.say(ENQ) == ACK
    assert bench.printer.link.state is State.RUNNING
    assert bench.hear(2)[:1] == STX
    assert bench.last_fd() == 2


def test_a_device_that_reads_nothing_while_it_works_takes_the_enq_for_another_byte() -> None:
    bench = Bench(options={"fast": False, "ack_while_running": False})
    bench.say(ENQ)
    assert bench.say(frame(OPEN_SHIFT)) == ACK
    assert bench.say(ENQ) == b""
    answer = bench.hear(2)
    assert answer[:1] == STX
    assert bench.say(ENQ) == ACK + answer


def test_rndis_leaves_a_stray_byte_after_the_host_confirms() -> None:
    bench = Bench(options={"stray_ff": True})
    bench.say(ENQ)
    bench.say(frame(STATUS))
    assert bench.say(ACK) == b"\xff"
    assert bench.say(ENQ) == NAK


def test_a_new_connection_still_gets_the_unconfirmed_answer() -> None:
    bench = Bench()
    bench.say(ENQ)
    first = bench.say(frame(OPEN_SHIFT))
    bench.printer.reconnect(bench.now_s)
    assert bench.say(ENQ) == b""
    assert bench.say(ENQ) == first


def test_the_answer_is_dropped_with_the_connection_when_asked_to() -> None:
    bench = Bench(options={"keep_answer_on_reconnect": False})
    bench.say(ENQ)
    bench.say(frame(OPEN_SHIFT))
    bench.printer.reconnect(bench.now_s)
    assert bench.say(ENQ) == NAK


def test_bytes_take_the_time_of_the_line() -> None:
    bench = Bench(options={"baud": 4800})
    byte_s = 10 / 4800
    assert bench.say(ENQ) == b""
    assert bench.hear(byte_s) == b"", "the ENQ has just arrived"
    assert bench.hear(byte_s) == NAK
    bench.printer.receive(frame(STATUS), bench.now_s)
    assert bench.hear(len(frame(STATUS)) * byte_s) == b""
    assert bench.hear(byte_s * 1.01) == ACK
    assert bench.hear(byte_s) == STX
