"""Request bodies: strict, closed, every bound an FFD tag's; a wrong one names its field.

Names are the API's (docs/api.md); what comes out is the model's.  Tags: [FFD].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from pydantic_core import ErrorDetails

from kktd.api.document_size import DOCUMENT_BYTES_MAX, estimate_bytes
from kktd.api.values import (
    CODE,
    EMAIL,
    FN,
    FP,
    INN,
    MAX_ID,
    MAX_MINUTES,
    MAX_NOTE,
    MAX_ORDER,
    MAX_PAYMENTS,
    MAX_REASON,
    PHONE,
    SUBJECTS,
    Day,
    DocumentNumber,
    Identifier,
    MarkCode,
    Method,
    Money,
    Quantity,
    ReceiptKey,
    Sum,
    Vat,
    names,
    one_of,
    text,
)
from kktd.errors import DocumentTooLong, Invalid, TooLarge
from kktd.model.money import Kopecks
from kktd.model.receipt import (
    MAX_CASHIER,
    MAX_CONTACT,
    MAX_LINES,
    MAX_NAME,
    Basis,
    Cashier,
    Correction,
    Customer,
    DocumentNumbers,
    Line,
    Measure,
    Original,
    Payment,
    Receipt,
    ReceiptId,
    ReceiptType,
    Settlement,
    Sign,
    Subject,
    TaxSystem,
    new_receipt_id,
)
from kktd.store.tokens import Role


class Body(BaseModel):
    """Closed: a field nobody knows is a mistake of the caller's, not a wish."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# ---- bodies -------------------------------------------------------------------------------------


class Nothing(Body):
    """`{}` or no body at all."""


class CashierBody(Body):
    name: Annotated[str, text(None, MAX_CASHIER, "empty")]  # tag 1021
    inn: Annotated[str, text(INN, 12, "not an INN")] | None = None  # tag 1203

    def to_model(self) -> Cashier:
        return Cashier(self.name, self.inn)


class CustomerBody(Body):
    email: Annotated[str, text(EMAIL, MAX_CONTACT, "not an e-mail address")] | None = None
    phone: Annotated[str, text(PHONE, MAX_CONTACT, "not a phone number")] | None = None


class ItemBody(Body):
    name: Annotated[str, text(None, MAX_NAME, "empty")]  # tag 1030
    qty: Quantity
    price: Money
    vat: Vat
    discount: Money = Kopecks(0)
    sku: Identifier | None = None
    mark_code: MarkCode | None = None
    subject: Annotated[Subject, one_of(SUBJECTS)] = Subject.COMMODITY
    method: Annotated[Settlement, one_of(names(Settlement))] = Settlement.FULL_PAYMENT
    measure: Annotated[Measure, one_of(names(Measure))] = Measure.PIECE

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
            mark_code=self.mark_code,
        )


class PaymentBody(Body):
    method: Method
    amount: Money


class OriginalBody(Body):
    """What stands on the paper of the receipt that is taken back."""

    fn: Annotated[str, text(FN, 16, "16 digits are needed")]
    fd: DocumentNumber
    fp: Annotated[str, text(FP, 10, "up to 10 digits are needed")]

    def to_model(self) -> DocumentNumbers:
        return DocumentNumbers(self.fn, self.fd, self.fp.lstrip("0") or "0")


class CorrectionBody(Body):
    """What is corrected: tags 1054, 1173, 1178, 1179."""

    sign: Annotated[Sign, one_of({"sale": Sign.SALE, "refund": Sign.SALE_REFUND})]
    basis: Annotated[Basis, one_of(names(Basis))]
    date: Day
    number: Annotated[str, text(None, MAX_ORDER, "empty")] | None = None

    def to_model(self) -> Correction:
        return Correction(self.sign, self.basis, self.date, self.number)


class ReceiptBody(Body):
    """POST /v1/kkt/receipt.  There is no sum: it is computed, for a correction without items from
    what was paid."""

    pos_id: Identifier
    type: Annotated[ReceiptType, one_of({one.value: one for one in ReceiptType})]
    items: Annotated[list[ItemBody], Field(max_length=MAX_LINES), FailFast()] = []
    payments: Annotated[list[PaymentBody], Field(min_length=1, max_length=MAX_PAYMENTS), FailFast()]
    cashier: CashierBody
    customer: CustomerBody | None = None
    tax_system: Annotated[TaxSystem, one_of(names(TaxSystem))] | None = None
    original_receipt_id: ReceiptKey | None = None
    original: OriginalBody | None = None
    correction: CorrectionBody | None = None


class ShiftBody(Body):
    """Shift opening, X- and Z-report.  `pos_id` may be left out by a till that serves one."""

    cashier: CashierBody
    pos_id: Identifier | None = None


class CashBody(Body):
    """Cash in and out."""

    amount: Sum
    reason: Annotated[str, text(None, MAX_REASON, "empty")]
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
    note: Annotated[str, text(None, MAX_NOTE, "empty")]
    resolved_by: Identifier | None = None


class MaintenanceBody(Body):
    reason: Annotated[str, text(None, MAX_NOTE, "empty")]
    estimated_duration_minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES)]


class TokenBody(Body):
    """A token, or the code that a front end pairs with."""

    role: Annotated[Role, one_of({role.value: role for role in Role})]
    name: Identifier


class CodeBody(Body):
    """The code as it stands on the screen, with a gap in the middle or without."""

    code: Annotated[str, text(CODE, 9, "8 digits are needed")]


B = TypeVar("B", bound=Body)


def parse(kind: type[B], data: dict[str, Any]) -> B:
    """Raises Invalid or TooLarge with the field's path and the reason."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _as_invalid(first) from error


def receipt_from(data: dict[str, Any], default_tax_system: TaxSystem, ffd: str = "1.05") -> Receipt:
    """A new receipt; raises Invalid, TooLarge, DocumentTooLong."""
    body = parse(ReceiptBody, data)
    _check_correction(body, ffd)
    for index, item in enumerate(body.items):
        if item.mark_code is not None and ffd == "1.05":
            # Without the checks of marking law the item may not be sold at all.
            raise Invalid("FFD 1.05 sells no marked goods", field=f"items[{index}].mark_code")
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
        correction=body.correction.to_model() if body.correction else None,
    )
    size = estimate_bytes(receipt)
    if size > DOCUMENT_BYTES_MAX:
        raise DocumentTooLong(
            "split the receipt", estimated_bytes=size, limit_bytes=DOCUMENT_BYTES_MAX
        )
    return receipt


def _check_correction(body: ReceiptBody, ffd: str) -> None:
    """Raises Invalid for what this format of documents cannot say ([FFD] 3.6, 10)."""
    correction = body.correction
    if (correction is None) == (body.type is ReceiptType.CORRECTION):
        wanted = "a correction says what it corrects" if correction is None else "not a correction"
        raise Invalid(wanted, field="correction")
    if not body.items and (correction is None or ffd != "1.05"):
        raise Invalid("empty", field="items")
    if correction is None:
        return
    if correction.sign is Sign.SALE_REFUND and ffd == "1.05":
        raise Invalid("FFD 1.05 undoes a sale by a refund", field="correction.sign")
    if (correction.number is None) != (correction.basis is Basis.SELF):
        raise Invalid("an order of the tax office has a number", field="correction.number")


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
