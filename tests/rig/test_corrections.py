"""Corrections by 8Dh and by commands of their own; discounts.  [SHTRIH] 7, 7.1, 7.2; [FFD] 10."""

from __future__ import annotations

import pytest

from tests.rig.bench import Bench, close, money, open_receipt, operation, plain, storage, tag

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


# --- FF35h, FF36h, FF4Ah -----------------------------------------------------------------------

BEGIN = storage(0x35)


def correction(
    total: int = 10_000, *, sign: int = 1, cash: int = 10_000, card: int = 0, vat: int = 0
) -> bytes:
    return storage(
        0x4A,
        bytes([0, sign])
        + money(total)
        + money(cash)
        + money(card)
        + bytes(15)
        + money(vat)
        + bytes(25)
        + b"\x01",
    )


@pytest.mark.parametrize("sign", [1, 2, 3, 4])
def test_a_correction_by_its_own_command(sign: int) -> None:
    bench = Bench()
    bench.open_shift()
    assert bench.code(BEGIN) == 0
    assert bench.ask(storage(0x01))[4] == 0x14, "the FN forms a correction"
    assert bench.code(storage(0x0C, BASIS)) == 0
    answer = bench.ask(correction(sign=sign, cash=4_000, card=6_000, vat=1_667))
    made = bench.printer.documents(with_tlv=True)[-1]
    assert (made["type"], made["sign"], made["total_kopecks"]) == ("correction", sign, 10_000)
    assert answer[2:9] == b"\0\x01\0\x03\0\0\0"
    assert len(answer) == 13
    tags = bench.printer.till.fn.documents[-1].tags()
    sums = {found.tag: found.number() for found in tags if found.tag in (1031, 1081, 1102)}
    assert sums == {1031: 4_000, 1081: 6_000, 1102: 1_667}
    assert bench.code(correction()) == 0x02, "nothing begun any more"


def test_the_oldest_correction_takes_its_total_as_cash() -> None:
    bench = Bench()
    bench.open_shift()
    bench.code(BEGIN)
    bench.code(storage(0x0C, BASIS))
    assert bench.code(storage(0x36, money(500) + b"\x02")) == 0x33
    assert len(bench.ask(storage(0x36, money(500) + b"\x01"))) == 13
    assert bench.printer.fn_status()["cash_kopecks"] == 500


def test_a_correction_states_its_basis_from_ffd_1_05_on() -> None:
    bench = Bench()
    bench.open_shift()
    bench.code(BEGIN)
    assert bench.code(correction()) == 0xA4
    assert bench.code(correction(cash=9_999)) == 0x45
    assert bench.code(correction(cash=10_001)) == 0x4D
    old = Bench(options={"tables": {(17, 1, 17): "1"}})
    old.open_shift()
    old.code(BEGIN)
    assert old.code(correction()) == 0


def test_a_correction_begun_stands_in_the_way_until_it_is_cancelled() -> None:
    bench = Bench()
    assert bench.code(BEGIN) == 0x02, "no shift"
    bench.open_shift()
    bench.code(BEGIN)
    assert bench.code(open_receipt(0)) == 0x02
    assert bench.code(storage(0x08)) == 0
    assert bench.sell()[2] == 0


def test_the_state_of_settlements_counts_what_waits_for_the_ofd() -> None:
    bench = Bench()
    bench.open_shift()
    bench.printer.confirm_by_ofd(1)
    assert bench.code(storage(0x37)) == 0
    answer = bench.ask(storage(0x38))
    assert len(answer) == 18
    assert answer[11:] == b"\x01\0\0\0" + bytes([26, 3, 2])
    found = bench.ask(storage(0x0A, b"\x03\0\0\0"))
    assert found[3] == 21
    assert found[18:] == answer[11:]


# --- operations with a discount of their own -----------------------------------------------------


def discounted(code: int, discount: int = 0, surcharge: int = 0, tax: int = 2) -> bytes:
    """FF0Dh or FF44h: 2.5 x 40.00."""
    tax_sum = money(0) if code == 0x44 else b""
    body = b"\x01" + money(2_500) + money(4_000) + money(discount) + money(surcharge)
    text = "Хлеб".encode("cp1251").ljust(254)
    return storage(code, (body + tax_sum + bytes([1, tax]) + bytes(5) + text)[: 254 - 6])


@pytest.mark.parametrize("code", [0x0D, 0x44])
def test_an_operation_is_registered_less_its_discount(code: int) -> None:
    bench = Bench()
    bench.open_shift()
    if code == 0x44:
        bench.code(open_receipt(0))
    assert bench.code(discounted(code, discount=1_000, surcharge=500)) == 0
    assert bench.code(discounted(code, discount=10_001)) == 0x5A
    assert bench.code(discounted(code, tax=3)) == 0x33
    assert bench.ask(plain(0x89))[3:] == money(9_500)
    assert bench.code(close(cash=9_500)) == 0
    assert "Хлеб" in [line.strip() for line in bench.printer.paper()]


@pytest.mark.parametrize(("percent", "total"), [(1_000, 9_000), (-1_000, 11_000)])
def test_a_percentage_on_the_receipt_makes_its_items_cheaper_or_dearer(
    percent: int, total: int
) -> None:
    bench = Bench()
    bench.open_shift()
    bench.code(open_receipt(0))
    bench.code(operation())
    tail = percent.to_bytes(2, "little", signed=True) + bytes(44)
    assert bench.code(plain(0x85, money(total - 1) + bytes(15) + tail)) == 0x45
    assert bench.ask(plain(0x89))[3:] == money(10_000), "a refusal changes nothing"
    assert bench.code(plain(0x85, money(total) + bytes(15) + tail)) == 0
    assert bench.printer.documents()[-1]["total_kopecks"] == total
