"""Answers as facts: pure functions of the bytes a till sent, which may be anything at all.

Offsets count inside the answer, the code byte is 0.  Source: [SHTRIH] 4, 6.1, 6.2, 6.4, 7, 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from kktd.errors import KktdError
from kktd.model.fiscal import DocumentType
from kktd.model.money import Kopecks
from kktd.model.receipt import Sign
from kktd.printers.shtrih.commands import Command

COVER_OPEN: Final = 1 << 10  # [SHTRIH] 5.3
STORAGE_TABLE: Final = 18  # [SHTRIH] 12, where F7h names no other
STORAGE_TABLE_AT: Final = 33  # [SHTRIH] 6.4

# [SHTRIH] 7.3
DOCUMENT_TYPES: Final = {
    1: DocumentType.REGISTRATION,
    2: DocumentType.SHIFT_OPEN,
    3: DocumentType.RECEIPT,
    4: DocumentType.BSO,
    5: DocumentType.SHIFT_CLOSE,
    6: DocumentType.FN_CLOSE,
    11: DocumentType.REGISTRATION_CHANGE,
    21: DocumentType.STATE_REPORT,
    31: DocumentType.CORRECTION,
    41: DocumentType.BSO_CORRECTION,
}
SETTLEMENTS: Final = frozenset(
    {
        DocumentType.RECEIPT,
        DocumentType.BSO,
        DocumentType.CORRECTION,
        DocumentType.BSO_CORRECTION,
    }
)


class BadAnswer(KktdError):
    """The bytes are not an answer to that command: too short, or a value that cannot be."""


class DeviceRefused(KktdError):
    """The till answered with an error; `code` is the vendor's."""

    def __init__(self, command: Command, device_code: int) -> None:
        super().__init__(f"{command.name}: {device_code:02X}h", device_code=device_code)
        self.device_code = device_code


class Mode(IntEnum):
    """Low nibble of the mode byte ([SHTRIH] 5.1), as far as kktd tells them apart."""

    DATA_OUTPUT = 1
    SHIFT_OPEN = 2
    SHIFT_EXPIRED = 3
    SHIFT_CLOSED = 4
    DATE_CONFIRMATION = 6
    RECEIPT_OPEN = 8


class Submode(IntEnum):
    """[SHTRIH] 5.2."""

    IDLE = 0
    PAPER_OUT = 1
    PAPER_OUT_IN_PRINT = 2
    WAITS_CONTINUE = 3
    PRINTING_REPORT = 4
    PRINTING = 5


PAPER_IS_OUT: Final = frozenset({Submode.PAPER_OUT, Submode.PAPER_OUT_IN_PRINT})
IS_PRINTING: Final = frozenset({Submode.PRINTING_REPORT, Submode.PRINTING})


@dataclass(frozen=True, slots=True)
class TillState:
    """What 10h and 11h have in common.  Mode and submode stay numbers: a till may send any."""

    mode: int
    submode: int
    cover_open: bool


@dataclass(frozen=True, slots=True)
class FullStatus:
    """11h."""

    state: TillState
    firmware: str
    clock: datetime | None
    serial: str
    through: int  # number of its last document, fiscal or not; 0..9999


@dataclass(frozen=True, slots=True)
class DeviceType:
    """FCh."""

    model: int
    name: str


@dataclass(frozen=True, slots=True)
class FnStatus:
    """FF01h."""

    current_document: int
    shift_open: bool
    fn: str
    last_fd: int


@dataclass(frozen=True, slots=True)
class ShiftState:
    """FF40h."""

    open: bool
    number: int
    receipt_no: int


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """FF0Ah.  Settlements have sign and total, shift reports their shift."""

    type: DocumentType
    fd: int
    fp: int
    issued_at: datetime
    sign: Sign | None = None
    total: Kopecks | None = None
    shift: int | None = None


@dataclass(frozen=True, slots=True)
class ClosedReceipt:
    """FF45h."""

    fd: int
    fp: int


def checked(command: Command, answer: bytes) -> bytes:
    """`answer` if it carries no error and is as long as it has to be.

    Raises DeviceRefused or BadAnswer.
    """
    error_at = len(command.code)
    if len(answer) == 2 and answer[:1] == b"\xff":
        error_at = 1  # an old till does not know FFxx at all
    if len(answer) <= error_at:
        raise BadAnswer(f"{command.name}: {answer.hex()}")
    if answer[error_at]:
        raise DeviceRefused(command, answer[error_at])
    if len(answer) < command.answer_bytes_min:
        raise BadAnswer(f"{command.name}: {len(answer)} bytes")
    return answer


def till_state(answer: bytes) -> TillState:
    """10h: flags at 3, mode at 5, submode at 6."""
    return _state(answer, 3)


def full_status(answer: bytes) -> FullStatus:
    """11h; the clock is None where it shows no date, the serial "" where it shows none."""
    serial = _number(answer, 32, 4)
    if len(answer) >= 52:
        serial |= _number(answer, 50, 2) << 32
    none = answer[32:36] == b"\xff\xff\xff\xff"
    version = answer[3:5].decode("cp1251", "replace")
    return FullStatus(
        state=_state(answer, 13),
        firmware=f"{version[0]}.{version[1]}.{_number(answer, 5, 2)}",
        clock=_clock(answer),
        serial="" if none else str(serial),
        through=_number(answer, 11, 2),
    )


def device_type(answer: bytes) -> DeviceType:
    """FCh: model at 6, name from 8."""
    return DeviceType(model=answer[6], name=_text(answer[8:]))


def storage_table(answer: bytes) -> int:
    """F7h: number of the table with serial and registration; 18 where it is not said."""
    if len(answer) > STORAGE_TABLE_AT and answer[STORAGE_TABLE_AT]:
        return answer[STORAGE_TABLE_AT]
    return STORAGE_TABLE


def table_text(answer: bytes) -> str:
    """1Fh of a CHAR field, whatever it is padded with."""
    return _text(answer[2:])


def subtotal(answer: bytes) -> int:
    """89h, kopecks."""
    return _number(answer, 3, 5)


def money_register(answer: bytes) -> int:
    """1Ah, kopecks."""
    return _number(answer, 3, 6)


def operation_register(answer: bytes) -> int:
    """1Bh."""
    return _number(answer, 3, 2)


def fn_status(answer: bytes) -> FnStatus:
    return FnStatus(
        current_document=answer[4],
        shift_open=answer[6] == 1,
        fn=_ascii(answer[13:29]),
        last_fd=_number(answer, 29, 4),
    )


def shift_state(answer: bytes) -> ShiftState:
    return ShiftState(
        open=answer[3] == 1, number=_number(answer, 4, 2), receipt_no=_number(answer, 6, 2)
    )


def closed_receipt(answer: bytes) -> ClosedReceipt:
    """FF45h: change at 3, document number at 8, sign at 12."""
    return ClosedReceipt(fd=_number(answer, 8, 4), fp=_number(answer, 12, 4))


def corrected(answer: bytes) -> ClosedReceipt:
    """FF4Ah: receipt number at 3, document number at 5, sign at 9."""
    return ClosedReceipt(fd=_number(answer, 5, 4), fp=_number(answer, 9, 4))


def found_document(answer: bytes, fd: int) -> FoundDocument:
    """FF0Ah for document `fd`; the tail is read by the document's type, extra bytes are ignored."""
    kind = DOCUMENT_TYPES.get(answer[3])
    if kind is None or _number(answer, 10, 4) != fd:
        raise BadAnswer(f"find document {fd}: {answer.hex()}")
    fp, issued_at, tail = _number(answer, 14, 4), _date_time(answer[5:10]), answer[18:]
    if kind in SETTLEMENTS and len(tail) >= 6:
        return FoundDocument(kind, fd, fp, issued_at, _sign(tail[0]), Kopecks(_number(tail, 1, 5)))
    if kind in (DocumentType.SHIFT_OPEN, DocumentType.SHIFT_CLOSE) and len(tail) >= 2:
        return FoundDocument(kind, fd, fp, issued_at, shift=_number(tail, 0, 2))
    return FoundDocument(kind, fd, fp, issued_at)


def checked_mark(answer: bytes) -> int:
    """FF61h: tag 2106 where ОИСМ was asked and answered, else what the FN found (tag 2004)."""
    told = _asked_of(answer, 6)
    return answer[3] if told is None else told


def decided_mark(answer: bytes) -> int:
    """FF69h: tag 2106, what will stand in the document."""
    return answer[3]


def bound_mark(answer: bytes) -> int | None:
    """FF67h: tag 2106 if the code was checked only now; None of one that was checked before."""
    return _asked_of(answer, 6) if len(answer) > 6 else None


def _asked_of(answer: bytes, at: int) -> int | None:
    """The part of FF61h and FF67h about ОИСМ: length, the FN's answer, tag 2106, tags."""
    part = answer[at + 1 : at + 1 + answer[at]]
    return part[1] if len(part) > 1 and part[0] == 0 else None


def tlv_part(answer: bytes) -> bytes:
    """FF3Bh."""
    return answer[3:]


def _state(answer: bytes, at: int) -> TillState:
    return TillState(
        mode=answer[at + 2] & 0x0F,
        submode=answer[at + 3],
        cover_open=bool(_number(answer, at, 2) & COVER_OPEN),
    )


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("cp1251", "replace").strip()


def _ascii(data: bytes) -> str:
    try:
        text = data.decode("ascii").strip(" \0")
    except UnicodeDecodeError as error:
        raise BadAnswer(f"not a number of an FN: {data.hex()}") from error
    if not text.isalnum():
        raise BadAnswer(f"not a number of an FN: {data.hex()}")
    return text


def _sign(value: int) -> Sign:
    try:
        return Sign(value)
    except ValueError as error:
        raise BadAnswer(f"settlement sign {value}") from error


def _date_time(data: bytes) -> datetime:
    """YY MM DD hh mm in plain binary; the printer's local time, without a zone."""
    year, month, day, hour, minute = data
    try:
        return datetime(2000 + year, month, day, hour, minute)  # noqa: DTZ001 - the FN keeps none
    except ValueError as error:
        raise BadAnswer(f"not a time: {data.hex()}") from error


def _clock(answer: bytes) -> datetime | None:
    """11h: day, month, year at 25; hour, minute, second at 28."""
    day, month, year, hour, minute, second = answer[25:31]
    try:
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - has none
    except ValueError:
        return None
