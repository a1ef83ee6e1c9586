"""Receipts: what is accepted, what is refused, what the FN keeps.  [SHTRIH] 7, [FFD] 6."""

from __future__ import annotations

import struct

import pytest
from rig import tlv

from tests.rig.bench import (
    CANCEL,
    NOT_GIVEN,
    REPEAT,
    STATUS,
    SUBTOTAL,
    Bench,
    close,
    mark,
    money,
    open_receipt,
    operation,
    plain,
    storage,
    tag,
)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_shift()
    return bench


def tags_of(bench: Bench, fd: int) -> dict[int, bytes]:
    """A document read with FF3A and FF3B until 08."""
    head = bench.ask(storage(0x3A, struct.pack("<I", fd)))
    assert head[2] == 0
    body = b""
    while (part := bench.ask(storage(0x3B)))[2] == 0:
        body += part[3:]
    assert part[2] == 0x08
    assert len(body) == struct.unpack_from("<H", head, 5)[0]
    return {found.tag: found.value for found in tlv.decode_all(body)}


def le(value: bytes) -> int:
    return int.from_bytes(value, "little")


def test_a_sale_is_numbered_signed_and_read_back(bench: Bench) -> None:
    assert bench.code(open_receipt(0)) == 0
    assert bench.mode() == (0x08, 0)
    assert bench.code(operation(price=3699, quantity=700_000)) == 0
    assert bench.code(mark("R-1")) == 0
    answer = bench.ask(close(cash=3000))
    change, fd, fp = le(answer[3:8]), le(answer[8:12]), le(answer[12:16])
    assert (change, fd) == (3000 - 2589, 3)
    assert bench.mode() == (2, 0)

    tags = tags_of(bench, fd)
    assert le(tags[1020]) == le(tags[1031]) == 2589, "0.7 x 36.99 rounds to 25.89"
    assert tags[1081] == b"\0"
    assert (le(tags[1042]), le(tags[1038]), tags[1054], tags[1055]) == (1, 1, b"\1", b"\1")
    assert tags[1041] == b"9999078902019097"
    assert int.from_bytes(tags[1077][2:], "big") == fp
    item = {found.tag: found.value for found in tlv.decode_all(tags[1059])}
    assert item[1023] == b"\x06" + (700_000).to_bytes(3, "little")
    assert item[1030].decode("cp866") == "Позиция"
    [*_, receipt] = bench.printer.documents()
    assert receipt["mark"] == "R-1"
    assert receipt["fp"] == fp


def test_the_document_is_found_with_sign_and_sum(bench: Bench) -> None:
    bench.sell(20_000)
    answer = bench.ask(storage(0x0A, struct.pack("<I", 3)))
    assert answer[3:5] == b"\x03\x00"
    assert answer[5:10] == bytes([26, 3, 2, 9, 30])
    assert le(answer[10:14]) == 3
    assert answer[18:] == b"\x01" + money(20_000)


def test_the_qr_names_the_document(bench: Bench) -> None:
    bench.sell(19_900)
    fp = bench.printer.documents()[-1]["fp"]
    wanted = f"t=20260302T0930&s=199.00&fn=9999078902019097&i=3&fp={fp}&n=1"
    assert bench.printer.paper()[-1] == wanted


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (close(cash=9_999), 0x45),
        (close(card=10_001), 0x4D),
        (close(cash=10_000, tax_system=2), 0x33),
        (close(cash=10_000, tax_system=0x21), 0x33),
        (close(cash=10_000)[:-1], 0x7E),
    ],
)
def test_a_refused_closing_leaves_the_fn_unchanged(bench: Bench, given: bytes, code: int) -> None:
    bench.code(open_receipt(0))
    bench.code(operation(price=10_000))
    assert bench.code(given) == code
    assert bench.last_fd() == 2
    assert bench.mode() == (8, 0)
    assert bench.code(close(cash=10_000)) == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (operation(price=100, quantity=3_000_000, total=301), 0),
        (operation(price=100, quantity=3_000_000, total=302), 0x33),
        (operation(quantity=0), 0x62),
        (operation(sign=2), 0x49),
        (operation(sign=5), 0x33),
        (operation(tax=0), 0x33),
        (operation(tax=0xCB), 0x33),
        (operation(price=10_000_000_000), 0x61),
        (operation(price=9_999_999_999, quantity=2_000_000), 0x60),
    ],
)
def test_an_operation_is_checked(bench: Bench, asked: bytes, code: int) -> None:
    bench.code(open_receipt(0))
    assert bench.code(asked) == code
    assert bench.ask(STATUS)[7] == (0 if code else 1)


@pytest.mark.parametrize(
    ("family", "byte", "ffd"), [("standard", 0xCB, 11), ("nano", 0x90, 11), ("nano", 0x04, 5)]
)
def test_tax_bytes_follow_the_family(family: str, byte: int, ffd: int) -> None:
    bench = Bench(options={"vat_bytes": family})
    bench.open_shift()
    bench.code(open_receipt(0))
    assert bench.code(operation(tax=byte)) == 0
    bench.ask(close(cash=10_000))
    item = {found.tag: found.value for found in tlv.decode_all(tags_of(bench, 3)[1059])}
    assert item[1199] == bytes([ffd])


def test_twenty_percent_become_twenty_two_in_2026_only_when_the_table_says_so() -> None:
    for cell, ffd in (("1", 11), ("2", 1)):
        bench = Bench(options={"tables": {(17, 1, 71): cell}})
        bench.open_shift()
        bench.sell()
        item = {found.tag: found.value for found in tlv.decode_all(tags_of(bench, 3)[1059])}
        assert item[1199] == bytes([ffd])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (tag(1008, b"a@b.ru"), 0),
        (tag(1008, b"a@b.ru") + tag(1192, b"17"), 0),
        (tag(1227, b"one\ntwo"), 0x33),
        (tag(1192, b"x" * 17), 0x10),
        (tag(1008, b"a@b.ru")[:-1], 0x33),
        (tag(1059, b"x"), 0x33),
        (tag(1084, b"no list"), 0x33),
    ],
)
def test_tags_of_the_receipt_are_checked(bench: Bench, data: bytes, code: int) -> None:
    bench.code(open_receipt(0))
    assert bench.code(storage(0x0C, data)) == code


def test_tags_need_a_document_and_item_tags_an_item(bench: Bench) -> None:
    assert bench.code(storage(0x0C, tag(1008, b"a@b.ru"))) == 0x02
    bench.code(open_receipt(0))
    assert bench.code(storage(0x4D, tag(2108, b"\0"))) == 0x02
    bench.code(operation())
    assert bench.code(storage(0x4D, tag(2108, b"\x0b"))) == 0
    bench.ask(close(cash=10_000))
    item = {found.tag: found.value for found in tlv.decode_all(tags_of(bench, 3)[1059])}
    assert item[2108] == b"\x0b"


def test_a_cancelled_receipt_leaves_no_document(bench: Bench) -> None:
    bench.code(open_receipt(0))
    bench.code(operation())
    assert bench.code(CANCEL) == 0
    assert bench.mode() == (2, 0)
    assert bench.last_fd() == 2
    assert bench.code(CANCEL) == 0x73


def test_subtotal_and_a_copy(bench: Bench) -> None:
    assert bench.code(REPEAT) == 0x56
    bench.code(open_receipt(0))
    bench.code(operation(price=1_500))
    assert le(bench.ask(SUBTOTAL)[3:]) == 1_500
    bench.ask(close(card=1_500))
    before = len(bench.printer.paper())
    assert bench.code(REPEAT) == 0
    assert bench.printer.paper()[before] == "КОПИЯ"
    assert bench.last_fd() == 3


def test_rounding_comes_off_the_total(bench: Bench) -> None:
    bench.code(open_receipt(0))
    bench.code(operation(price=1_055))
    bench.ask(close(cash=1_000, rounding=55))
    assert bench.printer.documents()[-1]["total_kopecks"] == 1_000


def test_another_operators_password_does_not_touch_the_receipt(bench: Bench) -> None:
    def by(operator: int, payload: bytes) -> bytes:
        at = 2 if payload[:1] == b"\xff" else 1
        return payload[:at] + struct.pack("<I", operator) + payload[at + 4 :]

    assert bench.code(by(5, open_receipt(0))) == 0
    assert bench.code(by(6, operation())) == 0x59
    assert bench.code(by(77, operation())) == 0x4F
    assert bench.code(by(5, operation())) == 0
    assert bench.code(by(5, mark("x"))) == 0x4F, "tags need the system administrator"
    assert bench.code(by(5, close(cash=10_000))) == 0


def test_the_four_signs_reach_the_fn(bench: Bench) -> None:
    for kind, sign in ((0, 1), (1, 3), (2, 2), (3, 4)):
        bench.code(open_receipt(kind))
        assert bench.mode()[0] == 8 | kind << 4
        bench.code(operation(sign=sign))
        bench.ask(close(card=10_000))
        assert bench.printer.documents()[-1]["sign"] == sign


def test_payments_go_to_their_tags(bench: Bench) -> None:
    bench.code(open_receipt(0))
    bench.code(operation(price=10_000))
    bench.ask(close(cash=5_000, card=1_000, others={13: 500, 14: 2_000, 15: 700, 16: 800}))
    tags = tags_of(bench, 3)
    found = [le(tags[number]) for number in (1031, 1081, 1215, 1216, 1217)]
    assert found == [5_000, 1_500, 2_000, 700, 800]


def test_the_older_commands_make_a_fiscal_receipt_too(bench: Bench) -> None:
    sale = plain(0x80, (2_000).to_bytes(5, "little") + money(500) + b"\1\1\0\0\0" + bytes(40))
    assert bench.code(sale) == 0
    closing = plain(0x85, money(1_500) + bytes(15) + bytes(2) + bytes(4) + bytes(40))
    answer = bench.ask(closing)
    assert le(answer[3:8]) == 500
    assert bench.printer.documents()[-1]["total_kopecks"] == 1_000


def test_a_receipt_without_items_is_refused(bench: Bench) -> None:
    bench.code(open_receipt(0))
    assert bench.code(close()) == 0x8E
    assert bench.last_fd() == 2


def test_an_operation_outside_a_receipt_is_refused_by_default(bench: Bench) -> None:
    assert bench.code(operation()) == 0x73


def test_tax_sums_stand_where_the_rates_belong(bench: Bench) -> None:
    bench.code(open_receipt(0))
    for tax in (0x02, 0x04, 0x08, 0x81):
        bench.code(operation(price=11_000, tax=tax))
    bench.ask(close(card=44_000))
    tags = tags_of(bench, 3)
    assert (le(tags[1103]), le(tags[1104]), le(tags[1105])) == (1_000, 11_000, 11_000)
    [newer] = tlv.decode_all(tags[1115])
    inside = {found.tag: found.value for found in tlv.decode_all(newer.value)}
    assert (inside[1199], le(inside[1120])) == (b"\x07", 524)
    assert NOT_GIVEN == b"\xff" * 5
