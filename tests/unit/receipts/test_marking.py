"""Marked goods from the desk to the FN and back: refused early, stored, settled after a doubt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.model.marking import MarkCheck, MarkVerdict, judge
from kktd.model.states import FiscalState
from tests.support.receipts import a_line, a_marked_line, a_marked_receipt, a_receipt
from tests.support.till import TillBench


@pytest.fixture
def till(tmp_path: Path) -> Iterator[TillBench]:
    made = TillBench(tmp_path, ffd="1.2")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (0x0F, MarkVerdict.GOOD),
        (0x1F, MarkVerdict.GOOD),
        (0x00, MarkVerdict.UNCHECKED),
        (0x03, MarkVerdict.UNCHECKED),
        (0x10, MarkVerdict.UNCHECKED),
        (0x13, MarkVerdict.UNCHECKED),
        (0x0C, MarkVerdict.UNCHECKED),
        (0x01, MarkVerdict.FORGED),
        (0x05, MarkVerdict.FORGED),
        (0x0D, MarkVerdict.FORGED),
        (0x11, MarkVerdict.FORGED),
        (0x04, MarkVerdict.WITHDRAWN),
        (0x07, MarkVerdict.WITHDRAWN),
    ],
)
def test_a_no_of_either_check_is_a_no(result: int, verdict: MarkVerdict) -> None:
    assert judge(result) is verdict


def test_the_result_is_stored_with_the_document(till: TillBench) -> None:
    receipt = a_receipt(a_line(), a_marked_line())
    till.sell(receipt)
    document = till.stored(receipt.id).document
    assert document is not None
    assert document.marks == (MarkCheck(1, 0x0F),)


def test_a_wrong_code_refuses_the_receipt_and_leaves_the_till_selling(till: TillBench) -> None:
    till.faults.add("printer", "marking", 1, says="withdrawn", match="sold-before")
    bad = a_receipt(a_marked_line(), a_marked_line(code="sold-before"))
    answer = till.sell(bad)
    assert (answer.status, answer.code, answer.hint) == (
        422,
        "PRINTER_REFUSED",
        "marking_withdrawn",
    )
    assert answer.body["field"] == "items[1].mark_code"
    assert answer.body["marking"] == {"item": 1, "result": 7, "verdict": "withdrawn"}
    assert till.stored(bad.id).state is FiscalState.REFUSED
    assert till.fn_receipts() == []
    assert till.sell(a_marked_receipt()).status == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_after_a_doubt_the_result_is_read_from_the_document(till: TillBench, when: str) -> None:
    till.sell(a_receipt())
    till.faults.add("printer", "power_cut", 1, command="close_receipt", when=when)
    receipt = a_receipt(a_marked_line(code="0104-a"), a_line(), a_marked_line(code="0104-b"))
    assert till.sell(receipt).status == 200
    document = till.stored(receipt.id).document
    assert document is not None
    assert document.marks == (MarkCheck(0, 0x0F), MarkCheck(2, 0x0F))


def test_a_till_of_ffd_1_05_refuses_what_was_accepted_under_1_2(tmp_path: Path) -> None:
    till = TillBench(tmp_path)
    answer = till.sell(a_marked_receipt())
    assert (answer.status, answer.hint) == (422, "marking_ffd")
    assert till.fn_receipts() == []
    till.close()
