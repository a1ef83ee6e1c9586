"""What happened at the till, told to Odoo: receipts whole, with tenders and fiscal numbers."""

from __future__ import annotations

from typing import Any

from kktd.model.money import rubles
from kktd.model.receipt import PaymentMethod, Receipt
from kktd.store import receipts
from kktd.store.connection import Db
from kktd.store.odoo import Untold
from kktd.store.receipts import StoredReceipt


def tell(db: Db, one: Untold) -> dict[str, Any]:
    """One event as it travels.  `hlc` is the receipt's; an event without one has its instant."""
    data = dict(one.facts)
    hlc = {"local_time": one.timestamp_ms // 1000, "logical_counter": 0}
    if one.receipt_id is not None:  # retention keeps what Odoo has not
        stored = receipts.find(db, one.receipt_id)
        hlc = stored.hlc.as_json()
        data |= _receipt(stored)
        if stored.trace is not None:
            data["traceparent"] = stored.trace.as_header()
    told: dict[str, Any] = {"seq": one.seq, "type": one.type, "hlc": hlc, "data": data}
    if one.receipt_id is not None:
        told["receipt_id"] = one.receipt_id
    return told


def _receipt(stored: StoredReceipt) -> dict[str, Any]:
    receipt = stored.receipt
    return {
        "pos_id": receipt.pos_id,
        "type": receipt.type,
        "items": [
            {
                "sku": line.sku,
                "name": line.name,
                "qty": f"{line.quantity:f}",
                "price": rubles(line.price),
                "discount": rubles(line.discount),
                "sum": rubles(line.total),
                "vat": line.vat,
            }
            for line in receipt.lines
        ],
        "payments": _payments(receipt),
        "total": rubles(receipt.total),
        "cashier": receipt.cashier.name,
        "print_state": stored.state,
        "status": stored.delivery,
        "fiscal_doc": stored.document.as_json() if stored.document else None,
        "original": _original(receipt),
    }


def _payments(receipt: Receipt) -> list[dict[str, str]]:
    """What was booked: change is taken off cash."""
    return [
        {"method": method, "amount": rubles(receipt.applied(method))}
        for method in PaymentMethod
        if receipt.applied(method)
    ]


def _original(receipt: Receipt) -> dict[str, Any] | None:
    original = receipt.original
    if original is None:
        return None
    numbers = original.document
    document = {"fn": numbers.fn, "fd": numbers.fd, "fp": numbers.fp} if numbers else {}
    return {"receipt_id": original.receipt_id, **document}
