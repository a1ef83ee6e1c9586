"""Shifts, their 24 hours, cash, registers, tables, clock.  [SHTRIH] 5, 6, 11, 12; [FFD] 9."""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path

import pytest
from rig import tlv
from rig.printer import registration_number
from rig.registrar import HANDLERS
from rig.shtrih_tables import COMMANDS, TAXES

from tests.rig.bench import (
    CANCEL,
    FN_STATUS,
    FULL_STATUS,
    OPEN_SHIFT,
    SHIFT_PARAMS,
    X_REPORT,
    Z_REPORT,
    Bench,
    close,
    money,
    open_receipt,
    operation,
    plain,
    storage,
    tag,
)


def register(bench: Bench, number: int) -> int:
    size = 1 if number < 256 else 2
    return int.from_bytes(bench.ask(plain(0x1A, number.to_bytes(size, "little")))[3:], "little")


def counter(bench: Bench, number: int) -> int:
    return int.from_bytes(bench.ask(plain(0x1B, bytes([number])))[3:], "little")


def test_every_command_has_one_handler_and_one_name() -> None:
    assert {row.name for row in COMMANDS} == set(HANDLERS)
    assert len({row.code for row in COMMANDS}) == len(COMMANDS)
    assert all(row.length_min <= row.length_max <= 255 for row in COMMANDS)
    assert len({tax.byte for tax in TAXES}) == len({tax.byte_nano for tax in TAXES}) == 12


def test_a_new_till_has_its_registration_as_fd_1() -> None:
    bench = Bench()
    [registration] = bench.printer.documents()
    assert (registration["fd"], registration["type"]) == (1, "registration")
    assert bench.ask(SHIFT_PARAMS)[3:] == bytes(5)


def test_the_shift_counts_receipts_and_starts_again_at_zero() -> None:
    bench = Bench()
    bench.open_shift()
    assert bench.ask(SHIFT_PARAMS)[3:] == struct.pack("<BHH", 1, 1, 0)
    bench.sell()
    bench.sell()
    assert bench.ask(SHIFT_PARAMS)[3:] == struct.pack("<BHH", 1, 1, 2)
    assert bench.code(Z_REPORT) == 0
    assert bench.ask(SHIFT_PARAMS)[3:] == struct.pack("<BHH", 0, 1, 2)
    bench.open_shift()
    assert bench.ask(SHIFT_PARAMS)[3:] == struct.pack("<BHH", 1, 2, 0)


@pytest.mark.parametrize(
    ("opened", "payload"),
    [(True, OPEN_SHIFT), (False, Z_REPORT), (False, X_REPORT), (True, CANCEL), (False, CANCEL)],
)
def test_a_command_in_a_wrong_mode_is_refused(opened: bool, payload: bytes) -> None:
    bench = Bench()
    if opened:
        bench.open_shift()
    before = bench.last_fd()
    assert bench.code(payload) == 0x73
    assert bench.last_fd() == before


def test_a_receipt_in_a_closed_shift_opens_it_or_is_refused_by_option() -> None:
    bench = Bench()
    assert bench.code(open_receipt(0)) == 0
    assert [document["type"] for document in bench.printer.documents()][1:] == ["shift_open"]
    strict = Bench(options={"open_receipt_opens_shift": False})
    assert strict.code(open_receipt(0)) == 0x73
    assert strict.last_fd() == 1


def test_after_24_hours_receipts_are_refused_and_the_shift_can_be_closed() -> None:
    bench = Bench()
    bench.open_shift()
    bench.sell()
    bench.code(open_receipt(0))
    bench.code(operation())
    bench.wall += timedelta(hours=24, minutes=1)
    assert bench.code(close(cash=10_000)) == 0x16
    assert bench.last_fd() == 3
    assert bench.code(CANCEL) == 0
    assert bench.mode() == (3, 0)
    assert bench.code(open_receipt(0)) == 0x4E
    assert bench.code(Z_REPORT) == 0
    assert bench.mode() == (4, 0)


def test_thirty_days_without_the_ofd_block_receipts_until_it_has_answered() -> None:
    bench = Bench()
    bench.wall += timedelta(days=31)
    assert bench.code(OPEN_SHIFT) == 0x15
    bench.printer.confirm_by_ofd(1)
    assert bench.code(OPEN_SHIFT) == 0
    assert bench.ask(storage(0x3F))[3:] == b"\1\0"


def test_a_clock_set_back_is_refused_by_the_fn() -> None:
    bench = Bench()
    bench.wall -= timedelta(hours=1)
    assert bench.code(OPEN_SHIFT) == 0x07


def test_tags_for_the_reports_are_sent_after_their_beginning() -> None:
    bench = Bench()
    assert bench.code(storage(0x41)) == 0
    assert bench.code(storage(0x0C, tag(1021, "Иванова".encode("cp866")))) == 0
    bench.open_shift()
    bench.code(storage(0x42))
    bench.code(storage(0x0C, tag(1021, "Петрова".encode("cp866"))))
    assert bench.code(Z_REPORT) == 0
    bodies = [str(found["tlv"]) for found in bench.printer.documents(with_tlv=True)]
    cashiers = [tlv.find(tlv.decode_all(bytes.fromhex(body)), 1021) for body in bodies[1:]]
    assert [found.text() for found in cashiers if found] == ["Иванова", "Петрова"]


def test_ff08_forgets_the_document_begun() -> None:
    bench = Bench()
    assert bench.code(storage(0x08)) == 0x02
    bench.code(storage(0x41))
    assert bench.code(storage(0x08)) == 0
    assert bench.ask(storage(0x01))[4] == 0
    bench.open_shift()
    bench.code(open_receipt(0))
    assert bench.code(storage(0x08)) == 0
    assert bench.mode() == (2, 0)


def test_registers_follow_receipts_and_cash() -> None:
    bench = Bench()
    bench.open_shift()
    assert bench.code(plain(0x51, money(1))) == 0x46
    answer = bench.ask(plain(0x50, money(50_000)))
    assert answer[:3] == b"\x50\x00\x1e"
    assert int.from_bytes(answer[3:5], "little") == 2
    bench.code(open_receipt(0))
    bench.code(operation(price=10_000))
    bench.ask(close(cash=6_000, card=4_500))
    bench.code(open_receipt(2))
    bench.code(operation(price=1_000, sign=2))
    bench.ask(close(cash=1_000))
    assert bench.code(plain(0x51, money(500))) == 0
    assert register(bench, 241) == 50_000 + 5_500 - 1_000 - 500
    assert (register(bench, 193), register(bench, 195), register(bench, 197)) == (
        5_500,
        1_000,
        4_500,
    )
    assert (register(bench, 242), register(bench, 243)) == (50_000, 500)
    assert (counter(bench, 144), counter(bench, 146), counter(bench, 148)) == (1, 1, 1)
    through = counter(bench, 152)
    assert int.from_bytes(bench.ask(FULL_STATUS)[11:13], "little") == through == 5
    bench.code(Z_REPORT)
    assert (register(bench, 193), counter(bench, 144), counter(bench, 148)) == (0, 0, 1)
    assert register(bench, 241) == 54_000


def test_payments_beyond_the_fourth_have_their_own_registers() -> None:
    bench = Bench()
    bench.open_shift()
    bench.code(open_receipt(0))
    bench.code(operation(price=10_000))
    bench.ask(close(others={5: 9_000, 14: 1_000}))
    assert register(bench, 4144) == 9_000
    assert register(bench, 4144 + 4 * 9) == 1_000


def test_tables_are_read_and_written_within_their_limits() -> None:
    bench = Bench()

    def read(table: int, row: int, number: int) -> bytes:
        return bench.ask(plain(0x1F, struct.pack("<BHB", table, row, number)))[2:]

    def write(table: int, row: int, number: int, value: bytes) -> int:
        return bench.code(plain(0x1E, struct.pack("<BHB", table, row, number) + value))

    assert read(18, 1, 4) == b"9999078902019097\0"
    assert read(6, 11, 1) == struct.pack("<H", 2200)
    assert write(2, 5, 2, "Сидорова".encode("cp1251")) == 0
    assert read(2, 5, 2) == "Сидорова".encode("cp1251").ljust(64, b"\0")
    assert write(1, 1, 7, b"\3") == 0x33
    assert write(2, 5, 1, b"\3") == 0x7E
    assert write(18, 1, 4, b"1") == 0x7A
    assert bench.code(plain(0x1F, b"\x63\1\0\1")) == 0x5D
    assert bench.ask(plain(0x2D, b"\2"))[-3:] == b"\x1e\0\2"


def test_a_changed_password_is_the_one_that_counts() -> None:
    bench = Bench()
    assert bench.code(plain(0x1E, struct.pack("<BHB", 2, 30, 1) + struct.pack("<I", 777))) == 0
    assert bench.code(plain(0x10)) == 0x4F
    assert bench.ask(b"\x10" + struct.pack("<I", 777))[:3] == b"\x10\x00\x1e"


def test_a_new_date_counts_only_when_confirmed() -> None:
    bench = Bench()
    date = bytes([5, 3, 26])
    assert bench.code(plain(0x22, date)) == 0
    assert bench.mode() == (6, 0)
    assert bench.code(OPEN_SHIFT) == 0xC0
    assert bench.code(plain(0x23, bytes([6, 3, 26]))) == 0x7C
    assert bench.code(plain(0x23, date)) == 0
    assert bench.code(plain(0x21, bytes([12, 34, 56]))) == 0
    assert bench.ask(FULL_STATUS)[25:31] == date + bytes([12, 34, 56])
    bench.open_shift()
    assert bench.printer.documents()[-1]["datetime"] == "2026-03-05T12:34"


def test_unknown_commands_and_wrong_lengths_have_their_errors() -> None:
    bench = Bench()
    assert bench.ask(b"\x99\x1e\0\0\0") == b"\x99\x37"
    assert bench.ask(b"\xff\x99\x1e\0\0\0") == b"\xff\x99\x37"
    assert bench.ask(b"\xff") == b"\xff\x37"
    assert bench.code(plain(0x10, b"\0")) == 0x7E
    assert bench.ask(b"\x6b\x4f")[2:].decode("cp1251") == "НЕВЕРНЫЙ ПАРОЛЬ"


def test_the_extended_answer_adds_date_and_time() -> None:
    bench = Bench(options={"tables": {(17, 1, 36): "1"}})
    bench.open_shift()
    answer = bench.sell()
    assert len(answer) == 21
    assert answer[16:] == bytes([26, 3, 2, 9, 30])


def test_a_till_told_not_to_print_does_not() -> None:
    bench = Bench(options={"tables": {(17, 1, 7): "1"}})
    bench.open_shift()
    assert bench.printer.paper() == []
    bench.sell()
    assert bench.printer.paper()[-1].startswith("t=")


def test_closing_reports_count_documents_and_money() -> None:
    bench = Bench()
    bench.open_shift()
    bench.sell(1_000)
    bench.sell(2_500)
    bench.code(Z_REPORT)
    body = tlv.decode_all(bytes.fromhex(str(bench.printer.documents(with_tlv=True)[-1]["tlv"])))
    numbers = {found.tag: found.number() for found in body if found.tag in (1118, 1111)}
    assert numbers == {1118: 2, 1111: 4}
    totals = tlv.find(body, 1194)
    assert totals is not None
    sales = tlv.find(tlv.decode_all(totals.value), 1129)
    assert sales is not None
    total = tlv.find(tlv.decode_all(sales.value), 1201)
    assert total is not None
    assert total.number() == 3_500


def test_the_registration_number_carries_its_check_sum() -> None:
    crc = 0xFFFF
    for byte in b"0000000001" + b"009706048530" + b"00000380490041048485":
        for bit in range(8):
            top = (crc >> 15 ^ byte >> 7 - bit) & 1
            crc = (crc << 1 ^ (0x1021 if top else 0)) & 0xFFFF
    assert registration_number("1", "9706048530", "0380490041048485") == f"0000000001{crc:06d}"


def test_a_till_that_delivers_by_itself_owes_nothing() -> None:
    bench = Bench(options={"ofd_online": True})
    bench.open_shift()
    assert bench.ask(storage(0x3F))[3:] == b"\0\0"
    assert bench.ask(storage(0x0A, b"\2\0\0\0"))[4] == 1
    assert len(bench.ask(storage(0x3C, b"\2\0\0\0"))) == 30
    bench.printer.set_ofd_online(False)
    bench.sell()
    assert bench.ask(storage(0x3F))[3:] == b"\1\0"
    assert bench.ask(storage(0x39))[3:12] == b"\2\0\1\0\3\0\0\0\x1a"
    assert bench.code(storage(0x3C, b"\3\0\0\0")) == 0x08


def test_a_desktop_model_shows_mode_1_until_the_document_is_read() -> None:
    bench = Bench(options={"reading_is_mode_1": True})
    bench.ask(storage(0x3A, b"\1\0\0\0"))
    assert bench.mode() == (1, 0)
    while bench.code(storage(0x3B)) == 0:
        pass
    assert bench.mode() == (4, 0)


def test_tables_and_clock_outlive_the_process(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cell = struct.pack("<BHB", 2, 7, 2)
    assert bench.code(plain(0x1E, cell + "Орлова".encode("cp1251"))) == 0
    assert bench.code(plain(0x21, bytes([10, 0, 0]))) == 0
    bench.start()
    assert bench.ask(plain(0x1F, cell))[2:8] == "Орлова".encode("cp1251")
    assert bench.ask(FULL_STATUS)[28:31] == bytes([10, 0, 0])


def test_the_registration_is_changed_and_the_fn_closed_for_good() -> None:
    bench = Bench()
    assert bench.code(storage(0x05, b"\0")) == 0x02, "it is registered"
    assert bench.code(storage(0x05, b"\2")) == 0
    assert bench.ask(FN_STATUS)[4] == 0x13
    owner = b"9706048530".ljust(12) + b"0" * 20 + b"\1\0"
    assert bench.code(storage(0x34, owner + b"\7")) == 0x33
    assert bench.ask(storage(0x34, owner + b"\4"))[2:7] == b"\0\2\0\0\0"
    assert bench.ask(storage(0x0A, b"\2\0\0\0"))[3] == 11
    assert bench.code(storage(0x3D)) == 0
    assert bench.ask(storage(0x3E))[2:7] == b"\0\3\0\0\0"
    assert bench.ask(FN_STATUS)[3] == 7
    assert bench.ask(storage(0x0A, b"\3\0\0\0"))[3] == 6
    assert bench.code(OPEN_SHIFT) == 0x02
