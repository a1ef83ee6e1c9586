"""Values of request bodies: what a caller may write, and what comes out of it.  Tags: [FFD]."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from kktd.model.money import (
    MAX_KOPECKS,
    MAX_QUANTITY,
    QUANTITY_DECIMALS,
    Kopecks,
    kopecks_from_rubles,
)
from kktd.model.receipt import PaymentMethod, Subject, VatRate

MAX_ID: Final = 64  # pos_id, sku, names of tokens
MAX_REASON: Final = 128
MAX_PAYMENTS: Final = 20
MAX_MARK: Final = 230  # what a command to the FN takes of tag 2000
MAX_FD: Final = 0xFFFF_FFFF  # tag 1040 has four bytes
MAX_ORDER: Final = 32  # tag 1179
MAX_NOTE: Final = 500
MAX_MINUTES: Final = 7 * 24 * 60

_RUBLES: Final = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
_QUANTITY: Final = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)
INN: Final = re.compile(r"\d{10}|\d{12}", re.ASCII)
FN: Final = re.compile(r"\d{16}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
CODE: Final = re.compile(r"\d{4}[ -]?\d{4}", re.ASCII)
FP: Final = re.compile(r"\d{1,10}", re.ASCII)
_RECEIPT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_SYMBOLOGY: Final = re.compile(r"\][A-Za-z]\d")  # AIM: which barcode the scanner has read
_MARK: Final = re.compile(r"[\x1d\x21-\x7e]+")
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
PHONE: Final = re.compile(r"\+?\d[\d ()-]{3,}", re.ASCII)

_MONEY_WANTED: Final = "rubles with at most two decimals"
_SUM_WANTED: Final = "rubles above zero"
_QUANTITY_WANTED: Final = "a quantity above zero with at most six decimals"


@dataclass(frozen=True, slots=True)
class Checked(PlainValidator):
    """A check that says in JSON Schema what it takes, as far as that can."""

    schema: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __get_pydantic_json_schema__(self, _: object, __: object) -> dict[str, Any]:
        return dict(self.schema)


def checked(check: Callable[[object], object], **schema: object) -> Checked:
    """The check and its schema."""
    return Checked(check, schema=schema)


def whole(form: re.Pattern[str]) -> str:
    """The pattern of JSON Schema, which is searched for, not matched whole."""
    return f"^(?:{form.pattern})$"


def _number(value: object, form: re.Pattern[str], wanted: str) -> Decimal:
    """A JSON number or its text; never a float, never true."""
    if isinstance(value, str) and form.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    raise PydanticCustomError("number", wanted)


def _money(value: object) -> Kopecks:
    try:
        return kopecks_from_rubles(_number(value, _RUBLES, _MONEY_WANTED))
    except ValueError as error:
        raise PydanticCustomError("number", _MONEY_WANTED) from error


def _positive_money(value: object) -> Kopecks:
    found = _money(value)
    if not found:
        raise PydanticCustomError("number", _SUM_WANTED)
    return found


def _quantity(value: object) -> Decimal:
    found = _number(value, _QUANTITY, _QUANTITY_WANTED)
    if not 0 < found <= MAX_QUANTITY or found != round(found, QUANTITY_DECIMALS):
        raise PydanticCustomError("number", _QUANTITY_WANTED)
    return found


def _day(value: object) -> datetime.date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(value)
    raise PydanticCustomError("text", "a date is needed, YYYY-MM-DD")


def _document_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_FD:
        raise PydanticCustomError("number", "a document number is needed")
    return value


E_ = TypeVar("E_", bound=StrEnum | IntEnum)


def _mark_code(value: object) -> str:
    """As scanned, less what a scanner puts before the data: symbology, first group separator."""
    if not isinstance(value, str):
        raise PydanticCustomError("text", "not text")
    code = value[3:] if _SYMBOLOGY.match(value) else value
    code = code.removeprefix("\x1d")
    if len(code) > MAX_MARK:
        raise PydanticCustomError("too_long", "too long", {"limit": MAX_MARK})
    if not _MARK.fullmatch(code):
        raise PydanticCustomError("text", "not a marking code as scanned")
    return code


def one_of(known: Mapping[str, E_]) -> Checked:
    def choose(value: object) -> E_:
        found = known.get(value) if isinstance(value, str) else None
        if found is None:
            raise PydanticCustomError(
                "name", "not one of the known names", {"known": ", ".join(known)}
            )
        return found

    return checked(choose, type="string", enum=list(known))


def names(kind: type[IntEnum]) -> dict[str, Any]:
    """Members by their lower-case names."""
    return {member.name.lower(): member for member in kind}


def text(form: re.Pattern[str] | None, limit: int, complaint: str) -> Checked:
    """Text of at most `limit` letters; without a form it must show something."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise PydanticCustomError("text", "not text")
        if len(value) > limit:
            raise PydanticCustomError("too_long", "too long", {"limit": limit})
        if not (form.fullmatch(value) if form else value.strip()):
            raise PydanticCustomError("text", complaint)
        return value

    pattern = whole(form) if form else r"\S"
    return checked(check, type="string", maxLength=limit, pattern=pattern)


# «work» is what contract 1.2 calls a job, the hyphen how some ОФД spell it.
SUBJECTS: Final = names(Subject) | {
    "work": Subject.JOB,
    "non-operating_gain": Subject.NON_OPERATING_GAIN,
}

_RUBLES_MAX: Final = MAX_KOPECKS // 100
_MONEY: Final = [
    {"type": "string", "pattern": whole(_RUBLES)},
    {"type": "number", "minimum": 0, "maximum": _RUBLES_MAX, "multipleOf": 0.01},
]
_SUM: Final = [
    {"type": "string", "pattern": rf"^(?!0+(?:\.0+)?$)(?:{_RUBLES.pattern})$"},
    {"type": "number", "minimum": 0.01, "maximum": _RUBLES_MAX, "multipleOf": 0.01},
]
_AMOUNT: Final = [
    {"type": "string", "pattern": rf"^(?!0+(?:\.0+)?$)(?:{_QUANTITY.pattern})$"},
    {"type": "number", "minimum": 0.000001, "maximum": int(MAX_QUANTITY), "multipleOf": 0.000001},
]

Money = Annotated[Kopecks, checked(_money, anyOf=_MONEY)]
Sum = Annotated[Kopecks, checked(_positive_money, anyOf=_SUM)]
Quantity = Annotated[Decimal, checked(_quantity, anyOf=_AMOUNT)]
Day = Annotated[datetime.date, checked(_day, type="string", format="date")]
DocumentNumber = Annotated[
    int, checked(_document_number, type="integer", minimum=1, maximum=MAX_FD)
]
ReceiptKey = Annotated[str, text(_RECEIPT_ID, 36, "not a receipt id")]
Identifier = Annotated[str, text(None, MAX_ID, "empty")]
_SCANNED: Final = rf"^(?:{_SYMBOLOGY.pattern})?\x1d?(?:{_MARK.pattern})$"
MarkCode = Annotated[str, checked(_mark_code, type="string", maxLength=MAX_MARK, pattern=_SCANNED)]
Vat = Annotated[VatRate, one_of({rate.value: rate for rate in VatRate})]
Method = Annotated[PaymentMethod, one_of({one.value: one for one in PaymentMethod})]
