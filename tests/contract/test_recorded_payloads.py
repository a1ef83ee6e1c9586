"""Every recorded line is known: kktd would send it, understands it, or names why it never will.

Besides the frames of `recorded/shtrih_v1.txt` and `_v2.txt`, payloads of the vendor's own tests.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import pytest
from rig.faults import Faults
from rig.link import Link

from kktd.clock import Deadline
from kktd.model.device import Cell, FieldShape, TableShape
from kktd.model.marking import MarkVerdict, judge
from kktd.printers.shtrih import answers, commands, framing, framing2, payload, service, tlv
from kktd.printers.shtrih.commands import COMMANDS, Command
from kktd.printers.shtrih.session import Session
from tests.support.clock import VirtualClock
from tests.support.port import LinkDevice, Machine, MemoryPort

FOLDER: Final = Path(__file__).parent / "recorded"
ROWS: Final = {command.code: command for command in COMMANDS}
CONTROLS: Final = {b"\x05", b"\x06", b"\x15", b"\xff"}
UNKNOWN: Final = b"\x37"

# Commands of other programs: what kktd never sends, and why.
NOT_SENT: Final = {
    b"\x2f": "strings of one's own on paper: no receipt needs them",
    b"\xff\x06": "registration belongs to the vendor's own program",
    b"\xff\x0e": "parameters of the registration: table 18 has them",
    b"\xff\x30": "the host carries the ОФД's messages: these tills send by themselves",
    b"\xff\x31": "the same",
    b"\xff\x32": "the same",
    b"\xff\x38": "the report on the state of settlements",
}


def payloads(name: str, direction: str) -> list[bytes]:
    """Of one file, without frames and without control bytes."""
    found = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        data = bytes.fromhex(line[1:]) if line.startswith(direction) else b""
        if not data or data in CONTROLS:
            continue
        if name.endswith("v1.txt"):
            (token,) = framing.Deframer().feed(data)
            data = token.payload
        elif name.endswith("v2.txt"):
            (numbered,) = framing2.Deframer().feed(data)
            data = numbered.data
        if data:  # a sync has none
            found.append(data)
    return found


def everything(direction: str) -> list[bytes]:
    names = ("shtrih_v1.txt", "shtrih_v2.txt", "shtrih_payloads.txt")
    return [data for name in names for data in payloads(name, direction)]


def code_of(data: bytes) -> bytes:
    return data[: 2 if data[:1] == b"\xff" else 1]


def test_nothing_recorded_was_left_out() -> None:
    assert (len(everything(">")), len(everything("<"))) == (43, 43)


@pytest.mark.parametrize(
    "data", everything(">") + everything("<"), ids=lambda data: data.hex()[:24]
)
def test_both_protocols_carry_every_recorded_payload(data: bytes) -> None:
    (token,) = framing.Deframer().feed(framing.encode(data))
    assert token.payload == data
    (numbered,) = framing2.Deframer().feed(framing2.encode(7, data))
    assert (numbered.number, numbered.data) == (7, data)


def test_what_is_never_sent_is_named_and_was_recorded() -> None:
    strange = {code_of(data) for data in everything(">") + everything("<")} - set(ROWS)
    assert strange == set(NOT_SENT)


@pytest.mark.parametrize("data", everything("<"), ids=lambda data: data.hex()[:24])
def test_every_answer_of_a_known_command_is_understood(data: bytes) -> None:
    row = ROWS.get(code_of(data))
    if row is None:
        assert code_of(data) in NOT_SENT
        return
    if data == b"\xff\x0c\x33":  # a line end in a text: refused by the till that was recorded
        with pytest.raises(answers.DeviceRefused):
            answers.checked(row, data)
        return
    assert answers.checked(row, data) == data


QUESTIONS: Final = [
    (commands.FIELD_SHAPE, b"\x02\x02"),
    (commands.FIELD_SHAPE, b"\x11\x03"),
    (commands.FIELD_SHAPE, b"\x13\x02"),
    (commands.TABLE_SHAPE, b"\x0a"),
    (commands.EXCHANGE_STATUS, b""),
    (commands.FN_EXPIRY, b""),
    (commands.FIND_DOCUMENT, payload.unsigned(163, 4)),
    (commands.CANCEL_RECEIPT, b""),
    (
        commands.CHECK_MARK,
        payload.check_mark(1, payload.mark_code("04606203103348a3=EfODAB=UpGbL"), b""),
    ),
]


@pytest.mark.parametrize(("row", "parameters"), QUESTIONS, ids=lambda one: getattr(one, "name", ""))
def test_questions_are_the_recorded_bytes(row: Command, parameters: bytes) -> None:
    assert payload.question(row, 30, parameters) in everything(">")


def test_every_recorded_question_is_one_kktd_could_ask() -> None:
    for data in everything(">"):
        row = ROWS.get(code_of(data))
        if row is not None:
            at = len(row.code) + 4 * row.password
            password = int.from_bytes(data[len(row.code) : at], "little")
            assert payload.question(row, password, data[at:]) == data


# ---- what the answers mean, through the whole stack ---------------------------------------------


class Replayed:
    """A till that gives recorded answers; what was not recorded it does not know."""

    def __init__(self, *recorded: bytes) -> None:
        self._answers = {code_of(answer): answer for answer in recorded}
        machine, clock = Machine(), VirtualClock()
        machine.answer = self._answer
        port = MemoryPort(LinkDevice(Link(machine, Faults())), clock)
        self.session = Session(port, clock, 30, "1")
        self.by = Deadline.after_ms(clock, 60_000)

    def _answer(self, question: bytes) -> bytes:
        code = code_of(question)
        return self._answers.get(code, code + UNKNOWN)


def recorded(head: str, nth: int = 0) -> bytes:
    return [data for data in everything("<") if data.startswith(bytes.fromhex(head))][nth]


def test_tables_and_fields_have_the_names_and_limits_of_real_tills() -> None:
    till = Replayed(recorded("2d"), recorded("2e", 1))
    assert service.table(till.session, 2, till.by) == TableShape(
        "ПАРОЛИ КАССИРОВ И АДМИНИСТРАТОРОВ", 30, 2
    )
    assert service.field(till.session, Cell(19, 1, 2), till.by) == FieldShape(
        "ПОРТ", False, 2, 0, 0xFFFF
    )
    text = Replayed(recorded("2e", 0))
    assert service.field(text.session, Cell(25, 1, 1), text.by) == FieldShape("1048", True, 128)
    port = Replayed(recorded("2e", 1), recorded("1f"))
    assert service.read_field(port.session, Cell(19, 1, 2), port.by)[1] == 7777


def test_the_life_of_an_fn_is_read_from_recorded_answers() -> None:
    till = Replayed(recorded("ff01"), recorded("ff39"), recorded("ff03"))
    life = service.fn_life(till.session, till.by)
    assert (life.fn, life.last_fd, life.unsent) == ("9287440301120991", 425, 0)
    assert life.expires == date(2019, 9, 2)
    assert life.documents_left is None, "that till does not know FF63h"


def test_a_recorded_marking_check_says_no() -> None:
    heard = recorded("ff61")
    assert judge(answers.checked_mark(heard)) is MarkVerdict.FORGED
    told = {one.tag: one.value for one in tlv.decode(heard[9:])}
    assert set(told) == {2114, 2105, 2005}
