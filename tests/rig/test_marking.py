"""Marking codes: [SHTRIH] 7.4."""

from __future__ import annotations

import pytest
from rig import tlv

from tests.rig.bench import CANCEL, Bench, close, open_receipt, operation, storage, tag

SHORT = b"0104600000000017215abcdefghijkl"
CODE = SHORT + b"\x1d91EE10\x1d92" + b"x" * 44
UNCHECKABLE = b"4600000000017"


def check(code: bytes = CODE, *, planned: int = 1, extra: bytes = b"") -> bytes:
    return storage(0x61, bytes([planned, 0, len(code), len(extra)]) + code + extra)


def decide(decision: int) -> bytes:
    return storage(0x69, bytes([decision]))


def bind(code: bytes = CODE) -> bytes:
    return storage(0x67, bytes([len(code)]) + code)


def status(bench: Bench) -> tuple[int, int, int, int]:
    """Check state, codes accepted, codes in the receipt, notifications."""
    answer = bench.ask(storage(0x70))
    assert len(answer) == 11
    return answer[3], answer[6], answer[7], int.from_bytes(answer[9:11], "little")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_shift()
    return bench


def test_a_marked_item_is_checked_accepted_bound_and_notified(bench: Bench) -> None:
    heard = bench.ask(check())
    assert heard[:9] == b"\xff\x61\0" + bytes([3, 0, 4, 25, 0, 0x0F])
    assert [found.tag for found in tlv.decode_all(heard[9:])] == [2114, 2105, 2109, 2005]
    assert status(bench) == (4, 0, 0, 0)
    assert bench.ask(decide(1)) == b"\xff\x69\0\x0f"
    assert status(bench) == (1, 1, 0, 0)
    bench.code(open_receipt(0))
    bench.code(operation())
    assert bench.ask(bind()) == b"\xff\x67\0" + b"01\x03"
    assert status(bench) == (1, 1, 1, 0)
    assert bench.code(close(cash=10_000)) == 0
    assert status(bench) == (1, 0, 0, 1)
    assert bench.ask(storage(0x68))[4:6] == b"\x01\0"
    item = tlv.find(bench.printer.till.fn.documents[-1].tags(), 1059)
    assert item is not None
    inside = {found.tag: found.value for found in tlv.decode_all(item.value)}
    assert inside[2106] == b"\x0f"
    assert inside[1163] == tag(1305, SHORT)


def test_a_code_bound_without_a_check_is_checked_by_the_till(bench: Bench) -> None:
    bench.code(open_receipt(0))
    assert bench.code(bind()) == 0x02, "no item yet"
    bench.code(operation())
    assert bench.ask(bind())[:9] == b"\xff\x67\0" + b"01\x03" + bytes([25, 0, 0x0F])


def test_a_code_without_a_crypto_part_is_checked_by_the_register_alone(bench: Bench) -> None:
    assert bench.ask(check(UNCHECKABLE))[3:6] == bytes([0, 1, 1])
    assert bench.ask(decide(0))[3:] == b"\x0f"
    assert status(bench) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("says", "local", "extra", "result"),
    [
        ("forged", 1, [20, 0, 5], 5),  # length, answer and result of the recorded FF61h
        ("withdrawn", 3, [25, 0, 7], 7),
        ("stopped", 3, [25, 0, 7], 7),
        ("away", 3, [2, 0xFF, 3], 3),
        ("garbled", 3, [3, 0x20, 5, 3], 3),
        ("autonomous", 3, [0], 0x13),
    ],
)
def test_the_register_of_marked_goods_says_what_it_is_told_to(
    bench: Bench, says: str, local: int, extra: list[int], result: int
) -> None:
    bench.faults.add("printer", "marking", 1, says=says, match="abcdef")
    heard = bench.ask(check())
    assert (heard[3], list(heard[6 : 6 + len(extra)])) == (local, extra)
    assert bench.ask(decide(1))[3] == result
    assert bench.ask(check(UNCHECKABLE))[3] == 0, "a fault used up, or of another code"


def test_the_kind_of_a_code_is_read_off_its_crypto_part(bench: Bench) -> None:
    kinds = {b"92" + b"x" * 88: 2, b"92" + b"x" * 44: 4, b"93abcd": 5, b"91ab": 1}
    for part, kind in kinds.items():
        assert bench.ask(check(SHORT + b"\x1d" + part))[5] == kind


def test_a_receipt_whose_codes_the_fn_forgot_is_not_closed(bench: Bench) -> None:
    bench.code(open_receipt(0))
    bench.code(operation())
    bench.code(bind())
    bench.printer.cut_power(bench.now_s)
    bench.hear(1)
    assert bench.code(close(cash=10_000)) == 0xA5
    assert bench.code(bind()) == 0
    assert bench.code(close(cash=10_000)) == 0


def test_decisions_come_after_checks_and_the_table_has_an_end(bench: Bench) -> None:
    assert bench.code(decide(1)) == 0xA1
    for number in range(128):
        assert bench.code(check(CODE + bytes([number]))) == 0
        bench.code(decide(1))
    assert bench.code(check()) == 0xA3
    assert bench.code(decide(2)) == 0
    assert bench.code(check()) == 0


@pytest.mark.parametrize(
    "wrong", [check(planned=9), check() + b"x", check(extra=b"abc"), bind()[:-1]]
)
def test_what_does_not_add_up_is_refused(bench: Bench, wrong: bytes) -> None:
    bench.code(open_receipt(0))
    bench.code(operation())
    assert bench.code(wrong) == 0x33


def test_a_cancelled_receipt_frees_its_codes_and_a_power_cut_all(bench: Bench) -> None:
    bench.code(check())
    bench.code(decide(1))
    bench.code(open_receipt(0))
    bench.code(operation())
    bench.code(bind())
    bench.code(CANCEL)
    assert status(bench) == (1, 1, 0, 0)
    bench.printer.cut_power(bench.now_s)
    bench.hear(1)
    assert status(bench) == (1, 0, 0, 0)
