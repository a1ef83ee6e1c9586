"""What the host reads from the FN: status, numbers, documents.  Source: [SHTRIH] 7, 7.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from rig.fn import (
    BSO,
    BSO_CORRECTION,
    CORRECTION,
    FORMING,
    RECEIPT,
    REGISTRATION,
    REREGISTRATION,
    SETTLEMENTS,
    SHIFT_CLOSE,
    SHIFT_OPEN,
    Document,
)
from rig.shtrih_receipt import cancel_receipt
from rig.shtrih_requests import Request, date_time, fixed, le
from rig.shtrih_settings import FISCAL
from rig.till import Refused, Till

Handler = Callable[[Till, Request], bytes]

PART_MAX: Final = 248  # of one FF3B answer in a frame of 255
NO_DATA: Final = 0x08
FN_DAYS_LEFT: Final = 1000
REGISTRATIONS_MAX: Final = 30
FN_DOCUMENTS_MAX: Final = 250_000
FN_AREA_KB: Final = 32_000


def fn_status(till: Till, _request: Request) -> bytes:
    """FF01h."""
    fn = till.fn
    current = fn.current_document
    if till.state.receipt is not None and till.options.current_document_in_receipt:
        current = FORMING[RECEIPT]
    last = fn.find(fn.last_fd)
    return (
        bytes([fn.phase, current, 1 if fn.begun_tags else 0, 1 if fn.shift_open else 0])
        + bytes([fn.warnings(till.now())])
        + (date_time(last.made_at) if last else bytes(5))
        + fixed(till.identity(4), 16)
        + le(fn.last_fd, 4)
    )


def fn_number(till: Till, _request: Request) -> bytes:
    return fixed(till.identity(4), 16)


def fn_expiry(till: Till, _request: Request) -> bytes:
    """FF03h: date, registrations left, done (8 bytes in all, as drivers and vectors have it)."""
    first = till.fn.find(1)
    start = first.made_at if first else till.now()
    expiry = datetime(start.year + 3, start.month, min(start.day, 28))  # noqa: DTZ001 - till local
    return bytes([expiry.year - 2000, expiry.month, expiry.day]) + bytes(
        [REGISTRATIONS_MAX - _registrations(till), _registrations(till)]
    )


def fn_version(_till: Till, _request: Request) -> bytes:
    return fixed("fn_v_1_2_rig", 16) + b"\x00"


def last_registration(till: Till, _request: Request) -> bytes:
    """FF09h in the layout of FFD 1.1 and later (67 bytes)."""
    kinds = (REGISTRATION, REREGISTRATION)
    found = [document for document in till.fn.documents if document.form in kinds]
    if not found:
        raise Refused(NO_DATA)
    document, settings = found[-1], till.settings
    return (
        date_time(document.made_at)
        + _user(till)
        + bytes([settings.number(FISCAL, 1, 21)])
        + fixed(settings.text(FISCAL, 1, 12), 12)
        + le(0, 4)
        + le(document.fd, 4)
        + le(document.fp, 4)
    )


def find_document(till: Till, request: Request) -> bytes:
    """FF0Ah: 7.3 with its tail by type."""
    document = _asked(till, request)
    ticket = 1 if document.fd <= till.fn.confirmed_fd else 0
    head = bytes([document.form, ticket]) + date_time(document.made_at)
    return head + le(document.fd, 4) + le(document.fp, 4) + _tail(till, document)


def read_document(till: Till, request: Request) -> bytes:
    """FF3Ah: from now on FF3B hands the document out."""
    document = _asked(till, request)
    till.reading = [
        encoded[at : at + PART_MAX]
        for encoded in (tag.encode() for tag in document.tags())
        for at in range(0, len(encoded), PART_MAX)
    ]
    return le(document.form, 2) + le(len(document.body), 2)


def read_tlv(till: Till, _request: Request) -> bytes:
    """FF3Bh: one TLV, a long one in pieces; 08 at the end."""
    if not till.reading:
        till.reading = None
        raise Refused(NO_DATA)
    return till.reading.pop(0)


def ofd_ticket(till: Till, request: Request) -> bytes:
    """FF3Ch: 08 until the OFD has answered; its sign is made up."""
    document = _asked(till, request)
    if document.fd > till.fn.confirmed_fd:
        raise Refused(NO_DATA)
    sign = b"\x88\x06" + le(document.fp, 16)
    return date_time(document.made_at) + sign + le(document.fd, 4)


def ofd_exchange_status(till: Till, _request: Request) -> bytes:
    """FF39h."""
    unsent = till.fn.unsent()
    if not unsent:
        return bytes(13)
    first = unsent[0]
    return b"\x02\x00" + le(len(unsent), 2) + le(first.fd, 4) + date_time(first.made_at)


def unsent_count(till: Till, _request: Request) -> bytes:
    return le(len(till.fn.unsent()), 2)


def shift_params(till: Till, _request: Request) -> bytes:
    """FF40h."""
    fn = till.fn
    return bytes([1 if fn.shift_open else 0]) + le(fn.shift_number, 2) + le(fn.receipt_no, 2)


def fn_memory(till: Till, _request: Request) -> bytes:
    left = FN_DOCUMENTS_MAX - till.fn.last_fd
    return le(left, 4) + le(FN_AREA_KB - len(till.fn.unsent()), 4) + b"\x00"


def cancel_document(till: Till, request: Request) -> bytes:
    """FF08h: what is begun in the FN, or the open receipt; 02 when there is neither."""
    if till.fn.begun is not None:
        till.fn.cancel()
    elif till.state.receipt is not None:
        cancel_receipt(till, request)
    else:
        raise Refused(0x02)
    return b""


def _asked(till: Till, request: Request) -> Document:
    document = till.fn.find(request.number(6, 4))
    if document is None:
        raise Refused(NO_DATA)
    return document


def _tail(till: Till, document: Document) -> bytes:
    if document.form in (SHIFT_OPEN, SHIFT_CLOSE):
        return le(document.shift, 2)
    if document.form in (RECEIPT, BSO, CORRECTION, BSO_CORRECTION):
        return le(document.number(1054) or 0, 1) + le(document.number(1020) or 0, 5)
    if document.form == REGISTRATION:
        return _user(till)
    if document.form == SETTLEMENTS:
        first = datetime.fromtimestamp(document.number(1098) or 0, UTC)
        return le(document.number(1097) or 0, 4) + bytes(
            [first.year - 2000, first.month, first.day]
        )
    return b""


def _user(till: Till) -> bytes:
    settings = till.settings
    return (
        fixed(settings.text(FISCAL, 1, 2), 12)
        + fixed(till.identity(3), 20)
        + bytes([settings.number(FISCAL, 1, 5), settings.number(FISCAL, 1, 6)])
    )


def _registrations(till: Till) -> int:
    kinds = (REGISTRATION, REREGISTRATION)
    return sum(document.form in kinds for document in till.fn.documents)


HANDLERS: Final[Mapping[str, Handler]] = {
    "fn_status": fn_status,
    "fn_number": fn_number,
    "fn_expiry": fn_expiry,
    "fn_version": fn_version,
    "last_registration": last_registration,
    "find_document": find_document,
    "read_document": read_document,
    "read_tlv": read_tlv,
    "ofd_ticket": ofd_ticket,
    "ofd_exchange_status": ofd_exchange_status,
    "unsent_count": unsent_count,
    "shift_params": shift_params,
    "fn_memory": fn_memory,
    "cancel_document": cancel_document,
}
