"""Protocol 2: what real registrars sent is understood; what was sent to them kktd would send.

The bytes stand in `recorded/`, each with its public source.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from kktd.printers.shtrih import answers, commands, payload, tlv
from kktd.printers.shtrih.framing2 import SYNC, Deframer, Kind, Token, encode

RECORDED: Final = Path(__file__).parent / "recorded" / "shtrih_v2.txt"
SYSTEM, CASHIER = 30, 1  # passwords
local: Final = datetime.fromisoformat  # a till keeps no zone


def lines(direction: str) -> list[bytes]:
    text = RECORDED.read_text(encoding="utf-8").splitlines()
    return [bytes.fromhex(line[1:]) for line in text if line.startswith(direction)]


def token_of(data: bytes) -> Token:
    (token,) = Deframer().feed(data)
    return token


def answer(head: str, nth: int = 0) -> bytes:
    """Data of the nth recorded answer that begins so."""
    wanted = bytes.fromhex(head)
    found = [token_of(frame).data for frame in lines("<")]
    return [data for data in found if data.startswith(wanted)][nth]


def question(
    number: int, command: commands.Command, parameters: bytes = b"", password: int = SYSTEM
) -> bytes:
    return encode(number, payload.question(command, password, parameters))


@pytest.mark.parametrize(("direction", "count"), [(">", 15), ("<", 14)])
def test_every_recorded_frame_is_whole_and_encodes_to_the_same_bytes(
    direction: str, count: int
) -> None:
    recorded = lines(direction)
    assert len(recorded) == count
    for data in recorded:
        token = token_of(data)
        assert token.kind is Kind.FRAME
        again = SYNC if token.number is None else encode(token.number, token.data)
        assert again == data


def test_every_answer_has_the_number_of_a_question_asked_before_it() -> None:
    numbers = [token_of(frame).number for frame in lines(">")]
    unasked = {token_of(frame).number for frame in lines("<")} - set(numbers)
    assert unasked == {1, 0x11, 0x25}  # the type II frame, and two whose question was not published


@pytest.mark.parametrize(
    ("built", "note"),
    [
        (SYNC, "sync"),
        (question(0x08, commands.FULL_STATUS), "11h"),
        (question(0x9B, commands.READ_TABLE, payload.read_table(19, 1, 2)), "1Fh"),
        (question(0x56, commands.SHORT_STATUS, password=CASHIER), "10h"),
        (question(0x39, commands.SHORT_STATUS, password=CASHIER), "10h while it prints"),
        (question(0x26, commands.SHORT_STATUS, password=CASHIER), "10h after FF45h"),
        *((question(number, commands.READ_TLV), "FF3Bh") for number in (0x3D, 0x3E)),
        *((question(number, commands.READ_TLV), "FF3Bh") for number in (0xDE, 0xDF, 0xE6, 0xE7)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_questions_are_the_recorded_bytes(built: bytes, note: str) -> None:
    assert built in lines(">"), note


def test_a_till_just_switched_on_answers_a_sync_with_number_1_and_no_data() -> None:
    assert token_of(lines("<")[0]) == Token(Kind.FRAME, 1)


def test_full_status_of_50_bytes() -> None:
    status = answers.full_status(answers.checked(commands.FULL_STATUS, answer("11")))
    assert status.firmware == "C.2.34865"
    assert status.clock == local("2019-08-02T15:48:07")
    assert status.state.mode == answers.Mode.SHIFT_OPEN


@pytest.mark.parametrize(
    ("nth", "mode", "submode"),
    [(0, answers.Mode.SHIFT_OPEN, 0), (1, answers.Mode.RECEIPT_OPEN, 5), (2, 2, 0)],
    ids=["16 bytes", "17 bytes, printing", "17 bytes"],
)
def test_short_status(nth: int, mode: int, submode: int) -> None:
    state = answers.till_state(answers.checked(commands.SHORT_STATUS, answer("10", nth)))
    assert (state.mode, state.submode) == (mode, submode)


def test_a_closed_receipt_has_number_and_sign() -> None:
    closed = answers.closed_receipt(answers.checked(commands.CLOSE_RECEIPT, answer("ff45")))
    assert closed == answers.ClosedReceipt(fd=82, fp=0x3E0BBFF2)


@pytest.mark.parametrize(
    ("nth", "tag", "value"),
    [
        (0, 1215, b"\0"),
        (1, 1216, b"\0"),
        (2, 1077, bytes.fromhex("31 04 18 F6 3A 52")),
        (3, 1038, (49).to_bytes(4, "little")),
    ],
)
def test_items_of_a_document(nth: int, tag: int, value: bytes) -> None:
    (item,) = tlv.decode(answers.checked(commands.READ_TLV, answer("ff3b", nth))[3:])
    assert (item.tag, item.value) == (tag, value)


def test_a_line_of_a_document_holds_its_own_tags() -> None:
    (line,) = tlv.decode(answers.checked(commands.READ_TLV, answer("ff3b", 4))[3:])
    inside = {one.tag: one.value for one in tlv.decode(line.value)}
    assert line.tag == 1059
    assert int.from_bytes(inside[1043], "little") == 10_00
