"""What survives: power cuts, kill -9, an empty roll, a lost answer.  [SHTRIH] 5.2, 9."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig.faults import BadFault, Faults
from rig.link import frame

from tests.rig.bench import (
    ACK,
    CONTINUE,
    ENQ,
    FULL_STATUS,
    NAK,
    OPEN_SHIFT,
    STATUS,
    Z_REPORT,
    Bench,
    NoAnswer,
    close,
    mark,
    open_receipt,
    operation,
    plain,
    storage,
)

TORN = "ДОКУМЕНТ НЕДЕЙСТВИТЕЛЕН!"


def ready_to_close(bench: Bench) -> None:
    bench.open_shift()
    bench.code(open_receipt(0))
    bench.code(operation())


def send(bench: Bench, payload: bytes) -> bytes:
    assert bench.say(ENQ) == NAK
    return bench.say(frame(payload))


# --- lost answers ------------------------------------------------------------------------------


def test_a_lost_reply_is_repeated_on_enq_and_the_receipt_exists_once() -> None:
    bench = Bench()
    ready_to_close(bench)
    bench.faults.add("printer", "lose_reply", times=1, command="close_receipt")
    assert send(bench, close(cash=10_000)) == ACK
    assert bench.say(ENQ) == b""
    answer = bench.say(ENQ)
    assert answer[3:6] == b"\xff\x45\x00"
    assert bench.last_fd() == 3


def test_a_slow_command_has_run_before_its_answer_comes() -> None:
    bench = Bench()
    bench.faults.add("printer", "slow", times=1, ms=5_000, command="open_shift")
    assert send(bench, OPEN_SHIFT) == ACK
    assert bench.last_fd() == 2
    assert bench.hear(4.9) == b""
    assert bench.hear(0.2)[:1] == b"\x02"


def test_a_refused_command_is_not_run() -> None:
    bench = Bench()
    bench.faults.add("printer", "refuse", times=1, command="open_shift", code="2F")
    assert bench.code(OPEN_SHIFT) == 0x2F
    assert bench.last_fd() == 1
    assert bench.code(OPEN_SHIFT) == 0


def test_a_busy_till_still_tells_its_status() -> None:
    bench = Bench()
    bench.faults.add("printer", "busy", times=1)
    assert bench.code(STATUS) == 0
    assert bench.code(OPEN_SHIFT) == 0x50
    assert bench.code(OPEN_SHIFT) == 0


def test_a_nak_means_not_accepted() -> None:
    bench = Bench()
    bench.faults.add("printer", "nak", times=1, command="open_shift")
    assert send(bench, OPEN_SHIFT) == NAK
    assert bench.last_fd() == 1
    assert bench.say(frame(OPEN_SHIFT))[:1] == ACK


# --- the line ----------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [0, 1, 5, 20])
def test_a_line_cut_towards_the_device_runs_nothing(allowed: int) -> None:
    bench = Bench()
    ready_to_close(bench)
    bench.faults.add(
        "printer",
        "cut_after",
        times=1,
        bytes=allowed,
        direction="to_device",
        command="close_receipt",
    )
    assert send(bench, close(cash=10_000)) == b""
    assert not bench.printer.is_up(bench.now_s)
    bench.wait(1)
    assert bench.printer.is_up(bench.now_s)
    assert bench.last_fd() == 2
    assert bench.code(close(cash=10_000)) == 0


@pytest.mark.parametrize("allowed", [0, 1, 7])
def test_a_line_cut_towards_the_host_leaves_the_document(allowed: int) -> None:
    bench = Bench()
    ready_to_close(bench)
    bench.faults.add(
        "printer", "cut_after", times=1, bytes=allowed, direction="to_host", command="close_receipt"
    )
    assert len(send(bench, close(cash=10_000))) == allowed
    assert bench.last_fd() == 3
    bench.wait(1)
    assert bench.say(ENQ) == b""
    assert bench.say(ENQ)[:1] == ACK, "the answer waits for the host"


def test_a_cut_is_counted_even_when_the_frame_comes_byte_by_byte() -> None:
    bench = Bench()
    bench.faults.add(
        "printer", "cut_after", times=1, bytes=1, direction="to_device", command="open_shift"
    )
    bench.say(ENQ)
    for byte in frame(OPEN_SHIFT):
        bench.say(bytes([byte]))
    assert bench.last_fd() == 1
    assert bench.printer.drops() == 1


def test_an_unplugged_cable_carries_nothing_until_it_is_back() -> None:
    bench = Bench()
    bench.ask(STATUS)
    bench.printer.unplug()
    assert bench.say(ENQ) == b""
    assert not bench.printer.is_up(bench.now_s)
    bench.printer.plug()
    assert bench.say(ENQ) == NAK


# --- power -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "fd"), [("before", 2), ("after", 3)])
def test_a_power_cut_loses_the_answer_and_never_half_a_document(when: str, fd: int) -> None:
    bench = Bench()
    ready_to_close(bench)
    bench.faults.add("printer", "power_cut", times=1, command="close_receipt", when=when)
    assert send(bench, close(cash=10_000)) == ACK
    assert bench.last_fd() == fd
    assert bench.say(ENQ) == b"", "no power, no word"
    bench.wait(1)
    assert bench.say(ENQ) == NAK, "after power-on no old answer is pending"
    assert bench.mode() == ((8, 0) if when == "before" else (2, 0))
    if when == "before":
        assert bench.code(close(cash=10_000)) == 0
    assert bench.last_fd() == 3


def test_a_receipt_may_be_lost_with_the_power_where_a_till_is_like_that() -> None:
    bench = Bench(options={"receipt_survives_power_cut": False})
    ready_to_close(bench)
    bench.printer.cut_power(bench.now_s)
    bench.wait(1)
    assert bench.mode() == (2, 0)


def test_a_document_begun_in_the_fn_must_be_begun_again_after_a_power_cut() -> None:
    bench = Bench()
    assert bench.code(storage(0x41)) == 0
    assert bench.ask(storage(0x01))[4] == 0x02
    assert bench.code(storage(0x41)) == 0x02
    bench.printer.cut_power(bench.now_s)
    bench.wait(1)
    assert bench.ask(storage(0x01))[4] == 0x00


def test_everything_is_there_after_the_process_died(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ready_to_close(bench)
    bench.code(mark("R-9"))
    bench.start()
    assert bench.mode() == (8, 0)
    assert bench.code(close(cash=10_000)) == 0
    before = bench.printer.documents(with_tlv=True), bench.printer.paper()
    bench.start()
    assert (bench.printer.documents(with_tlv=True), bench.printer.paper()) == before
    assert bench.printer.documents()[-1]["mark"] == "R-9"
    assert bench.printer.fn_status()["cash_kopecks"] == 10_000


def test_a_torn_last_line_on_disk_never_happened(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ready_to_close(bench)
    journal = tmp_path / "registrar.jsonl"
    whole = journal.read_bytes()
    bench.ask(close(cash=10_000))
    written = journal.read_bytes()
    line_end = written.index(b"\n", len(whole))
    for size in (len(whole) + 1, (len(whole) + line_end) // 2, line_end):
        journal.write_bytes(written[:size])
        bench.start()
        assert bench.last_fd() == 2
        assert bench.mode() == (8, 0)
    journal.write_bytes(written[: line_end + 1])
    bench.start()
    assert bench.last_fd() == 3
    assert bench.mode() == (2, 0)
    assert bench.printer.paper()[-1].startswith("t="), "printing resumes by itself"


# --- paper -------------------------------------------------------------------------------------


def test_without_paper_nothing_that_prints_is_begun() -> None:
    bench = Bench()
    bench.open_shift()
    bench.faults.add("printer", "paper_out", times=1)
    assert bench.mode() == (2, 1)
    assert bench.ask(FULL_STATUS)[13] & 0x80 == 0, "the paper sensor says so"
    assert bench.code(open_receipt(0)) == 0x6B
    assert bench.last_fd() == 2
    bench.printer.insert_paper()
    assert bench.mode() == (2, 0)
    assert bench.code(open_receipt(0)) == 0


def test_paper_that_ends_while_printing_undoes_no_document() -> None:
    bench = Bench()
    ready_to_close(bench)
    bench.faults.add("printer", "paper_out", times=1, when="during", command="close_receipt")
    assert bench.code(close(cash=10_000)) == 0
    assert bench.last_fd() == 3
    assert bench.mode() == (2, 2)
    assert bench.printer.paper()[-1] == TORN
    assert bench.code(Z_REPORT) == 0x6B
    assert bench.code(CONTINUE) == 0x72
    bench.printer.insert_paper()
    assert bench.mode() == (2, 3)
    assert bench.code(Z_REPORT) == 0x58
    assert bench.code(CONTINUE) == 0
    assert bench.mode() == (2, 0)
    assert bench.printer.paper()[-1].startswith("t=")
    assert bench.last_fd() == 3


def test_an_interrupted_printout_waits_over_a_power_cut(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ready_to_close(bench)
    bench.faults.add("printer", "paper_out", times=1, when="during")
    bench.ask(close(cash=10_000))
    bench.start()
    assert bench.mode() == (2, 2)
    bench.printer.insert_paper()
    bench.start()
    assert bench.mode() == (2, 3)
    assert bench.code(CONTINUE) == 0
    assert bench.printer.paper()[-1].startswith("t=")


def test_paper_that_ends_after_the_document_only_stops_the_next() -> None:
    bench = Bench()
    ready_to_close(bench)
    bench.faults.add("printer", "paper_out", times=1, when="after", command="close_receipt")
    assert bench.code(close(cash=10_000)) == 0
    assert bench.mode() == (2, 1)
    assert bench.printer.paper()[-1].startswith("t=")


def test_an_endless_paper_fault_ends_when_it_is_taken_off_the_board() -> None:
    bench = Bench()
    bench.faults.add("printer", "paper_out")
    assert bench.mode() == (4, 1)
    bench.faults.clear("printer", "paper_out")
    assert bench.mode() == (4, 0)


def test_printing_takes_its_time_and_refuses_the_next_document() -> None:
    bench = Bench(options={"print_ms": 800})
    ready_to_close_while_printing(bench)
    assert bench.code(close(cash=10_000)) == 0
    assert bench.mode() == (2, 5)
    assert bench.code(open_receipt(0)) == 0x50
    bench.wait(0.9)
    assert bench.mode() == (2, 0)
    assert bench.printer.paper()[-1].startswith("t=")


def ready_to_close_while_printing(bench: Bench) -> None:
    bench.open_shift()
    bench.wait(1)
    assert bench.mode() == (2, 0)
    bench.code(open_receipt(0))
    bench.code(operation())


def test_a_power_cut_while_printing_tears_the_copy_and_prints_another() -> None:
    bench = Bench(options={"print_ms": 800})
    ready_to_close_while_printing(bench)
    bench.ask(close(cash=10_000))
    bench.printer.cut_power(bench.now_s)
    bench.wait(0.5)
    assert bench.mode() == (2, 5)
    assert bench.printer.paper()[-1] == TORN
    bench.wait(1)
    assert bench.mode() == (2, 0)
    assert bench.printer.paper()[-1].startswith("t=")
    assert bench.last_fd() == 3


def test_silence_is_what_a_dead_till_answers() -> None:
    bench = Bench()
    bench.printer.cut_power(bench.now_s, back_s=bench.now_s + 100)
    with pytest.raises(NoAnswer):
        bench.ask(plain(0x13))


def test_nothing_is_printed_while_the_power_is_off() -> None:
    bench = Bench(options={"print_ms": 800})
    ready_to_close_while_printing(bench)
    bench.ask(close(cash=10_000))
    printed = len(bench.printer.paper())
    bench.printer.cut_power(bench.now_s, back_s=bench.now_s + 60)
    bench.hear(30)
    assert len(bench.printer.paper()) == printed
    bench.hear(32)
    assert bench.printer.paper()[-1].startswith("t=")


def test_a_new_roll_put_in_too_early_stops_no_printing() -> None:
    bench = Bench(options={"print_ms": 800})
    ready_to_close_while_printing(bench)
    bench.ask(close(cash=10_000))
    bench.printer.insert_paper()
    assert bench.mode() == (2, 5)
    bench.wait(1)
    assert bench.mode() == (2, 0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lose_reply", {"command": "close_reciept"}),
        ("power_cut", {"command": "close_receipt", "when": "sometimes"}),
        ("cut_after", {"bytes": 3, "direction": "sideways"}),
        ("refuse", {"command": "open_shift", "code": "6G"}),
        ("refuse", {"command": "open_shift", "code": 0}),
        ("noise", {"rate": 2}),
    ],
)
def test_a_fault_that_could_never_bite_is_refused(name: str, settings: dict[str, object]) -> None:
    with pytest.raises(BadFault):
        Faults().add("printer", name, None, **settings)


def test_faults_of_both_ways_wait_side_by_side() -> None:
    bench = Bench()
    bench.open_shift()
    for when in ("after", "before"):
        bench.faults.add("printer", "power_cut", 1, command="open_receipt", when=when)
    for mode in (2, 8):
        send(bench, open_receipt(0))
        bench.wait(1)
        assert bench.mode()[0] == mode
