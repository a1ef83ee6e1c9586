"""A day in the order in which the vendor's own driver works its tills, frame by frame.

Source: [SHTRIH] 13; the line and the close are frames recorded from real tills (2018, 2021).
"""

from __future__ import annotations

import pytest
from rig import tlv
from rig.link import frame, lrc
from rig.shtrih_settings import read_dump

from tests.rig.bench import ACK, ENQ, NAK, Bench, tag

# hex of whole frames: STX, length, command, password 30, parameters, check sum
SHORT_STATUS = "02 05 10 1E 00 00 00 0B"
FULL_STATUS = "02 05 11 1E 00 00 00 0A"
OPEN_SHIFT = "02 05 E0 1E 00 00 00 FB"
OPEN_SALE = "02 06 8D 1E 00 00 00 00 95"
LINE = (  # 3.000000 at 13.33, 40.00 in all; "Позиция 1"
    "02 48 FF 46 1E 00 00 00 01 C0 C6 2D 00 00 00 35 05 00 00 00 A0 0F 00 00 00 FF FF FF FF FF 01"
    " 00 04 01 CF EE E7 E8 F6 E8 FF 20 31" + " 00" * 31 + " 7F"
)
SUBTOTAL = "02 05 89 1E 00 00 00 92"
CLOSE = "02 76 FF 45 1E 00 00 00 88 13 00 00 00" + " 00" * 106 + " 01 48"  # 50.00 in cash
X_REPORT = "02 05 40 1E 00 00 00 5B"
Z_REPORT = "02 05 41 1E 00 00 00 5A"
CASHIER = tag(1021, "Иванова".encode("cp866")) + tag(1203, b"123456789047")


def framed(*payload: bytes) -> str:
    """A frame whose parameters are tags."""
    return frame(b"".join(payload)).hex()


SYSTEM = b"\x1e\0\0\0"
BEGIN_OPENING = framed(b"\xff\x41", SYSTEM)
BEGIN_CLOSING = framed(b"\xff\x42", SYSTEM)
WHO = framed(b"\xff\x0c", SYSTEM, CASHIER)


def exchange(bench: Bench, request: str, *, asks_first: bool = True) -> bytes:
    """What is answered; the vendor's driver leaves ENQ out when the line is known to be free."""
    if asks_first:
        assert bench.say(ENQ) == NAK
    heard = bench.say(bytes.fromhex(request))
    assert heard[:1] == ACK, request
    assert lrc(heard[2:]) == 0
    bench.say(ACK)
    return heard[3:-1]


def wait_until_idle(bench: Bench) -> None:
    """10h until the submode is 0."""
    for _ in range(20):
        if exchange(bench, SHORT_STATUS, asks_first=False)[6] == 0:
            return
        bench.wait(0.5)
    raise AssertionError("it never ended printing")


@pytest.mark.parametrize("print_ms", [0, 900])
def test_shift_receipt_and_reports_in_the_vendors_order(print_ms: int) -> None:
    bench = Bench(options={"print_ms": print_ms})
    assert exchange(bench, FULL_STATUS)[1] == 0
    assert exchange(bench, BEGIN_OPENING) == b"\xff\x41\0"
    assert exchange(bench, WHO, asks_first=False) == b"\xff\x0c\0"
    assert exchange(bench, OPEN_SHIFT, asks_first=False) == b"\xe0\0\x1e"
    wait_until_idle(bench)

    assert exchange(bench, OPEN_SALE) == b"\x8d\0\x1e"
    assert exchange(bench, LINE) == b"\xff\x46\0"
    measure, contact = tag(2108, b"\0"), tag(1008, b"a@b.ru") + tag(1192, b"17")
    assert exchange(bench, framed(b"\xff\x4d", SYSTEM, measure)) == b"\xff\x4d\0"
    code = b"046062031033" + b"48a3=EfODAB=UpGbL"  # as in the recorded check
    bound = exchange(bench, framed(b"\xff\x67", SYSTEM, bytes([len(code)]), code))
    assert bound[:6] == b"\xff\x67\x0004\x02"
    assert exchange(bench, framed(b"\xff\x0c", SYSTEM, contact)) == b"\xff\x0c\0"
    assert exchange(bench, SUBTOTAL) == b"\x89\0\x1e" + (40_00).to_bytes(5, "little")
    closed = exchange(bench, CLOSE)
    assert closed[:8] == b"\xff\x45\0" + (10_00).to_bytes(5, "little"), "change"
    assert int.from_bytes(closed[8:12], "little") == 3
    wait_until_idle(bench)

    assert exchange(bench, X_REPORT) == b"\x40\0\x1e"
    wait_until_idle(bench)
    assert exchange(bench, BEGIN_CLOSING) == b"\xff\x42\0"
    assert exchange(bench, WHO) == b"\xff\x0c\0"
    assert exchange(bench, Z_REPORT) == b"\x41\0\x1e"
    wait_until_idle(bench)

    kinds = [one["type"] for one in bench.printer.documents()]
    assert kinds == ["registration", "shift_open", "receipt", "shift_close"]
    opening, receipt, closing = bench.printer.till.fn.documents[1:]
    for document in (opening, closing):
        who = tlv.find(document.tags(), 1021)
        assert who is not None
        assert who.text() == "Иванова"
    item = tlv.find(receipt.tags(), 1059)
    assert item is not None
    inside = {one.tag: one.value for one in tlv.decode_all(item.value)}
    assert (inside[1079], inside[1043]) == (b"\x35\x05", b"\xa0\x0f")
    assert {2108, 1163, 2106} <= set(inside)
    assert {1008, 1192} <= {one.tag for one in receipt.tags()}


def test_a_correction_of_1_05_and_one_of_1_2_in_the_vendors_order() -> None:
    bench = Bench()
    exchange(bench, OPEN_SHIFT)
    basis = tag(1174, tag(1177, b"x") + tag(1178, b"\0\x92\xa4\x69") + tag(1179, b"1"))
    assert exchange(bench, framed(b"\xff\x35", SYSTEM)) == b"\xff\x35\0"
    assert exchange(bench, framed(b"\xff\x0c", SYSTEM, basis)) == b"\xff\x0c\0"
    sums = (40_00).to_bytes(5, "little")
    by_sums = b"\0\1" + sums + sums + bytes(20) + sums + bytes(25) + b"\1"
    assert exchange(bench, framed(b"\xff\x4a", SYSTEM, by_sums))[:5] == b"\xff\x4a\0\x01\0"
    assert exchange(bench, framed(b"\x8d", SYSTEM, b"\x80")) == b"\x8d\0\x1e"
    assert exchange(bench, LINE) == b"\xff\x46\0"
    assert exchange(bench, framed(b"\xff\x0c", SYSTEM, tag(1173, b"\0"), basis)) == b"\xff\x0c\0"
    assert exchange(bench, CLOSE)[:3] == b"\xff\x45\0"
    kinds = [one["type"] for one in bench.printer.documents()]
    assert kinds[2:] == ["correction", "correction"]


def test_after_power_on_a_date_is_confirmed_and_work_goes_on() -> None:
    bench = Bench()
    day = bytes([bench.wall.day, bench.wall.month, bench.wall.year - 2000])
    assert exchange(bench, framed(b"\x22", SYSTEM, day)) == b"\x22\0"
    assert exchange(bench, SHORT_STATUS)[5] == 6
    assert exchange(bench, framed(b"\x23", SYSTEM, day)) == b"\x23\0"
    assert exchange(bench, SHORT_STATUS)[5] == 4
    assert exchange(bench, OPEN_SHIFT)[1] == 0


# ---- the tables and registers of a real till ----------------------------------------------------


@pytest.mark.parametrize("number", sorted(read_dump().tables))
def test_every_cell_of_every_table_is_read_as_the_real_till_has_it(number: int) -> None:
    bench, dump = Bench(), read_dump()
    table = dump.tables[number]
    shape = bench.ask(b"\x2d" + SYSTEM + bytes([number]))
    assert shape[2:42].rstrip(b"\0").decode("cp1251") == table.name[:40]
    assert int.from_bytes(shape[42:44], "little") == table.rows
    cells = [cell for cell in dump.values if cell[0] == number]
    assert shape[44] == max(field for _, _, field in cells)
    for _, row, field in cells:
        column = table.fields[field]
        limits = bench.ask(b"\x2e" + SYSTEM + bytes([number, field]))
        assert (limits[42], limits[43]) == (column.is_text, column.size)
        value = bench.ask(b"\x1f" + SYSTEM + bytes([number, row & 0xFF, row >> 8, field]))[2:]
        assert len(value) == column.size


def test_the_tables_of_the_settings_are_all_there() -> None:
    assert set(range(1, 22)) <= set(read_dump().tables) | {22}


@pytest.mark.parametrize("code", [0x1A, 0x1B])
def test_every_register_answers(code: int) -> None:
    bench = Bench()
    bench.open_shift()
    bench.sell()
    size = 6 if code == 0x1A else 2
    for number in range(256):
        answer = bench.ask(bytes([code]) + SYSTEM + bytes([number]))
        assert (answer[1], len(answer)) == (0, 3 + size), number
    if code == 0x1A:
        assert bench.ask(b"\x1a" + SYSTEM + (4144).to_bytes(2, "little"))[1] == 0
