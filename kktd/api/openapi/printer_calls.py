"""What engineers ask of the printer: rows of calls.py, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from typing_extensions import TypedDict

from kktd.api import device, doubts, printer
from kktd.api.call import Handler
from kktd.api.openapi import answers as said
from kktd.api.openapi.fields import Closed, Count, Fn, Id, Local, Message, Rubles
from kktd.api.openapi.said import Key, Query, Said, bodiless
from kktd.api.printer_bodies import AbsentBody, AcceptBody, FieldBody, RegisteredBody
from kktd.model.fiscal import DocumentType


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
    ffd: str | None
    inn: str | None
    unsent: Count
    in_doubt: list[DoubtShown]


class PrinterAccepted(Closed):
    printer: str
    known: Device | None
    stranger: Device | None


class FnShown(Closed):
    fn: Fn
    last_fd: Count
    unsent: Count
    first_unsent_fd: Count | None
    oldest_unsent: Local | None
    documents_left: Count | None
    expires: str | None


class ClockShown(Closed):
    printer: str
    clock: str | None
    till: str
    drift_seconds: int | None


class ClockSet(Closed):
    operation_id: Id
    clock: str


class PaperCut(Closed):
    printer: str


class DocumentShown(Closed):
    fd: Count
    fp: str
    type: DocumentType
    issued_at: Local
    sign: str | None
    total: Rubles | None
    shift: Count | None
    receipt_no: Count | None
    mark: str | None
    mark_results: list[int]


class RegisterShown(Closed):
    kind: str
    number: Count
    value: str


class TableShown(Closed):
    table: Count
    name: str
    rows: Count
    fields: Count


class FieldShown(Closed):
    table: Count
    row: Count
    field: Count
    name: str
    is_text: bool
    size: Count
    least: int | None
    most: int | None
    value: str


class FieldWritten(Closed):
    operation_id: Id
    table: Count
    row: Count
    field: Count
    value: str


_AT_THE_DEVICE: Final = (
    "NOT_FOUND",
    "RATE_LIMITED",
    "PRINTER_UNAVAILABLE",
    "PRINTER_NOT_READY",
    "PRINTER_REFUSED",
)
_OPERATION: Final = (
    "NOT_FOUND",
    "UNKNOWN_POS",
    "PRINTER_REFUSED",
    "SHIFT_OPEN",
    "FN_CHANGED",
)
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
    device.fn: Said("The FN's life.", {200: (FnShown,)}, _AT_THE_DEVICE, query=(_PRINTER,)),
    device.clock: Said(
        "The printer's clock.", {200: (ClockShown,)}, _AT_THE_DEVICE, query=(_PRINTER,)
    ),
    device.set_clock: replace(
        bodiless(
            "Set the printer's clock to the till's time.",
            {200: (ClockSet,), 202: (said.OperationWaits,)},
            *_OPERATION,
        ),
        query=(_PRINTER,),
    ),
    device.cut: replace(
        bodiless("Cut the paper.", {200: (PaperCut,)}, *_AT_THE_DEVICE), query=(_PRINTER,)
    ),
    device.document: Said(
        "A document of the FN.", {200: (DocumentShown,)}, _AT_THE_DEVICE, query=(_PRINTER,)
    ),
    device.register: Said(
        "A register of the device.", {200: (RegisterShown,)}, _AT_THE_DEVICE, query=(_PRINTER,)
    ),
    device.table: Said(
        "A table of settings.", {200: (TableShown,)}, _AT_THE_DEVICE, query=(_PRINTER,)
    ),
    device.field: Said(
        "A field of a table.", {200: (FieldShown,)}, _AT_THE_DEVICE, query=(_PRINTER,)
    ),
    device.write_field: Said(
        "Write a field of a table.",
        {200: (FieldWritten,), 202: (said.OperationWaits,)},
        _OPERATION,
        FieldBody,
        key=Key.WANTED,
        query=(_PRINTER,),
        examples=({"value": "0"},),
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
