"""Faults that are states: an open cover, a spent FN, an old shift, a strange FN or device."""

from __future__ import annotations

import pytest
from rig.faults import BadFault

from tests.rig.bench import (
    FN_STATUS,
    FULL_STATUS,
    OPEN_SHIFT,
    STATUS,
    X_REPORT,
    Z_REPORT,
    Bench,
    close,
    open_receipt,
    operation,
    plain,
    storage,
)

FN_NUMBER = "9999078902019097"


def flags(bench: Bench) -> int:
    return int.from_bytes(bench.ask(STATUS)[3:5], "little")


def warnings(bench: Bench) -> int:
    return bench.ask(FN_STATUS)[7]


def cell(bench: Bench, field: int) -> str:
    answer = bench.ask(plain(0x1F, bytes([18, 1, 0, field])))
    return answer[2:].decode("cp1251").strip("\0 ")


def test_an_open_cover_shows_and_stops_what_prints() -> None:
    bench = Bench()
    bench.open_shift()
    bench.faults.add("printer", "cover_open")
    assert flags(bench) & 0x0400
    assert bench.mode() == (2, 1)
    assert bench.code(X_REPORT) == 0x6B
    assert bench.code(FN_STATUS) == 0
    bench.faults.clear("printer", "cover_open")
    assert bench.mode() == (2, 0)
    assert bench.code(X_REPORT) == 0


@pytest.mark.parametrize(("fault", "code", "warning"), [("fn_full", 6, 4), ("fn_expired", 5, 1)])
def test_a_spent_fn_signs_nothing_but_the_end_of_the_shift(
    fault: str, code: int, warning: int
) -> None:
    bench = Bench()
    bench.open_shift()
    bench.faults.add("printer", fault)
    assert warnings(bench) & warning
    bench.code(open_receipt(0))
    bench.code(operation())
    assert bench.code(close(cash=10_000)) == code
    assert bench.last_fd() == 2
    assert bench.code(plain(0x88)) == 0
    assert bench.code(Z_REPORT) == 0
    assert bench.code(OPEN_SHIFT) == code
    bench.faults.clear("printer", fault)
    assert warnings(bench) & warning == 0
    assert bench.code(OPEN_SHIFT) == 0


def test_a_shift_made_old_takes_no_receipt_until_it_is_closed() -> None:
    bench = Bench()
    bench.faults.add("printer", "shift_over_24h")
    assert bench.mode()[0] == 4, "no shift, nothing old"
    bench.open_shift()
    assert bench.mode()[0] == 3
    assert bench.code(open_receipt(0)) == 0x4E
    assert bench.code(Z_REPORT) == 0
    assert bench.faults.as_json() == []
    bench.open_shift()
    assert bench.mode()[0] == 2
    assert bench.sell()[2] == 0


@pytest.mark.parametrize(("given", "shown"), [(None, "9999078900000017"), ("77", "77")])
def test_another_fn_answers_with_its_own_number(given: str | None, shown: str) -> None:
    bench = Bench()
    own = cell(bench, 1)
    settings = {} if given is None else {"fn": given}
    bench.faults.add("printer", "swap_fn", None, **settings)
    assert bench.ask(FN_STATUS)[13:29].rstrip(b"\0").decode() == shown
    assert bench.ask(storage(0x02))[3:].rstrip(b"\0").decode() == shown
    assert cell(bench, 4) == shown
    assert cell(bench, 1) == own
    bench.faults.clear("printer", "swap_fn")
    assert cell(bench, 4) == FN_NUMBER


def test_another_device_has_a_serial_number_of_its_own() -> None:
    bench = Bench()
    before = [cell(bench, field) for field in (1, 3, 4)]
    owner = cell(bench, 2)
    bench.faults.add("printer", "other_printer", serial="12345")
    assert cell(bench, 1) == "12345"
    assert all(cell(bench, field) != was for field, was in zip((1, 3, 4), before, strict=True))
    assert cell(bench, 2) == owner
    assert bench.ask(FULL_STATUS)[32:36] == (12345).to_bytes(4, "little")
    bench.faults.clear()
    assert [cell(bench, field) for field in (1, 3, 4)] == before


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(BadFault, match="16 digits"):
        Bench().faults.add("printer", "swap_fn", fn=5)
