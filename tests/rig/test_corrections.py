"""Correction receipts opened by 8Dh 80h..83h.  [SHTRIH] 7.2, [FFD] 10."""

from __future__ import annotations

import pytest

from tests.rig.bench import Bench, close, open_receipt, operation, storage, tag

BASIS = tag(1173, b"\0") + tag(1174, tag(1178, b"\0\x92\xa4\x69") + tag(1179, b"1"))


@pytest.mark.parametrize(("kind", "sign"), [(0, 1), (1, 3), (2, 2), (3, 4)])
def test_a_correction_is_a_document_of_its_own(kind: int, sign: int) -> None:
    bench = Bench()
    bench.open_shift()
    assert bench.code(open_receipt(0x80 | kind)) == 0
    assert bench.mode()[0] == 8 | kind << 4
    assert bench.code(operation(sign=sign)) == 0
    assert bench.code(storage(0x0C, BASIS)) == 0
    assert bench.ask(close(card=10_000))[2] == 0
    made = bench.printer.documents()[-1]
    assert (made["type"], made["sign"], made["receipt_no"]) == ("correction", sign, 1)
    found = bench.ask(storage(0x0A, b"\3\0\0\0"))
    assert found[3] == 31
    assert found[18:] == bytes([sign]) + (10_000).to_bytes(5, "little")


def test_a_correction_without_its_basis_is_refused() -> None:
    bench = Bench()
    bench.open_shift()
    bench.code(open_receipt(0x80))
    bench.code(operation())
    assert bench.code(close(card=10_000)) == 0xA4
    assert bench.last_fd() == 2
    bench.code(storage(0x0C, BASIS))
    assert bench.code(close(card=10_000)) == 0


def test_corrections_are_counted_apart_from_receipts() -> None:
    bench = Bench()
    bench.open_shift()
    bench.sell()
    bench.code(open_receipt(0x80))
    bench.code(operation())
    bench.code(storage(0x0C, BASIS))
    bench.ask(close(card=10_000))
    totals = bench.printer.till.fn.shift_totals
    assert (totals.receipts.total(), totals.corrections) == (1, 1)
    assert bench.printer.documents()[-1]["receipt_no"] == 2
