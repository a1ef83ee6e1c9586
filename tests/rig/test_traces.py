"""Layout of every answer against bytes of real devices and the vendor's own vectors.

Source: docs/sources.md [SHTRIH] traces (RITEIL-01F 2018, NANO-F 2019, SMARTPOS-F 2022).
"""

from __future__ import annotations

import pytest
from rig.link import lrc

from tests.rig.bench import ACK, ENQ, NAK, Bench, close, open_receipt, operation, storage

# What hosts sent to real tills, whole frames.
REAL_REQUESTS = {
    "device_type": "02 01 FC FD",
    "full_status": "02 05 11 1E 00 00 00 0A",
    "model_parameters": "02 02 F7 01 F4",
    "field_structure 2.2": "02 07 2E 1E 00 00 00 02 02 37",
    "field_structure 17.3": "02 07 2E 1E 00 00 00 11 03 25",
    "fn_status": "02 06 FF 01 1E 00 00 00 E6",
    "short_status": "02 05 10 1E 00 00 00 0B",
    "table_structure": "02 06 2D 1E 00 00 00 0A 3F",
    "ofd_exchange_status": "02 06 FF 39 1E 00 00 00 DE",
}
# What real tills answered, whole frames: lengths and fixed bytes must be ours too.
REAL_ANSWERS = {
    "full_status": (
        "02 30 11 00 1E 43 31 CB D3 19 04 12 01 1C 00 92 02 02 00 02 4E 41 00 00 01 01 10 19 0A "
        "12 07 2D 17 00 7F 46 02 00 03 00 00 00 00 00 23 C7 49 D1 01 00 B1"
    ),
    "short_status": "02 10 10 00 1E 92 02 02 00 00 9F E5 18 01 00 92 08 00 75",
    "ofd_exchange_status": "02 10 FF 39 00 00 00 00 00 00 00 00 00 00 00 00 00 00 D6",
    "fn_status": (
        "02 21 FF 01 00 03 00 00 01 00 15 07 1D 0B 1D 39 32 38 37 34 34 30 33 30 31 31 32 30 39 "
        "39 31 A9 01 00 00 68"
    ),
}
CASH_RECEIPT = (
    "02 76 FF 45 1E 00 00 00 88 13 00 00 00" + " 00" * 106 + " 01 48"
)  # 50.00 in cash, tax system 01


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_shift()
    return bench


def exchange(bench: Bench, request: str) -> bytes:
    assert bench.say(ENQ) == NAK
    heard = bench.say(bytes.fromhex(request))
    assert heard[:1] == ACK
    assert lrc(heard[2:]) == 0
    assert heard[2] == len(heard) - 4
    bench.say(ACK)
    return heard[3:-1]


@pytest.mark.parametrize("name", REAL_REQUESTS)
def test_a_recorded_request_is_answered_without_error(bench: Bench, name: str) -> None:
    request = REAL_REQUESTS[name]
    answer = exchange(bench, request)
    code = bytes.fromhex(request)[2:4] if "FF" in request[6:8] else bytes.fromhex(request)[2:3]
    assert answer.startswith(code + b"\0")


@pytest.mark.parametrize("name", REAL_ANSWERS)
def test_an_answer_is_as_long_as_the_real_one(bench: Bench, name: str) -> None:
    real = bytes.fromhex(REAL_ANSWERS[name])
    assert lrc(real[1:]) == 0
    ours = exchange(bench, REAL_REQUESTS[name])
    assert len(ours) == real[1]


def test_short_status_carries_flags_and_mode_of_a_healthy_till(bench: Bench) -> None:
    ours = exchange(bench, REAL_REQUESTS["short_status"])
    assert ours[2:8] == bytes.fromhex("1E 92 02 02 00 00")


def test_the_recorded_closing_frame_closes_a_receipt(bench: Bench) -> None:
    bench.code(open_receipt(0))
    bench.code(operation(price=5_000))
    assert lrc(bytes.fromhex(CASH_RECEIPT)[1:]) == 0
    answer = exchange(bench, CASH_RECEIPT)
    assert len(answer) == 16
    assert answer[:12] == bytes.fromhex("FF 45 00 00 00 00 00 00 03 00 00 00")


def test_the_recorded_operation_registers_forty_rubles(bench: Bench) -> None:
    bench.code(open_receipt(0))
    request = (
        "02 48 FF 46 1E 00 00 00 01 C0 C6 2D 00 00 00 35 05 00 00 00 A0 0F 00 00 00 FF FF FF FF "
        "FF 01 00 04 01 CF EE E7 E8 F6 E8 FF 20 31" + " 00" * 31 + " 7F"
    )
    # 3 x 13.33 = 39.99 and the host says 40.00: one kopeck is allowed
    assert exchange(bench, request) == bytes.fromhex("FF 46 00")
    bench.ask(close(card=4_000))
    assert bench.printer.documents()[-1]["total_kopecks"] == 4_000


def test_the_older_cancel_answers_with_its_operator(bench: Bench) -> None:
    bench.code(open_receipt(0))
    assert exchange(bench, "02 05 88 1E 00 00 00 93") == bytes.fromhex("88 00 1E")


def test_a_string_is_printed_with_the_recorded_answer_length(bench: Bench) -> None:
    answer = bench.ask(b"\x2f\x1e\0\0\0\x02\x01" + "привет".encode("cp1251"))
    assert answer == bytes.fromhex("2F 00 1E")
    assert bench.printer.paper()[-1] == "привет"


@pytest.mark.parametrize(
    ("code", "rest", "length"),
    [
        (0x02, "", 19),
        (0x03, "", 8),
        (0x04, "", 20),
        (0x09, "", 67),
        (0x3F, "", 5),
        (0x40, "", 8),
        (0x0A, "01000000", 20 + 34 - 2),  # vector: registration, INN, RNM, tax, mode
        (0x0A, "02000000", 20),  # vector: shift opening, shift u16
    ],
)
def test_fn_answers_have_the_listed_lengths(
    bench: Bench, code: int, rest: str, length: int
) -> None:
    answer = bench.ask(storage(code, bytes.fromhex(rest)))
    assert answer[2] == 0
    assert len(answer) == length


def test_a_found_receipt_is_laid_out_as_the_vendors_vector(bench: Bench) -> None:
    vector = bytes.fromhex(
        "FF 0A 00 03 00 11 03 18 14 35 A3 00 00 00 EB EA 4B 2E 01 20 4E 00 00 00"
    )
    bench.sell(20_000)
    answer = bench.ask(storage(0x0A, b"\3\0\0\0"))
    assert len(answer) == len(vector)
    assert answer[-6:] == vector[-6:]


def test_a_char_field_is_described_in_46_bytes(bench: Bench) -> None:
    answer = bench.ask(b"\x2e\x1e\0\0\0\x12\x01")
    assert len(answer) == 46
    assert answer[42:] == b"\x01\x15\0\0"


def test_a_line_feed_in_a_tag_is_refused_as_the_real_till_did(bench: Bench) -> None:
    bench.code(open_receipt(0))
    request = (
        "02 3C FF 0C 1E 00 00 00 CB 04 32 00 85 8B 88 91 92 90 80 92 8E 82 80 20 8B 88 8B 88 9F 20 "
        "93 98 80 8D 83 88 85 82 8D 80 0A 20 8F 80 91 8F 8E 90 92 20 30 34 31 31 2C 20 30 38 32 31 "
        "37 31 AD"
    )
    assert bench.say(ENQ) == NAK
    assert bench.say(bytes.fromhex(request)) == ACK + bytes.fromhex("02 03 FF 0C 33 C3")
