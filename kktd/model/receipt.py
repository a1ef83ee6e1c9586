"""A receipt as the till sells it: lines, tenders, people.  Checked when made, never changed after.

Values and their tags: [FFD] enumerations; the names are those of [OFD-REST] 2.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final, NewType

from kktd.errors import Invalid
from kktd.model.money import (
    MAX_KOPECKS,
    MAX_QUANTITY,
    NO_KOPECKS,
    QUANTITY_DECIMALS,
    Kopecks,
    has_decimals,
    line_sum,
)

ReceiptId = NewType("ReceiptId", str)  # a UUID as text

MAX_LINES: Final = 1_000
MAX_NAME: Final = 128  # tag 1030
MAX_CONTACT: Final = 64  # tag 1008
MAX_CASHIER: Final = 64  # tag 1021
MAX_MARKS: Final = 128  # [SHTRIH] 7.4: codes the FN checks for one receipt


def new_receipt_id() -> ReceiptId:
    return ReceiptId(str(uuid.uuid4()))


class ReceiptType(StrEnum):
    SALE = "sale"
    REFUND = "refund"
    CORRECTION = "correction"


class Sign(IntEnum):
    """Tag 1054, признак расчёта."""

    SALE = 1
    SALE_REFUND = 2
    BUY = 3
    BUY_REFUND = 4


class VatRate(StrEnum):
    """Rates by their API names; `TAG_1199` has the code of the document."""

    V20 = "20%"
    V10 = "10%"
    V20_120 = "20/120"
    V10_110 = "10/110"
    V0 = "0%"
    NO_VAT = "no_vat"
    V5 = "5%"
    V7 = "7%"
    V5_105 = "5/105"
    V7_107 = "7/107"
    V22 = "22%"
    V22_122 = "22/122"


TAG_1199: Final = {rate: code for code, rate in enumerate(VatRate, start=1)}


class PaymentMethod(StrEnum):
    """How money came.  Tags: cash 1031, card 1081, prepaid 1215, credit 1216, other 1217."""

    CASH = "cash"
    CARD = "card"
    PREPAID = "prepaid"
    CREDIT = "credit"
    OTHER = "other"


class Subject(IntEnum):
    """Tag 1212, what is sold."""

    COMMODITY = 1
    EXCISE = 2
    JOB = 3
    SERVICE = 4
    GAMBLING_BET = 5
    GAMBLING_PRIZE = 6
    LOTTERY = 7
    LOTTERY_PRIZE = 8
    INTELLECTUAL_ACTIVITY = 9
    PAYMENT = 10
    AGENT_COMMISSION = 11
    COMPOSITE = 12
    ANOTHER = 13
    PROPERTY_RIGHT = 14
    NON_OPERATING_GAIN = 15
    INSURANCE_PREMIUM = 16
    SALES_TAX = 17
    RESORT_FEE = 18


MARKABLE: Final = frozenset({Subject.COMMODITY, Subject.EXCISE})


class Settlement(IntEnum):
    """Tag 1214, how far the line is paid; `method` of the API."""

    FULL_PREPAYMENT = 1
    PREPAYMENT = 2
    ADVANCE = 3
    FULL_PAYMENT = 4
    PARTIAL_PAYMENT = 5
    CREDIT = 6
    CREDIT_PAYMENT = 7


class Measure(IntEnum):
    """Tag 2108."""

    PIECE = 0
    GRAM = 10
    KILOGRAM = 11
    TONNE = 12
    CENTIMETRE = 20
    DECIMETRE = 21
    METRE = 22
    SQUARE_CENTIMETRE = 30
    SQUARE_DECIMETRE = 31
    SQUARE_METRE = 32
    MILLILITRE = 40
    LITRE = 41
    CUBIC_METRE = 42
    KILOWATT_HOUR = 50
    GIGACALORIE = 51
    DAY = 70
    HOUR = 71
    MINUTE = 72
    SECOND = 73
    KILOBYTE = 80
    MEGABYTE = 81
    GIGABYTE = 82
    TERABYTE = 83
    OTHER = 255


class TaxSystem(IntEnum):
    """Tag 1055: exactly one bit."""

    OSN = 1
    USN_INCOME = 2
    USN_INCOME_OUTCOME = 4
    ESN = 16
    PATENT = 32


@dataclass(frozen=True, slots=True)
class Line:
    """One position.  `total` is what the FN gets: price x quantity - discount, in kopecks."""

    name: str
    quantity: Decimal
    price: Kopecks
    vat: VatRate
    discount: Kopecks = NO_KOPECKS
    sku: str | None = None
    subject: Subject = Subject.COMMODITY
    settlement: Settlement = Settlement.FULL_PAYMENT
    measure: Measure = Measure.PIECE
    mark_code: str | None = None  # as scanned: ASCII, groups apart by 1Dh

    @property
    def total(self) -> Kopecks:
        return line_sum(self.price, self.quantity, self.discount)


@dataclass(frozen=True, slots=True)
class Payment:
    """One tender as handed over; change is taken off the cash ones."""

    method: PaymentMethod
    amount: Kopecks


@dataclass(frozen=True, slots=True)
class Cashier:
    """Tags 1021 and 1203."""

    name: str
    inn: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """Tag 1008: one contact goes to the document, the e-mail first."""

    email: str | None = None
    phone: str | None = None

    @property
    def contact(self) -> str | None:
        return self.email or self.phone


@dataclass(frozen=True, slots=True)
class DocumentNumbers:
    """How the FN knows one document; they stand on its paper."""

    fn: str  # 16 digits
    fd: int
    fp: str  # up to 10 digits, no leading zeros


@dataclass(frozen=True, slots=True)
class Original:
    """What a refund takes back: by our id or by its paper; accepted, it always has its numbers.

    `receipt_id` stays None where this till never had the receipt.
    """

    receipt_id: ReceiptId | None = None
    document: DocumentNumbers | None = None


class Basis(IntEnum):
    """Tag 1173, why a settlement is corrected."""

    SELF = 0
    ORDER = 1  # of the tax office


@dataclass(frozen=True, slots=True)
class Correction:
    """Tags 1054, 1173, 1174: a settlement of `date` that no till registered, or a wrong one."""

    sign: Sign
    basis: Basis
    date: date  # of that settlement
    number: str | None = None  # of the tax office's order


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the customer agreed to.  Raises Invalid if the sums do not fit one another."""

    id: ReceiptId
    pos_id: str
    type: ReceiptType
    lines: tuple[Line, ...]
    payments: tuple[Payment, ...]
    cashier: Cashier
    tax_system: TaxSystem | None = None
    customer: Customer | None = None
    original: Original | None = None  # of a refund
    correction: Correction | None = None  # what it corrects; without lines its sum is what was paid

    def __post_init__(self) -> None:
        if (self.correction is not None) != (self.type is ReceiptType.CORRECTION):
            raise Invalid("a correction, and nothing else, says what it corrects", field="type")
        if not self.lines and self.correction is not None and self.total > 0:
            pass  # FFD 1.05 knows only its sums
        elif not 1 <= len(self.lines) <= MAX_LINES:
            raise Invalid(f"not 1 to {MAX_LINES} lines", field="items")
        for index, line in enumerate(self.lines):
            _check_line(line, f"items[{index}]")
        _check_marks(self.lines)
        if self.total > MAX_KOPECKS:
            raise Invalid("the receipt is too dear", field="items")
        for index, payment in enumerate(self.payments):
            if not 0 <= payment.amount <= MAX_KOPECKS:
                raise Invalid("the amount is out of range", field=f"payments[{index}].amount")
        if self.change < 0:
            raise Invalid("paid less than the total", field="payments", total_kopecks=self.total)
        if self.change > self.tendered(PaymentMethod.CASH):
            raise Invalid("change is given from cash only", field="payments")
        if self.change and self.type is not ReceiptType.SALE:
            raise Invalid("only a sale gives change", field="payments", total_kopecks=self.total)

    @property
    def sign(self) -> Sign:
        if self.correction is not None:
            return self.correction.sign
        return Sign.SALE_REFUND if self.type is ReceiptType.REFUND else Sign.SALE

    @property
    def gives_back(self) -> bool:
        """Whether money goes out of the drawer."""
        return self.sign in (Sign.SALE_REFUND, Sign.BUY)

    @property
    def total(self) -> Kopecks:
        sums: Iterable[int] = (line.total for line in self.lines)
        if self.correction is not None and not self.lines:
            sums = (payment.amount for payment in self.payments)
        return Kopecks(sum(sums))

    @property
    def change(self) -> Kopecks:
        """Cash handed back."""
        return Kopecks(sum(payment.amount for payment in self.payments) - self.total)

    def tendered(self, method: PaymentMethod) -> Kopecks:
        """Handed over by one method, change included."""
        return Kopecks(sum(p.amount for p in self.payments if p.method is method))

    def applied(self, method: PaymentMethod) -> Kopecks:
        """What the FN books: handed over less change ([FFD] arithmetic 3)."""
        given = self.tendered(method)
        return Kopecks(given - self.change) if method is PaymentMethod.CASH else given


def _check_line(line: Line, field: str) -> None:
    """Raises Invalid.  Quantity first: the sum of an absurd one cannot even be computed."""
    if not line.quantity.is_finite() or not 0 < line.quantity <= MAX_QUANTITY:
        raise Invalid("the quantity is out of range", field=f"{field}.qty")
    if not has_decimals(line.quantity, QUANTITY_DECIMALS):
        raise Invalid(f"more than {QUANTITY_DECIMALS} decimals", field=f"{field}.qty")
    if not 0 <= line.price <= MAX_KOPECKS:
        raise Invalid("the price is out of range", field=f"{field}.price")
    if not 0 <= line.discount <= MAX_KOPECKS:
        raise Invalid("the discount is out of range", field=f"{field}.discount")
    if line.total < 0:
        raise Invalid("the discount exceeds the line", field=f"{field}.discount")
    if line.total > MAX_KOPECKS:
        raise Invalid("the line is too dear", field=field)


def _check_marks(lines: Iterable[Line]) -> None:
    """Raises Invalid: each code is one thing, sold once and whole, or by its measure."""
    seen: set[str] = set()
    for index, line in enumerate(lines):
        if line.mark_code is None:
            continue
        if line.measure is Measure.PIECE and line.quantity != 1:
            raise Invalid("a marking code is of one piece", field=f"items[{index}].qty")
        if line.subject not in MARKABLE:
            raise Invalid("only goods are marked", field=f"items[{index}].subject")
        if line.mark_code in seen:
            raise Invalid("the same code twice", field=f"items[{index}].mark_code")
        seen.add(line.mark_code)
    if len(seen) > MAX_MARKS:
        raise Invalid(f"more than {MAX_MARKS} marking codes", field="items")
