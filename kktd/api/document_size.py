"""How long a receipt becomes in the FN, before the printer is asked.  Source: [FFD] TLV.

Every tag costs four bytes and its value; sums are as short as their number (VLN).  What the printer
adds of its own (owner, address, counters) is taken at its greatest.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from kktd.model.receipt import Line, Receipt

DOCUMENT_BYTES_MAX: Final = 30 * 1024
_TAG: Final = 4
_MARKED: Final = 3 * _TAG + 38 + 2 * (_TAG + 1)  # 1163 with its part, 2102, 2106
_FIXED: Final = 1_100  # owner, address, place, signs, VAT totals, our mark, the cashier's INN


def estimate_bytes(receipt: Receipt) -> int:
    """Bytes of the document, never too few."""
    contact = receipt.customer.contact if receipt.customer else None
    people = len(receipt.cashier.name) + (_TAG + len(contact) if contact else 0)
    tenders = 6 * (_TAG + 5)
    tenders += _TAG + 16 if receipt.original else 0  # 1192
    return _FIXED + people + tenders + sum(_line_bytes(line) for line in receipt.lines)


def _line_bytes(line: Line) -> int:
    """Tag 1059 with 1030, 1023, 1079, 1043, 1199, 1200, 1212, 1214, 2108 and those of
    marking."""
    small = 4 * (_TAG + 1)
    sums = 3 * _TAG + _vln(line.price) + 2 * _vln(line.total)
    small += _MARKED if line.mark_code is not None else 0
    quantity = _TAG + 1 + _vln(_mantissa(line.quantity))
    return _TAG + _TAG + len(line.name) + quantity + sums + small


def _mantissa(quantity: Decimal) -> int:
    return int(quantity.scaleb(6))


def _vln(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)
