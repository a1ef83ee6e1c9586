"""A registered receipt as the ОФД's REST API takes it.  Source: [OFD-REST] §2, §6.

The body depends on receipt, document and the till's settings alone, so that a repeat under the same
key carries the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from kktd.model.fiscal import FiscalDocument
from kktd.model.money import rubles
from kktd.model.receipt import (
    Basis,
    Line,
    PaymentMethod,
    Receipt,
    ReceiptType,
    Sign,
    Subject,
    TaxSystem,
    VatRate,
)

OPERATIONS: Final[Mapping[ReceiptType, str]] = {
    ReceiptType.SALE: "sell",
    ReceiptType.REFUND: "sell_refund",
    ReceiptType.CORRECTION: "correction",
}
VATS: Final[Mapping[VatRate, str]] = {
    VatRate.V20: "vat20",
    VatRate.V10: "vat10",
    VatRate.V20_120: "vat120",
    VatRate.V10_110: "vat110",
    VatRate.V0: "vat0",
    VatRate.NO_VAT: "none",
    VatRate.V5: "vat5",
    VatRate.V7: "vat7",
    VatRate.V5_105: "vat105",
    VatRate.V7_107: "vat107",
    VatRate.V22: "vat22",
    VatRate.V22_122: "vat122",
}
PAYMENT_TYPES: Final[Mapping[PaymentMethod, int]] = {
    PaymentMethod.CASH: 0,
    PaymentMethod.CARD: 1,
    PaymentMethod.PREPAID: 2,
    PaymentMethod.CREDIT: 3,
    PaymentMethod.OTHER: 4,
}


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells and where: tags 1018, 1187, and 1055 when a receipt names no tax system."""

    inn: str
    payment_address: str
    tax_system: TaxSystem
    zone: ZoneInfo


def dump_body(receipt: Receipt, document: FiscalDocument, seller: Seller) -> bytes:
    """The JSON of one POST; money as decimal strings, times with the shop's offset."""
    issued_at = document.issued_at.replace(tzinfo=seller.zone).isoformat(timespec="seconds")
    body: dict[str, object] = {
        "external_id": receipt.id,
        "timestamp": issued_at,
        "operation": OPERATIONS[receipt.type],
        "company": {
            "inn": seller.inn,
            "sno": (receipt.tax_system or seller.tax_system).name.lower(),
            "payment_address": seller.payment_address,
        },
        "cashier": _without_none(name=receipt.cashier.name, inn=receipt.cashier.inn),
        "items": [_item(line) for line in receipt.lines],
        "payments": [
            {"type": kind, "sum": rubles(paid)}
            for method, kind in PAYMENT_TYPES.items()
            if (paid := receipt.applied(method))
        ],
        "total": rubles(receipt.total),
        "fiscal": {
            "fn": document.fn,
            "fd": document.fd,
            "fp": document.fp,
            "shift": document.shift,
            "receipt_no": document.receipt_no,
            "datetime": issued_at,
            "qr": document.qr,
        },
    }
    if receipt.customer and receipt.customer.contact:
        body["client"] = _without_none(email=receipt.customer.email, phone=receipt.customer.phone)
    if receipt.original and receipt.original.document:
        numbers = receipt.original.document
        body["refund_of"] = {"fn": numbers.fn, "fd": numbers.fd, "fp": numbers.fp}
    if receipt.correction:
        corrects = receipt.correction
        body["correction"] = {
            "sign": "sale" if corrects.sign is Sign.SALE else "refund",
            "type": "self" if corrects.basis is Basis.SELF else "instruction",
            "base_date": corrects.date.isoformat(),
            **_without_none(base_number=corrects.number),
        }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _item(line: Line) -> dict[str, object]:
    item: dict[str, object] = {
        "name": line.name,
        "price": rubles(line.price),
        "quantity": f"{line.quantity:f}",
        "sum": rubles(line.total),
        "measure": line.measure.value,
        "payment_method": line.settlement.name.lower(),
        "payment_object": _subject(line.subject),
        "vat": VATS[line.vat],
    }
    if line.discount:
        item["discount"] = rubles(line.discount)
    if line.mark_code is not None:
        item["mark_code"] = line.mark_code
    return item


def _subject(subject: Subject) -> str:
    # The one name of the list that has a hyphen ([OFD-REST] §2).
    return subject.name.lower().replace("non_operating", "non-operating")


def _without_none(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
