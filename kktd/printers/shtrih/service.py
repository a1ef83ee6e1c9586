"""The till as a device: the FN's exchange counters, clock, tables and registers.

Each function raises what `Session.call` raises, and Refused where kktd itself says no.
Source: [SHTRIH] 6 (1Eh, 1Fh, 21h..23h, 2Dh, 2Eh), 7 (FF03h, FF39h, FF63h), 11, 12.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from kktd.clock import Deadline
from kktd.errors import Refused
from kktd.model.device import Cell, FieldShape, FnLife, TableShape
from kktd.printers.shtrih import answers, payload
from kktd.printers.shtrih.answers import BadAnswer, DeviceRefused, Mode
from kktd.printers.shtrih.archive import Archive
from kktd.printers.shtrih.codes import ANOTHER_DATE
from kktd.printers.shtrih.commands import (
    CONFIRM_DATE,
    EXCHANGE_STATUS,
    FIELD_SHAPE,
    FN_EXPIRY,
    FN_MEMORY,
    FN_STATUS,
    FULL_STATUS,
    MONEY_REGISTER,
    OPERATION_REGISTER,
    READ_TABLE,
    SET_DATE,
    SET_TIME,
    TABLE_SHAPE,
    WRITE_TABLE,
    Command,
)
from kktd.printers.shtrih.session import Session

SECRETS: Final = frozenset({(2, 1)})  # [SHTRIH] 4: table 2 field 1, the operators' passwords


# ---- the FN -------------------------------------------------------------------------------------


def fn_life(session: Session, by: Deadline) -> FnLife:
    """FF01h first: what is unsent now was made before."""
    status = answers.fn_status(session.call(FN_STATUS, by))
    exchange = session.call(EXCHANGE_STATUS, by)
    unsent = _number(exchange, 5, 2)
    left = _optional(session, FN_MEMORY, by)
    ends = _optional(session, FN_EXPIRY, by)
    return FnLife(
        fn=status.fn,
        last_fd=status.last_fd,
        unsent=unsent,
        first_unsent_fd=_number(exchange, 7, 4) if unsent else None,
        oldest_unsent=_moment(exchange[11:16]) if unsent else None,
        documents_left=None if left is None else _number(left, 3, 4),
        expires=None if ends is None else _date(ends[3:6]),
    )


def _optional(session: Session, command: Command, by: Deadline) -> bytes | None:
    """None from a model that does not know the command."""
    try:
        return session.call(command, by)
    except DeviceRefused:
        return None


# ---- the clock ----------------------------------------------------------------------------------


def set_clock(session: Session, archive: Archive, moment: datetime, by: Deadline) -> datetime:
    """Set date and time, confirm the date; returns what the clock shows then.

    A till that waits for its date (power was gone for long) is brought out of it on the way.
    Refused if the FN holds a later document: it would sign nothing until the clock passed it.
    """
    last_fd = answers.fn_status(session.call(FN_STATUS, by)).last_fd
    last = archive.found(last_fd, by) if last_fd else None
    if last is not None and moment.replace(second=0, microsecond=0) < last.issued_at:
        raise Refused(
            f"the FN's last document is of {last.issued_at}", device_code=None, remedy="clock_back"
        )
    full = answers.full_status(session.call(FULL_STATUS, by))
    wanted = bytes([moment.day, moment.month, moment.year - 2000])
    if full.state.mode == Mode.DATE_CONFIRMATION and not _confirms(session, wanted, by):
        shown = full.clock or moment
        _confirms(session, bytes([shown.day, shown.month, shown.year - 2000]), by)
    if full.clock is None or full.clock.date() != moment.date():
        session.call(SET_DATE, by, wanted)
        session.call(CONFIRM_DATE, by, wanted)
    session.call(SET_TIME, by, bytes([moment.hour, moment.minute, moment.second]))
    shows = answers.full_status(session.call(FULL_STATUS, by)).clock
    if shows is None:
        raise BadAnswer("the clock was set and shows nothing")
    return shows


def _confirms(session: Session, day: bytes, by: Deadline) -> bool:
    try:
        session.call(CONFIRM_DATE, by, day)
    except DeviceRefused as refused:
        if refused.device_code == ANOTHER_DATE:
            return False
        raise
    return True


# ---- tables and registers -----------------------------------------------------------------------


def table(session: Session, number: int, by: Deadline) -> TableShape:
    """2Dh: name at 2, rows at 42, fields at 44."""
    answer = session.call(TABLE_SHAPE, by, payload.unsigned(number, 1))
    return TableShape(_text(answer[2:42]), _number(answer, 42, 2), answer[44])


def field(session: Session, cell: Cell, by: Deadline) -> FieldShape:
    """2Eh: name at 2, type at 42, size at 43, limits of a number behind; texts end anyhow."""
    place = payload.unsigned(cell.table, 1) + payload.unsigned(cell.field, 1)
    answer = session.call(FIELD_SHAPE, by, place)
    name, size = _text(answer[2:42]), answer[43]
    if answer[42] == 1:
        return FieldShape(name, True, size)
    if len(answer) < 44 + 2 * size:
        raise BadAnswer(f"field {cell}: {answer.hex()}")
    return FieldShape(
        name, False, size, _number(answer, 44, size), _number(answer, 44 + size, size)
    )


def read_field(session: Session, cell: Cell, by: Deadline) -> tuple[FieldShape, int | str]:
    """1Fh as its structure says."""
    _check_open(cell)
    shape = field(session, cell, by)
    answer = session.call(READ_TABLE, by, payload.read_table(cell.table, cell.row, cell.field))
    if shape.is_text:
        return shape, answers.table_text(answer)
    return shape, _number(answer, 2, shape.size)


def write_field(session: Session, cell: Cell, value: str, by: Deadline) -> None:
    """1Eh: a number needs its whole size, a text is filled up with 00."""
    _check_open(cell)
    shape = field(session, cell, by)
    try:
        data = _encoded(shape, value)
    except ValueError as error:
        raise Refused(str(error), device_code=None, remedy="table_value") from error
    session.call(WRITE_TABLE, by, payload.read_table(cell.table, cell.row, cell.field) + data)


def _encoded(shape: FieldShape, value: str) -> bytes:
    """Raises ValueError for what the field does not hold."""
    if shape.is_text:
        data = value.encode("cp1251")
        if len(data) > shape.size:
            raise ValueError(f"{shape.name}: at most {shape.size} characters")
        return data.ljust(shape.size, b"\0")
    number = int(value)
    if shape.least is None or shape.most is None or not shape.least <= number <= shape.most:
        raise ValueError(f"{shape.name}: {shape.least}..{shape.most}")
    return payload.unsigned(number, shape.size)


def _check_open(cell: Cell) -> None:
    if (cell.table, cell.field) in SECRETS:
        raise Refused("passwords are not shown", device_code=None, remedy="password_hidden")


def money_register(session: Session, number: int, by: Deadline) -> int:
    """1Ah, kopecks."""
    return answers.money_register(session.call(MONEY_REGISTER, by, _register(number)))


def operation_register(session: Session, number: int, by: Deadline) -> int:
    """1Bh."""
    return answers.operation_register(session.call(OPERATION_REGISTER, by, _register(number)))


def _register(number: int) -> bytes:
    """Money registers above 255 go in two bytes."""
    return payload.unsigned(number, 1 if number <= 0xFF else 2)


# ---- bytes --------------------------------------------------------------------------------------


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("cp1251", "replace").strip()


def _date(data: bytes) -> date | None:
    try:
        return date(2000 + data[0], data[1], data[2])
    except ValueError:
        return None


def _moment(data: bytes) -> datetime | None:
    """YY MM DD hh mm of the printer's local clock; None for what is no time."""
    year, month, day, hour, minute = data
    try:
        return datetime(2000 + year, month, day, hour, minute)  # noqa: DTZ001 - the FN keeps none
    except ValueError:
        return None
