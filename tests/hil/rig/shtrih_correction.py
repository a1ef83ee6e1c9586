"""Corrections and the state of settlements made by the older FN commands.

Source: [SHTRIH] 7 (FF35h to FF38h), 7.2 (FF4Ah); [FFD] 3.6, 10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import documents, paper, tlv
from rig.documents import Payment
from rig.fn import CORRECTION, SETTLEMENTS, Document, FnRefused
from rig.shtrih_receipt import CORRECTION_TAGS, MISSING_TAGS, chosen_tax_system, extended
from rig.shtrih_requests import Request, le
from rig.shtrih_shift import count_document
from rig.shtrih_tables import TYPE_OF_SIGN
from rig.till import Refused, Till
from rig.till_state import Receipt
from rig.tlv import Tlv

Handler = Callable[[Till, Request], bytes]

FFD_1_05: Final = 2  # from here on a correction states its basis
OLD_SIGNS: Final = (1, 3)  # of FF36: приход, расход
TAX_TAGS: Final = (1102, 1103, 1104, 1105, 1106, 1107)  # in the order of FF4A


def begin_correction(till: Till, _request: Request) -> bytes:
    """FF35h: tags may follow by FF0C."""
    till.fn.begin(CORRECTION)
    return b""


def correction_old(till: Till, request: Request) -> bytes:
    """FF36h: total and sign alone; the money counts as cash."""
    total, sign = request.number(6, 5), request.number(11, 1)
    if sign not in OLD_SIGNS:
        raise Refused(0x33)
    return _correct(till, request, sign, [total, 0, 0, 0, 0], total, [])


def correction(till: Till, request: Request) -> bytes:
    """FF4Ah: with tenders, taxes and tax system."""
    kind, sign, total = request.number(6, 1), request.number(7, 1), request.number(8, 5)
    tenders = [request.number(13 + 5 * index, 5) for index in range(5)]
    taxes = [request.number(38 + 5 * index, 5) for index in range(len(TAX_TAGS))]
    if kind > 1 or sign not in TYPE_OF_SIGN:
        raise Refused(0x33)
    if sum(tenders) < total:
        raise Refused(0x45)
    if sum(tenders) > total:
        raise Refused(0x4D)
    tags = [tlv.vln(tag, value) for tag, value in zip(TAX_TAGS, taxes, strict=True) if value]
    tags.append(tlv.number(1173, kind, 1))
    return _correct(till, request, sign, tenders, total, tags)


def _correct(
    till: Till, request: Request, sign: int, tenders: list[int], total: int, own: list[Tlv]
) -> bytes:
    if till.fn.begun != CORRECTION:
        raise FnRefused(0x02)
    if total == 0:
        raise Refused(0x8E)
    sent = {tag.tag for tag in till.fn.begun_tags}
    own = [tag for tag in own if tag.tag not in sent]
    stated = sent | {tag.tag for tag in own}
    if documents.ffd_version(till.settings) >= FFD_1_05 and not stated >= CORRECTION_TAGS:
        raise Refused(MISSING_TAGS)
    system = chosen_tax_system(till, request.number(68, 1))
    closed = Receipt(TYPE_OF_SIGN[sign], request.operator, tags=list(till.fn.begun_tags))
    cash, cashless, advance, credit, provision = tenders
    paid = Payment(
        total=total,
        cash=cash,
        cashless=cashless,
        advance=advance,
        credit=credit,
        provision=provision,
        change=0,
        tax_system=system,
    )
    document = _sign(till, closed, paid, own)
    way = 1 if sign in (1, 4) else -1
    till.state.money[241] += way * paid.cash
    for index, value in enumerate(tenders[:2]):
        till.state.money[193 + 4 * index + closed.kind] += value
    count_document(till)
    till.state.last_receipt = paper.receipt(
        till.settings, closed, paid, document, till.fn.fn_number
    )
    till.print_document(till.state.last_receipt)
    return (
        le(document.receipt_no, 2)
        + le(document.fd, 4)
        + le(document.fp, 4)
        + extended(till, document)
    )


def _sign(till: Till, closed: Receipt, paid: Payment, own: list[Tlv]) -> Document:
    now = till.now()
    return till.fn.sign(
        CORRECTION,
        now,
        lambda numbers: [*documents.receipt(till.settings, now, numbers, closed, paid), *own],
    )


def begin_settlements(till: Till, _request: Request) -> bytes:
    """FF37h."""
    till.fn.begin(SETTLEMENTS)
    return b""


def settlements(till: Till, _request: Request) -> bytes:
    """FF38h.  Answer: FD, FP, documents without a ticket, date of the first of them."""
    if till.fn.begun not in (None, SETTLEMENTS):
        raise FnRefused(0x02)
    now, unsent = till.now(), till.fn.unsent()
    document = till.fn.sign(
        SETTLEMENTS, now, lambda _numbers: documents.settlements(till.settings, now, till.fn)
    )
    count_document(till)
    till.print_document(paper.report(till.settings, document, till.fn.fn_number))
    first = unsent[0].made_at if unsent else now
    return (
        le(document.fd, 4)
        + le(document.fp, 4)
        + le(len(unsent), 4)
        + bytes([first.year - 2000, first.month, first.day])
        + extended(till, document)
    )


HANDLERS: Final[Mapping[str, Handler]] = {
    "begin_correction": begin_correction,
    "correction_old": correction_old,
    "correction": correction,
    "begin_settlements": begin_settlements,
    "settlements": settlements,
}
