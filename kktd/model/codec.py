"""Receipts and documents as JSON text for the store and the channels: kopecks, exact quantities."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kktd.model.fiscal import FiscalDocument
from kktd.model.marking import MarkCheck
from kktd.model.money import Kopecks
from kktd.model.receipt import (
    Basis,
    Cashier,
    Correction,
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
    Sign,
    Subject,
    TaxSystem,
    VatRate,
)


def dump_receipt(receipt: Receipt) -> str:
    """Everything but the id, which is the row's."""
    return json.dumps(
        {
            "pos_id": receipt.pos_id,
            "type": receipt.type,
            "lines": [
                {
                    "name": line.name,
                    "quantity": str(line.quantity),
                    "price": line.price,
                    "vat": line.vat,
                    "discount": line.discount,
                    "sku": line.sku,
                    "subject": line.subject,
                    "settlement": line.settlement,
                    "measure": line.measure,
                    "mark_code": line.mark_code,
                }
                for line in receipt.lines
            ],
            "payments": [{"method": p.method, "amount": p.amount} for p in receipt.payments],
            "cashier": {"name": receipt.cashier.name, "inn": receipt.cashier.inn},
            "tax_system": receipt.tax_system,
            "customer": receipt.customer
            and {"email": receipt.customer.email, "phone": receipt.customer.phone},
            **_original_as_json(receipt.original),
            **_correction_as_json(receipt.correction),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def load_receipt(receipt_id: ReceiptId, text: str) -> Receipt:
    """The inverse of dump_receipt."""
    data: dict[str, Any] = json.loads(text)
    customer = data["customer"]
    return Receipt(
        id=receipt_id,
        pos_id=data["pos_id"],
        type=ReceiptType(data["type"]),
        lines=tuple(
            Line(
                name=line["name"],
                quantity=Decimal(line["quantity"]),
                price=Kopecks(line["price"]),
                vat=VatRate(line["vat"]),
                discount=Kopecks(line["discount"]),
                sku=line["sku"],
                subject=Subject(line["subject"]),
                settlement=Settlement(line["settlement"]),
                measure=Measure(line["measure"]),
                mark_code=line.get("mark_code"),
            )
            for line in data["lines"]
        ),
        payments=tuple(
            Payment(PaymentMethod(p["method"]), Kopecks(p["amount"])) for p in data["payments"]
        ),
        cashier=Cashier(**data["cashier"]),
        tax_system=TaxSystem(data["tax_system"]) if data["tax_system"] else None,
        customer=Customer(**customer) if customer else None,
        original=_load_original(data.get("original")),
        correction=_load_correction(data.get("correction")),
    )


def _original_as_json(original: Original | None) -> dict[str, dict[str, object]]:
    """Flat, so that SQL finds the refunds of one document; nothing for a sale."""
    if original is None:
        return {}
    document = original.document
    numbers = {"fn": document.fn, "fd": document.fd, "fp": document.fp} if document else {}
    return {"original": {"receipt_id": original.receipt_id, **numbers}}


def _load_original(data: dict[str, Any] | None) -> Original | None:
    if data is None:
        return None
    has_numbers = "fn" in data
    document = DocumentNumbers(data["fn"], data["fd"], data["fp"]) if has_numbers else None
    return Original(data["receipt_id"], document)


def _correction_as_json(correction: Correction | None) -> dict[str, dict[str, object]]:
    if correction is None:
        return {}
    return {
        "correction": {
            "sign": correction.sign,
            "basis": correction.basis,
            "date": correction.date.isoformat(),
            "number": correction.number,
        }
    }


def _load_correction(data: dict[str, Any] | None) -> Correction | None:
    if data is None:
        return None
    return Correction(
        Sign(data["sign"]),
        Basis(data["basis"]),
        date.fromisoformat(data["date"]),
        data["number"],
    )


def dump_document(document: FiscalDocument) -> str:
    return json.dumps(
        {
            "fn": document.fn,
            "fd": document.fd,
            "fp": document.fp,
            "shift": document.shift,
            "receipt_no": document.receipt_no,
            "issued_at": document.issued_at.isoformat(timespec="minutes"),
            "sign": document.sign,
            "total": document.total,
            **({"marks": [[m.line, m.result] for m in document.marks]} if document.marks else {}),
        },
        separators=(",", ":"),
    )


def load_document(text: str) -> FiscalDocument:
    """The inverse of dump_document."""
    data: dict[str, Any] = json.loads(text)
    return FiscalDocument(
        fn=data["fn"],
        fd=data["fd"],
        fp=data["fp"],
        shift=data["shift"],
        receipt_no=data["receipt_no"],
        issued_at=datetime.fromisoformat(data["issued_at"]),
        sign=Sign(data["sign"]),
        total=Kopecks(data["total"]),
        marks=tuple(MarkCheck(line, result) for line, result in data.get("marks", ())),
    )
