"""What engineers ask of the printer: rows of calls.py, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import TypedDict

from kktd.api import doubts, printer
from kktd.api.call import Handler
from kktd.api.openapi import answers as said
from kktd.api.openapi.fields import Closed, Count, Fn, Id, Message
from kktd.api.openapi.said import Key, Query, Said
from kktd.api.printer_bodies import AbsentBody, AcceptBody, RegisteredBody


class Device(Closed):
    """A printer with the FN inside."""

    serial: str
    fn: Fn


class DoubtShown(Closed):
    receipt_id: Id
    problem: dict[str, Any] | None


class PrinterShown(TypedDict):
    printer: str
    known: Device | None
    stranger: Device | None
    ready: bool
    remedy: str | None
    message: Message | None
    model: str | None
    firmware: str | None
    unsent: Count
    in_doubt: list[DoubtShown]


class PrinterAccepted(Closed):
    printer: str
    known: Device | None
    stranger: Device | None


_PRINTER: Final = Query(
    "printer", "another than the first", {"type": "string", "maxLength": 32}, "kkt"
)
_SETTLED: Final = ("NOT_FOUND", "TOO_LATE", "DOUBT_OPEN", "STALE_STATE")
_QR: Final = "t=20260302T0916&s=199.00&fn=9999078902019097&i=3&fp=1060838650&n=1"

PRINTER_CALLS: Final[Mapping[Handler, Said]] = {
    doubts.settle_registered: Said(
        "A receipt in doubt is in the FN: its paper is here.",
        {200: (said.ReceiptShown,)},
        _SETTLED,
        RegisteredBody,
        key=Key.WANTED,
        examples=({"qr": _QR, "shift": 1, "receipt_no": 1, "note": "бумага у покупателя"},),
    ),
    doubts.settle_absent: Said(
        "A receipt in doubt was never made: it is held, to be printed or cancelled.",
        {200: (said.ReceiptShown,)},
        _SETTLED,
        AbsentBody,
        key=Key.WANTED,
        examples=({"note": "бумаги нет, документа в ФН нет"},),
    ),
    printer.show: Said(
        "Which printer is known, which answers, what hangs on it.",
        {200: (PrinterShown,)},
        ("NOT_FOUND",),
        query=(_PRINTER,),
    ),
    printer.accept: Said(
        "The printer that answers is right.",
        {200: (PrinterAccepted,)},
        ("NOT_FOUND", "FN_CHANGED", "DOUBT_OPEN", "UNSENT_LEFT"),
        AcceptBody,
        key=Key.WANTED,
        query=(_PRINTER,),
        examples=({"serial": "0380490041048485", "fn": "9999078902019097"},),
    ),
}
