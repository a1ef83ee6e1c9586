"""What the simulated ОФД accepts as a receipt: its own table, written from the API's description.

Source: [OFD-REST] §2 for names and limits, §6 for the shape.  Nothing is shared with the till, so
that a field both would spell wrong cannot hide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

Body = Mapping[str, Any]

OPERATIONS: Final = frozenset({"sell", "sell_refund", "buy", "buy_refund", "correction"})
TAX_SYSTEMS: Final = frozenset({"osn", "usn_income", "usn_income_outcome", "envd", "esn", "patent"})
VAT_NAMES: Final = frozenset(
    {"none", "vat0", "vat5", "vat7", "vat10", "vat20", "vat22"}
    | {"vat105", "vat107", "vat110", "vat120", "vat122"}
)
PAYMENT_TYPES: Final = frozenset(range(5))  # cash, electronic, prepaid, credit, other
SETTLEMENTS: Final = frozenset(
    {"full_prepayment", "prepayment", "advance", "full_payment", "partial_payment"}
    | {"credit", "credit_payment"}
)
SUBJECTS: Final = frozenset(
    {"commodity", "excise", "job", "service", "gambling_bet", "gambling_prize", "lottery"}
    | {"lottery_prize", "intellectual_activity", "payment", "agent_commission", "composite"}
    | {"another", "property_right", "non-operating_gain", "insurance_premium", "sales_tax"}
    | {"resort_fee"}
)
MEASURES: Final = frozenset(
    {0, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 70, 71, 72, 73}
    | {80, 81, 82, 83, 255}
)  # tag 2108
NAME_MAX: Final = 128  # tag 1030

_MONEY: Final = re.compile(r"\d{1,10}\.\d{2}")
_QUANTITY: Final = re.compile(r"\d{1,8}(\.\d{1,6})?")
_KOPECK: Final = Decimal("0.01")


class BadReceipt(ValueError):
    """A body this ОФД will never take."""


def check_receipt(body: object) -> None:
    """Raises BadReceipt with the path of the first field that is wrong."""
    if not isinstance(body, Mapping):
        raise BadReceipt("the body is not an object")
    _text(body, "external_id", 128)
    _instant(body, "timestamp")
    if _field(body, "operation", str) not in OPERATIONS:
        raise BadReceipt(f"operation: {body['operation']!r} is unknown")
    _company(_field(body, "company", Mapping))
    _text(_field(body, "cashier", Mapping), "name", 64)
    _check_fiscal(_field(body, "fiscal", Mapping))
    _check_sums(body)
    _check_refund(body)


def _company(company: Body) -> None:
    if not re.fullmatch(r"\d{10}|\d{12}", _field(company, "inn", str)):
        raise BadReceipt("company.inn: 10 or 12 digits")
    if _field(company, "sno", str) not in TAX_SYSTEMS:
        raise BadReceipt(f"company.sno: {company['sno']!r} is unknown")
    _text(company, "payment_address", 256)


def _check_fiscal(fiscal: Body) -> None:
    """The FN's three numbers; the rest of `fiscal` is carried, not judged."""
    if not re.fullmatch(r"\d{16}", _field(fiscal, "fn", str)):
        raise BadReceipt("fiscal.fn: 16 digits")
    if _field(fiscal, "fd", int) < 1:
        raise BadReceipt("fiscal.fd: a number from 1")
    if not re.fullmatch(r"\d{1,10}", _field(fiscal, "fp", str)):
        raise BadReceipt("fiscal.fp: up to 10 digits, as text")


def _check_refund(body: Body) -> None:
    """A refund says which document it takes back; nothing else does."""
    if body["operation"] != "sell_refund":
        if "refund_of" in body:
            raise BadReceipt(f"refund_of: not with {body['operation']}")
        return
    original = _field(body, "refund_of", Mapping)
    if set(original) != {"fn", "fd", "fp"}:
        raise BadReceipt("refund_of: fn, fd and fp, nothing else")
    _check_fiscal(original)
    if original["fn"] == body["fiscal"]["fn"] and original["fd"] >= body["fiscal"]["fd"]:
        raise BadReceipt("refund_of: not an earlier document")


def _check_sums(body: Body) -> None:
    """Lines, tenders and total must say the same; a correction of FFD 1.05 has no lines."""
    total = _money(body, "total")
    items = body.get("items", [])
    if not isinstance(items, list) or (not items and body["operation"] != "correction"):
        raise BadReceipt("items: at least one line")
    lines = [_line_sum(item, f"items[{index}]") for index, item in enumerate(items)]
    if items and sum(lines) != total:
        raise BadReceipt(f"items: their sums are {sum(lines)}, the total is {total}")
    paid = [_payment_sum(payment) for payment in _field(body, "payments", list)]
    if sum(paid) != total:
        raise BadReceipt(f"payments: their sums are {sum(paid)}, the total is {total}")


def _line_sum(item: object, path: str) -> Decimal:
    if not isinstance(item, Mapping):
        raise BadReceipt(f"{path}: not an object")
    _text(item, "name", NAME_MAX)
    names: tuple[tuple[str, frozenset[Any]], ...] = (
        ("vat", VAT_NAMES),
        ("payment_method", SETTLEMENTS),
        ("payment_object", SUBJECTS),
        ("measure", MEASURES),
    )
    for name, known in names:
        if not _is_one_of(item.get(name), known):
            raise BadReceipt(f"{path}.{name}: {item.get(name)!r} is unknown")
    quantity = _field(item, "quantity", str)
    if not _QUANTITY.fullmatch(quantity) or not Decimal(quantity):
        raise BadReceipt(f"{path}.quantity: {quantity!r}")
    price, total = _money(item, "price"), _money(item, "sum")
    full = (price * Decimal(quantity)).quantize(_KOPECK, rounding=ROUND_HALF_UP)
    if full - (_money(item, "discount") if "discount" in item else 0) != total:
        raise BadReceipt(f"{path}.sum: {price} x {quantity} is {full}, not {total}")
    return total


def _payment_sum(payment: object) -> Decimal:
    if not isinstance(payment, Mapping) or not _is_one_of(payment.get("type"), PAYMENT_TYPES):
        raise BadReceipt(f"payments: {payment!r} has no known type")
    return _money(payment, "sum")


def _is_one_of(value: object, known: frozenset[Any]) -> bool:
    # bool is an int in Python and never a number in a receipt.
    return isinstance(value, str | int) and not isinstance(value, bool) and value in known


def _field(body: Body, name: str, kind: type[Any]) -> Any:
    value = body.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadReceipt(f"{name}: missing or of the wrong type")
    return value


def _text(body: Body, name: str, most: int) -> None:
    if not 1 <= len(_field(body, name, str)) <= most:
        raise BadReceipt(f"{name}: 1 to {most} characters")


def _money(body: Body, name: str) -> Decimal:
    """Rubles as a decimal string: a JSON number would pass through somebody's binary float."""
    text = _field(body, name, str)
    if not _MONEY.fullmatch(text):
        raise BadReceipt(f"{name}: {text!r} is not rubles with two decimals")
    return Decimal(text)


def _instant(body: Body, name: str) -> None:
    try:
        instant = datetime.fromisoformat(_field(body, name, str))
    except ValueError as error:
        raise BadReceipt(f"{name}: {error}") from error
    if instant.tzinfo is None:
        raise BadReceipt(f"{name}: no offset")
