"""Marked goods: sold with checked codes, never against the check; nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from rig import tlv
from rig.marks import check_code

from kktd.config import PrinterSettings
from kktd.errors import NotReady, PrinterError, Refused, Unreachable
from kktd.model.marking import MarkCheck
from kktd.model.receipt import Measure, ReceiptType, Subject
from tests.contract.conftest import PrinterBench
from tests.support.receipts import (
    MARK_CODE,
    a_line,
    a_marked_line,
    a_marked_receipt,
    a_receipt,
)

FFD_1_2 = PrinterSettings(ffd="1.2")
GOOD, KEY_ONLY = 0x0F, 0x03


@pytest.fixture
def till(make_bench: Callable[..., PrinterBench]) -> PrinterBench:
    """Registers by FFD 1.2; its shift is open."""
    return opened(make_bench)


def opened(make: Callable[..., PrinterBench], **settings: Any) -> PrinterBench:
    bench = make(settings=replace(FFD_1_2, **settings))
    bench.open_shift()
    return bench


def items(bench: PrinterBench) -> list[dict[int, bytes]]:
    """Tags of each line of the FN's last document."""
    body = bytes.fromhex(str(bench.device.documents(with_tlv=True)[-1]["tlv"]))
    lines = [found.value for found in tlv.decode_all(body) if found.tag == 1059]
    return [{one.tag: one.value for one in tlv.decode_all(line)} for line in lines]


def checks_asked(bench: PrinterBench) -> list[bytes]:
    """Every FF61h from now on."""
    asked: list[bytes] = []
    execute = bench.device.registrar.execute

    def watch(payload: bytes, now_s: float) -> bytes:
        if payload[:2] == b"\xff\x61":
            asked.append(payload)
        return execute(payload, now_s)

    bench.device.registrar.execute = watch  # type: ignore[method-assign]
    return asked


def held_codes(bench: PrinterBench) -> int:
    """In the FN's table, checked or waiting for a decision."""
    marks = bench.device.till.marks
    return len(marks.checked) + len(marks.bound) + (marks.asked is not None)


def test_a_marked_line_goes_with_its_code_and_what_the_check_said(till: PrinterBench) -> None:
    document = till.sell(a_receipt(a_line(50_00), a_marked_line()))
    assert document.marks == (MarkCheck(1, GOOD),)
    plain, marked = items(till)
    assert 1163 not in plain
    assert (plain[1212], marked[1212]) == (b"\x01", b"\x21"), "33: marked goods"
    assert (marked[2106], marked[2108]) == (bytes([GOOD]), b"\0")
    assert marked[1163].endswith(MARK_CODE.partition("\x1d")[0].encode())
    assert held_codes(till) == 0


def test_the_archive_tells_what_was_checked(till: PrinterBench) -> None:
    till.fault("marking", says="away", match="one")
    lines = (a_marked_line(code="0104600000000017-one"), a_line(), a_marked_line(code=MARK_CODE))
    document = till.sell(a_receipt(*lines))
    found = till.driver.archived(document.fd, till.by())
    assert found is not None
    assert found.mark_results == (0, GOOD)
    assert document.marks == (MarkCheck(0, 0), MarkCheck(2, GOOD))


@pytest.mark.parametrize(
    ("says", "remedy"),
    [
        ("forged", "marking_forged"),
        ("withdrawn", "marking_withdrawn"),
        ("stopped", "marking_withdrawn"),
    ],
)
def test_a_code_that_was_found_wrong_is_not_sold(
    till: PrinterBench, says: str, remedy: str
) -> None:
    before = till.device.documents()
    till.fault("marking", says=says, match="bad")
    with pytest.raises(Refused) as refused:
        till.sell(a_receipt(a_marked_line(), a_marked_line(code="bad")))
    assert refused.value.remedy == remedy
    assert refused.value.details["field"] == "items[1].mark_code"
    assert till.device.documents() == before
    assert held_codes(till) == 0, "the good code of the same receipt is forgotten too"
    assert till.sell(a_marked_receipt()).marks == (MarkCheck(0, GOOD),)


@pytest.mark.parametrize("says", ["away", "garbled", "autonomous"])
def test_a_code_nobody_could_check_is_sold(till: PrinterBench, says: str) -> None:
    till.fault("marking", says=says)
    (check,) = till.sell(a_marked_receipt()).marks
    assert (check.result & GOOD, check.verdict) == (KEY_ONLY, "unchecked")


@pytest.mark.parametrize("says", ["away", "garbled", "autonomous"])
def test_a_shop_may_refuse_what_nobody_could_check(
    make_bench: Callable[..., PrinterBench], says: str
) -> None:
    till = opened(make_bench, sell_unchecked_marks=False)
    before = till.device.documents()
    till.fault("marking", says=says)
    with pytest.raises(Refused) as refused:
        till.sell(a_marked_receipt())
    assert refused.value.remedy == "marking_unchecked"
    assert till.device.documents() == before
    assert held_codes(till) == 0


def test_a_till_of_ffd_1_05_refuses_marked_goods_before_it_is_asked_anything(
    printer: PrinterBench,
) -> None:
    with pytest.raises(Refused) as refused:
        printer.sell(a_marked_receipt())
    assert refused.value.remedy == "marking_ffd"
    with pytest.raises(Refused):
        printer.sell(a_marked_receipt(type=ReceiptType.CORRECTION))


def test_refunds_and_goods_by_weight_say_so_in_their_check(till: PrinterBench) -> None:
    cheese = a_marked_line(
        code="0104-cheese", quantity=Decimal("0.7"), measure=Measure.KILOGRAM, discount=1_00
    )
    asked = checks_asked(till)
    till.sell(a_receipt(cheese))
    (line,) = items(till)
    assert line[2108] == b"\x0b"
    till.sell(a_marked_receipt(type=ReceiptType.REFUND))
    assert [one[6] for one in asked] == [2, 3]
    tags = {tag.tag: tag.value for tag in tlv.decode_all(asked[0][10 + len("0104-cheese") :])}
    assert tags == {2108: b"\x0b", 1023: b"\x01\x07"}


def test_excise_goods_keep_being_excise(till: PrinterBench) -> None:
    till.sell(a_receipt(a_marked_line(subject=Subject.EXCISE)))
    assert items(till)[0][1212] == b"\x1f", "31"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [("A0", "marking_setup"), ("A2", "marking_blocked"), ("A3", "marking"), ("D4", "marking")],
)
def test_a_refused_check_says_what_to_do(till: PrinterBench, code: str, remedy: str) -> None:
    till.fault("refuse", command="check_mark", code=code)
    with pytest.raises(Refused) as refused:
        till.sell(a_marked_receipt())
    assert refused.value.remedy == remedy
    assert till.receipts() == []


@pytest.mark.parametrize("command", ["check_mark", "decide_mark", "bind_mark", "close_receipt"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_power_cut_on_the_way_leaves_no_code_and_no_second_receipt(
    till: PrinterBench, command: str, when: str
) -> None:
    till.fault("power_cut", command=command, when=when)
    with pytest.raises(PrinterError):
        till.sell(a_marked_receipt(), "MARK")
    till.mend()
    if not till.marked("MARK"):
        till.sell(a_marked_receipt(), "MARK")
    assert len(till.marked("MARK")) == 1
    assert held_codes(till) == 0


@pytest.mark.parametrize("command", ["check_mark", "decide_mark", "bind_mark"])
def test_a_lost_answer_of_a_check_empties_the_table(till: PrinterBench, command: str) -> None:
    till.fault("lose_reply", times=None, command=command)
    with pytest.raises((Unreachable, NotReady)):
        till.sell(a_marked_receipt())
    till.mend()
    till.driver.cancel_open(till.by())
    assert held_codes(till) == 0
    assert till.receipts() == []


def test_codes_of_whoever_was_at_the_till_before_are_forgotten_first(
    make_bench: Callable[..., PrinterBench],
) -> None:
    bench = make_bench(settings=FFD_1_2)
    bench.device.till.marks.asked = b"left", check_code(b"left", "good")
    bench.open_shift()
    assert held_codes(bench) == 0


def test_a_model_that_cannot_empty_its_table_sells_on(till: PrinterBench) -> None:
    till.fault("refuse", times=None, command="decide_mark", code="33")
    till.sell()
    assert len(till.receipts()) == 1
