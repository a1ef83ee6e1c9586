"""Receipts to sell in tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from kktd.model.money import Kopecks
from kktd.model.receipt import (
    Basis,
    Cashier,
    Correction,
    DocumentNumbers,
    Line,
    Original,
    Payment,
    PaymentMethod,
    Receipt,
    ReceiptType,
    Sign,
    TaxSystem,
    VatRate,
    new_receipt_id,
)

PAPER: Final = Original(document=DocumentNumbers("9999078900000001", 17, "1060838650"))
OMITTED: Final = Correction(Sign.SALE, Basis.SELF, date(2026, 3, 1))
CASHIER: Final = Cashier("Иванова А. П.", "123456789047")


def a_line(
    kopecks: int = 199_00,
    quantity: str = "1",
    vat: VatRate = VatRate.V20,
    discount: int = 0,
    name: str = "Молоко 3,2 %",
) -> Line:
    return Line(name, Decimal(quantity), Kopecks(kopecks), vat, Kopecks(discount))


MARK_CODE: Final = "0104600000000017215abcdefghijkl\x1d91EE10\x1d92" + "x" * 44


def a_marked_line(kopecks: int = 199_00, code: str = MARK_CODE, **changes: Any) -> Line:
    """One pair of shoes with its code."""
    return replace(a_line(kopecks, name="Ботинки"), mark_code=code, **changes)


def a_marked_receipt(*lines: Line, type: ReceiptType = ReceiptType.SALE) -> Receipt:
    """Of goods that all carry codes; plain lines get one each."""
    codes = (f"{MARK_CODE}{number}" for number in range(len(lines)))
    marked = [
        line if line.mark_code else replace(line, mark_code=code)
        for line, code in zip(lines, codes, strict=True)
    ]
    return a_receipt(*(marked or [a_marked_line()]), type=type)


def a_receipt(
    *lines: Line,
    payments: dict[PaymentMethod, int] | None = None,
    type: ReceiptType = ReceiptType.SALE,
) -> Receipt:
    """Paid by card to the kopeck unless told otherwise; a refund is of an old paper."""
    lines = lines or (a_line(),)
    tenders = payments or {PaymentMethod.CARD: sum(line.total for line in lines)}
    return Receipt(
        id=new_receipt_id(),
        pos_id="POS-001",
        type=type,
        lines=lines,
        payments=tuple(Payment(method, Kopecks(sum_)) for method, sum_ in tenders.items()),
        cashier=CASHIER,
        tax_system=TaxSystem.OSN,
        original=PAPER if type is ReceiptType.REFUND else None,
        correction=OMITTED if type is ReceiptType.CORRECTION else None,
    )


def a_correction(
    *lines: Line,
    payments: dict[PaymentMethod, int] | None = None,
    sign: Sign = Sign.SALE,
    order: str | None = None,
) -> Receipt:
    """Of a settlement of yesterday; of what was paid where there are no lines."""
    tenders = payments or {PaymentMethod.CARD: sum(line.total for line in lines)}
    return Receipt(
        id=new_receipt_id(),
        pos_id="POS-001",
        type=ReceiptType.CORRECTION,
        lines=lines,
        payments=tuple(Payment(method, Kopecks(sum_)) for method, sum_ in tenders.items()),
        cashier=CASHIER,
        tax_system=TaxSystem.OSN,
        correction=Correction(sign, Basis.ORDER if order else Basis.SELF, date(2026, 3, 1), order),
    )


def a_refund(
    original: Original, *lines: Line, payments: dict[PaymentMethod, int] | None = None
) -> Receipt:
    """Money back for `original`, to the card unless told otherwise."""
    refund = a_receipt(*lines, payments=payments, type=ReceiptType.REFUND)
    return replace(refund, original=original)
