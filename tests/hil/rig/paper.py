"""What the registrar prints.  Sources: [FFD] 3, 7 (QR); the layout is nobody's law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rig.documents import Payment, tax_totals
from rig.fn import CORRECTION, RECEIPT, SETTLEMENTS, SHIFT_CLOSE, SHIFT_OPEN, Document
from rig.shtrih_settings import FISCAL, TAXES, Settings
from rig.shtrih_tables import SIGN_NAMES, SIGN_OF_TYPE
from rig.till_state import Receipt

COPY: Final = "КОПИЯ"
CANCELLED: Final = "ЧЕК АННУЛИРОВАН"
TITLES: Final = {
    RECEIPT: "КАССОВЫЙ ЧЕК",
    CORRECTION: "КАССОВЫЙ ЧЕК КОРРЕКЦИИ",
    SHIFT_OPEN: "ОТЧЕТ ОБ ОТКРЫТИИ СМЕНЫ",
    SHIFT_CLOSE: "ОТЧЕТ О ЗАКРЫТИИ СМЕНЫ",
    SETTLEMENTS: "ОТЧЕТ О ТЕКУЩЕМ СОСТОЯНИИ РАСЧЕТОВ",
}


def rubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"


def quantity(millionths: int) -> str:
    whole, rest = divmod(millionths, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def qr(document: Document, fn_number: str) -> str:
    """Six fields in the order of the law ([FFD] 7)."""
    return (
        f"t={document.made_at:%Y%m%dT%H%M}&s={rubles(document.number(1020) or 0)}"
        f"&fn={fn_number}&i={document.fd}&fp={document.fp}&n={document.number(1054)}"
    )


def receipt(
    settings: Settings, closed: Receipt, paid: Payment, document: Document, fn_number: str
) -> list[str]:
    lines = [*_head(settings, document), SIGN_NAMES[SIGN_OF_TYPE[closed.kind]]]
    for line in closed.items:
        if line.printed:
            lines.append(line.name)
        lines.append(
            f"{quantity(line.quantity_millionths)} x {rubles(line.price_kopecks)}"
            f" = {rubles(line.sum_kopecks)}"
        )
    lines.append(f"ИТОГ = {rubles(paid.total)}")
    kinds = (
        ("НАЛИЧНЫМИ", paid.cash + paid.change),
        ("БЕЗНАЛИЧНЫМИ", paid.cashless),
        ("ПРЕДВАРИТЕЛЬНАЯ ОПЛАТА", paid.advance),
        ("ПОСЛЕДУЮЩАЯ ОПЛАТА", paid.credit),
        ("ИНАЯ ФОРМА ОПЛАТЫ", paid.provision),
        ("СДАЧА", paid.change),
    )
    lines += [f"{name} = {rubles(value)}" for name, value in kinds if value]
    for row, total in tax_totals(closed.items).items():
        lines.append(f"{settings.text(TAXES, row, 2)} = {rubles(total)}")
    for tag in closed.tags:
        if tag.tag == 1008:
            lines.append(f"ЭЛ.АДР.ПОКУПАТЕЛЯ {tag.text()}")
    return [*lines, *_foot(settings, document, fn_number), qr(document, fn_number)]


def report(settings: Settings, document: Document, fn_number: str) -> list[str]:
    """Shift opening and closing reports."""
    return [*_head(settings, document), *_foot(settings, document, fn_number)]


def copy(lines: Sequence[str]) -> list[str]:
    return [COPY, *lines]


def _head(settings: Settings, document: Document) -> list[str]:
    lines = [
        settings.text(FISCAL, 1, 7),
        TITLES.get(document.form, f"ДОКУМЕНТ {document.form}"),
        f"{document.made_at:%d.%m.%y %H:%M}",
        f"СМЕНА {document.shift}",
    ]
    if document.receipt_no:
        lines.append(f"ЧЕК {document.receipt_no}")
    return lines


def _foot(settings: Settings, document: Document, fn_number: str) -> list[str]:
    return [
        f"ИНН {settings.text(FISCAL, 1, 2).strip()}",
        f"РН ККТ {settings.text(FISCAL, 1, 3).strip()}",
        f"ФН {fn_number}",
        f"ФД {document.fd}",
        f"ФП {document.fp:010d}",
    ]
