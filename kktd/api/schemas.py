"""Request bodies: strict, closed, every bound an FFD tag's; a wrong one names its field.

Names are the API's (docs/api.md); what comes out is the model's.  Tags: [FFD].
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from kktd.api.document_size import DOCUMENT_BYTES_MAX, estimate_bytes
from kktd.errors import DocumentTooLong, Invalid, TooLarge
from kktd.model.money import MAX_QUANTITY, QUANTITY_DECIMALS, Kopecks, kopecks_from_rubles
from kktd.model.receipt import (
    MAX_CASHIER,
    MAX_CONTACT,
    MAX_LINES,
    MAX_NAME,
    Cashier,
    Customer,
    DocumentNumbers,
    Line,
    Measure,
    Original,
    Payment,
    PaymentMethod,
    Receipt,
    ReceiptId,
    ReceiptType,
    Settlement,
    Subject,
    TaxSystem,
    VatRate,
    new_receipt_id,
)

MAX_ID: Final = 64  # pos_id, sku, names of tokens
MAX_REASON: Final = 128
MAX_PAYMENTS: Final = 20
MAX_MARK: Final = 256
MAX_FD: Final = 0xFFFF_FFFF  # tag 1040 has four bytes
MAX_NOTE: Final = 500
MAX_MINUTES: Final = 7 * 24 * 60

_RUBLES: Final = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
_QUANTITY: Final = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)
_INN: Final = re.compile(r"\d{10}|\d{12}", re.ASCII)
_FN: Final = re.compile(r"\d{16}", re.ASCII)
_FP: Final = re.compile(r"\d{1,10}", re.ASCII)
_RECEIPT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_PHONE: Final = re.compile(r"\+?\d[\d ()-]{3,}", re.ASCII)

_MONEY_WANTED: Final = "rubles with at most two decimals"
_SUM_WANTED: Final = "rubles above zero"
_QUANTITY_WANTED: Final = "a quantity above zero with at most six decimals"


# ---- values -------------------------------------------------------------------------------------


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


def _document_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_FD:
        raise PydanticCustomError("number", "a document number is needed")
    return value


E_ = TypeVar("E_", bound=StrEnum | IntEnum)


def _one_of(known: Mapping[str, E_]) -> PlainValidator:
    def choose(value: object) -> E_:
        found = known.get(value) if isinstance(value, str) else None
        if found is None:
            raise PydanticCustomError(
                "name", "not one of the known names", {"known": ", ".join(known)}
            )
        return found

    return PlainValidator(choose)


def _names(kind: type[IntEnum]) -> dict[str, Any]:
    """Members by their lower-case names."""
    return {member.name.lower(): member for member in kind}


def _text(form: re.Pattern[str] | None, limit: int, complaint: str) -> PlainValidator:
    """Text of at most `limit` letters; without a form it must show something."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise PydanticCustomError("text", "not text")
        if len(value) > limit:
            raise PydanticCustomError("too_long", "too long", {"limit": limit})
        if not (form.fullmatch(value) if form else value.strip()):
            raise PydanticCustomError("text", complaint)
        return value

    return PlainValidator(check)


# «work» is what contract 1.2 calls a job, the hyphen how some ОФД spell it.
_SUBJECTS: Final = _names(Subject) | {
    "work": Subject.JOB,
    "non-operating_gain": Subject.NON_OPERATING_GAIN,
}

Money = Annotated[Kopecks, PlainValidator(_money)]
Quantity = Annotated[Decimal, PlainValidator(_quantity)]
ReceiptKey = Annotated[str, _text(_RECEIPT_ID, 36, "not a receipt id")]
Identifier = Annotated[str, _text(None, MAX_ID, "empty")]
Vat = Annotated[VatRate, _one_of({rate.value: rate for rate in VatRate})]
Method = Annotated[PaymentMethod, _one_of({one.value: one for one in PaymentMethod})]


class Body(BaseModel):
    """Closed: a field nobody knows is a mistake of the caller's, not a wish."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# ---- bodies -------------------------------------------------------------------------------------


class Nothing(Body):
    """`{}` or no body at all."""


class CashierBody(Body):
    name: Annotated[str, _text(None, MAX_CASHIER, "empty")]  # tag 1021
    inn: Annotated[str, _text(_INN, 12, "not an INN")] | None = None  # tag 1203

    def to_model(self) -> Cashier:
        return Cashier(self.name, self.inn)


class CustomerBody(Body):
    email: Annotated[str, _text(_EMAIL, MAX_CONTACT, "not an e-mail address")] | None = None
    phone: Annotated[str, _text(_PHONE, MAX_CONTACT, "not a phone number")] | None = None


class ItemBody(Body):
    name: Annotated[str, _text(None, MAX_NAME, "empty")]  # tag 1030
    qty: Quantity
    price: Money
    vat: Vat
    discount: Money = Kopecks(0)
    sku: Identifier | None = None
    mark_code: Annotated[str, _text(None, MAX_MARK, "empty")] | None = None
    subject: Annotated[Subject, _one_of(_SUBJECTS)] = Subject.COMMODITY
    method: Annotated[Settlement, _one_of(_names(Settlement))] = Settlement.FULL_PAYMENT
    measure: Annotated[Measure, _one_of(_names(Measure))] = Measure.PIECE

    def to_model(self) -> Line:
        return Line(
            name=self.name,
            quantity=self.qty,
            price=self.price,
            vat=self.vat,
            discount=self.discount,
            sku=self.sku,
            subject=self.subject,
            settlement=self.method,
            measure=self.measure,
        )


class PaymentBody(Body):
    method: Method
    amount: Money


class OriginalBody(Body):
    """What stands on the paper of the receipt that is taken back."""

    fn: Annotated[str, _text(_FN, 16, "16 digits are needed")]
    fd: Annotated[int, PlainValidator(_document_number)]
    fp: Annotated[str, _text(_FP, 10, "up to 10 digits are needed")]

    def to_model(self) -> DocumentNumbers:
        return DocumentNumbers(self.fn, self.fd, self.fp.lstrip("0") or "0")


class ReceiptBody(Body):
    """POST /v1/kkt/receipt, a sale or a refund.  There is no sum: it is computed."""

    pos_id: Identifier
    type: Annotated[ReceiptType, _one_of({one.value: one for one in ReceiptType})]
    items: Annotated[list[ItemBody], Field(min_length=1, max_length=MAX_LINES), FailFast()]
    payments: Annotated[list[PaymentBody], Field(min_length=1, max_length=MAX_PAYMENTS), FailFast()]
    cashier: CashierBody
    customer: CustomerBody | None = None
    tax_system: Annotated[TaxSystem, _one_of(_names(TaxSystem))] | None = None
    original_receipt_id: ReceiptKey | None = None
    original: OriginalBody | None = None


class ShiftBody(Body):
    """Shift opening, X- and Z-report.  `pos_id` may be left out by a till that serves one."""

    cashier: CashierBody
    pos_id: Identifier | None = None


class CashBody(Body):
    """Cash in and out."""

    amount: Annotated[Kopecks, PlainValidator(_positive_money)]
    reason: Annotated[str, _text(None, MAX_REASON, "empty")]
    cashier: CashierBody | None = None
    pos_id: Identifier | None = None


class DrawerBody(Body):
    """Nothing of it has to be given."""

    cashier: CashierBody | None = None
    pos_id: Identifier | None = None


class SyncBody(Body):
    force: bool = False


class RetryBody(Body):
    resolved_by: Identifier | None = None  # the caller where it is left out


class ResolveBody(Body):
    note: Annotated[str, _text(None, MAX_NOTE, "empty")]
    resolved_by: Identifier | None = None


class MaintenanceBody(Body):
    reason: Annotated[str, _text(None, MAX_NOTE, "empty")]
    estimated_duration_minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES)]


class TokenBody(Body):
    role: Identifier
    name: Identifier


B = TypeVar("B", bound=Body)


def parse(kind: type[B], data: dict[str, Any]) -> B:
    """Raises Invalid or TooLarge with the field's path and the reason."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _as_invalid(first) from error


def receipt_from(data: dict[str, Any], default_tax_system: TaxSystem) -> Receipt:
    """A new receipt; raises Invalid, TooLarge, DocumentTooLong."""
    if data.get("type") == ReceiptType.CORRECTION:
        raise Invalid("not offered yet", field="type")
    body = parse(ReceiptBody, data)
    for index, item in enumerate(body.items):
        if item.mark_code is not None:
            # Without the checks of marking law the item may not be sold at all.
            raise Invalid("not offered yet", field=f"items[{index}].mark_code")
    receipt = Receipt(
        id=new_receipt_id(),
        pos_id=body.pos_id,
        type=body.type,
        lines=tuple(item.to_model() for item in body.items),
        payments=tuple(Payment(one.method, one.amount) for one in body.payments),
        cashier=body.cashier.to_model(),
        tax_system=body.tax_system or default_tax_system,
        customer=Customer(body.customer.email, body.customer.phone) if body.customer else None,
        original=_original_of(body),
    )
    size = estimate_bytes(receipt)
    if size > DOCUMENT_BYTES_MAX:
        raise DocumentTooLong(
            "split the receipt", estimated_bytes=size, limit_bytes=DOCUMENT_BYTES_MAX
        )
    return receipt


def _original_of(body: ReceiptBody) -> Original | None:
    """What a refund takes back, named in one of the two ways; raises Invalid."""
    by_id, by_paper = body.original_receipt_id, body.original
    if body.type is not ReceiptType.REFUND:
        if by_id is None and by_paper is None:
            return None
        field = "original" if by_id is None else "original_receipt_id"
        raise Invalid("only a refund has an original", field=field)
    if by_id is not None and by_paper is not None:
        raise Invalid("one original, not two", field="original")
    if by_id is not None:
        return Original(receipt_id=ReceiptId(by_id.lower()))
    if by_paper is not None:
        return Original(document=by_paper.to_model())
    raise Invalid("a refund names its original", field="original_receipt_id")


_REASONS: Final[Mapping[str, str]] = {
    "missing": "the field is missing",
    "extra_forbidden": "unknown field",
    "too_short": "empty",
    "list_type": "not a list",
    "model_type": "not an object",
    "bool_type": "not true or false",
}
_OURS: Final = frozenset({"number", "name", "text"})


def _as_invalid(error: ErrorDetails) -> Invalid | TooLarge:
    field = path_of(error["loc"])
    context = error.get("ctx", {})
    if error["type"] == "too_long":
        return TooLarge(
            "too long", field=field, limit=context.get("limit", context.get("max_length"))
        )
    reason = error["msg"] if error["type"] in _OURS else _REASONS.get(error["type"], "not accepted")
    known = {"known": context["known"].split(", ")} if "known" in context else {}
    return Invalid(reason, field=field, **known)


def path_of(place: tuple[int | str, ...]) -> str:
    """`("items", 0, "price")` as `items[0].price`."""
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step[:MAX_ID]}" if path else step[:MAX_ID]
    return path
