"""Questions as bytes: pure functions of what is asked.

Numbers go least significant byte first, money in kopecks, text in cp1251.  Source: [SHTRIH] 4, 7.1,
7.2.  Each raises ValueError for what its field does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kktd.model.receipt import Basis, PaymentMethod, Settlement, Sign, VatRate
from kktd.printers.shtrih.commands import Command
from kktd.printers.shtrih.tlv import printable

NAME_BYTES_MAX: Final = 128  # [SHTRIH] FF46h
TLV_BYTES_MAX: Final = 250  # [SHTRIH] FF0Ch, FF4Dh: whole TLVs of one command
MARK_BYTES_MAX: Final = 230  # [SHTRIH] FF61h: with head and measure within 255
NOT_GIVEN: Final = 0xFF_FFFF_FFFF  # [SHTRIH] 4: the till reckons it itself
PAYMENT_SLOTS: Final = 16
TAX_SLOTS: Final = 6
DEPARTMENT: Final = 0  # [SHTRIH] FF46h: 0..16; kktd keeps no departments

# 8Dh counts otherwise than FF46h and tag 1054: [SHTRIH] 7.1, mapping note
RECEIPT_KIND: Final = {Sign.SALE: 0, Sign.BUY: 1, Sign.SALE_REFUND: 2, Sign.BUY_REFUND: 3}

CORRECTS: Final = 0x80  # [SHTRIH] 8Dh: the receipt is a correction

# [SHTRIH] 7.2, FF4Ah: places of the VAT sums.  The base rate has one place, 20 % or 22 %.
VAT_PLACES: Final = (
    (VatRate.V20, VatRate.V22),
    (VatRate.V10,),
    (VatRate.V0,),
    (VatRate.NO_VAT,),
    (VatRate.V20_120, VatRate.V22_122),
    (VatRate.V10_110,),
)
VAT_PLACE: Final = {rate: place for place, rates in enumerate(VAT_PLACES) for rate in rates}
VAT_PERCENT: Final = {
    VatRate.V20: 20,
    VatRate.V22: 22,
    VatRate.V10: 10,
    VatRate.V20_120: 20,
    VatRate.V22_122: 22,
    VatRate.V10_110: 10,
}

# [SHTRIH] 7.2: place of each tender among the sixteen
PAYMENT_SLOT: Final = {
    PaymentMethod.CASH: 0,
    PaymentMethod.CARD: 1,
    PaymentMethod.PREPAID: 13,
    PaymentMethod.CREDIT: 14,
    PaymentMethod.OTHER: 15,
}

# [SHTRIH] 7.5: rate byte of FF46h
VAT_BYTE: Final = {
    VatRate.V20: 0x01,
    VatRate.V10: 0x02,
    VatRate.V0: 0x04,
    VatRate.NO_VAT: 0x08,
    VatRate.V20_120: 0x10,
    VatRate.V10_110: 0x20,
    VatRate.V5: 0x81,
    VatRate.V7: 0x82,
    VatRate.V5_105: 0x84,
    VatRate.V7_107: 0x88,
    VatRate.V22: 0xCB,
    VatRate.V22_122: 0xCC,
}
VAT_BYTE_NANO: Final = {**VAT_BYTE, VatRate.V22: 0x90, VatRate.V22_122: 0xA0}
NANO_MODELS: Final = frozenset({152})  # [SHTRIH] FCh: ШТРИХ-НАНО-Ф


@dataclass(frozen=True, slots=True)
class Operation:
    """One line as FF46h takes it; price x quantity is within a kopeck of total."""

    name: str
    quantity_millionths: int
    price_kopecks: int
    total_kopecks: int
    vat: VatRate
    settlement: Settlement
    subject: int  # tag 1212; of marked goods another than the model knows


def unsigned(value: int, size: int) -> bytes:
    """`size` bytes, least significant first."""
    if not 0 <= value < 1 << (8 * size):
        raise ValueError(f"{value} does not fit {size} bytes")
    return value.to_bytes(size, "little")


def question(command: Command, password: int, parameters: bytes = b"") -> bytes:
    """Code, password where the command has one, parameters."""
    head = command.code + (unsigned(password, 4) if command.password else b"")
    return head + parameters


def read_table(table: int, row: int, field: int) -> bytes:
    return unsigned(table, 1) + unsigned(row, 2) + unsigned(field, 1)


def register(number: int) -> bytes:
    """Parameter of 1Ah and 1Bh."""
    return unsigned(number, 1)


def cash(amount_kopecks: int) -> bytes:
    """Parameter of 50h and 51h."""
    return unsigned(amount_kopecks, 5)


def open_receipt(sign: Sign, *, corrects: bool = False) -> bytes:
    return unsigned(RECEIPT_KIND[sign] | (CORRECTS if corrects else 0), 1)


def correction(
    basis: Basis,
    sign: Sign,
    total_kopecks: int,
    applied_kopecks: Mapping[PaymentMethod, int],
    vat_kopecks: Sequence[int],
    tax_system: int,
) -> bytes:
    """Parameters of FF4Ah: tenders in the order of the tags, VAT by `VAT_PLACES`."""
    tenders = (applied_kopecks.get(method, 0) for method in PaymentMethod)
    return b"".join(
        (
            unsigned(basis, 1),
            unsigned(sign, 1),
            unsigned(total_kopecks, 5),
            *(unsigned(kopecks, 5) for kopecks in tenders),
            *(unsigned(kopecks, 5) for kopecks in vat_kopecks),
            unsigned(tax_system, 1),
        )
    )


def operation(sign: Sign, line: Operation, vat_byte: Mapping[VatRate, int]) -> bytes:
    """Parameters of FF46h; the VAT sum is left to the till."""
    return b"".join(
        (
            unsigned(sign, 1),
            unsigned(line.quantity_millionths, 6),
            unsigned(line.price_kopecks, 5),
            unsigned(line.total_kopecks, 5),
            unsigned(NOT_GIVEN, 5),
            unsigned(vat_byte[line.vat], 1),
            unsigned(DEPARTMENT, 1),
            unsigned(line.settlement, 1),
            unsigned(line.subject, 1),
            printable(line.name, "cp1251", NAME_BYTES_MAX),
        )
    )


def mark_code(code: str) -> bytes:
    """Raises ValueError for what no scanner gives."""
    data = code.encode("ascii")  # UnicodeEncodeError is one
    if not 0 < len(data) <= MARK_BYTES_MAX:
        raise ValueError(f"a marking code of {len(data)} bytes")
    return data


def check_mark(planned_status: int, code: bytes, tags: bytes) -> bytes:
    """Parameters of FF61h; mode 0 is the only one there is (tag 2102)."""
    mode = b"\0"
    sizes = unsigned(len(code), 1) + unsigned(len(tags), 1)
    return unsigned(planned_status, 1) + mode + sizes + code + tags


def bind_mark(code: bytes) -> bytes:
    """Parameters of FF67h."""
    return unsigned(len(code), 1) + code


def close_receipt(tendered_kopecks: Mapping[PaymentMethod, int], tax_system: int) -> bytes:
    """Parameters of FF45h: cash as handed over, the till gives the change; taxes are its own.

    `tax_system` is one bit, or 0 where the till is registered for one only.
    """
    sums = [0] * PAYMENT_SLOTS
    for method, kopecks in tendered_kopecks.items():
        sums[PAYMENT_SLOT[method]] += kopecks
    payments = b"".join(unsigned(kopecks, 5) for kopecks in sums)
    rounding = b"\0"
    return payments + rounding + bytes(5 * TAX_SLOTS) + unsigned(tax_system, 1)
