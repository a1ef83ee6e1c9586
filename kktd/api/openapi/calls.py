"""Every call of the API: what it takes, what it answers, how it can fail.  Held to by the tests.

A row belongs to a handler; path and role stand in ROUTES (api/app.py) alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kktd.api import (
    alerts,
    backup,
    buffer,
    describe,
    dlq,
    health,
    live,
    logs,
    maintenance,
    metrics,
    ofd,
    operations,
    page,
    pairing,
    power,
    products,
    receipts,
    refunds,
    salvage,
    shifts,
    tokens,
)
from kktd.api.call import Handler
from kktd.api.openapi import answers as said
from kktd.api.openapi import health_answers
from kktd.api.openapi.printer_calls import PRINTER_CALLS
from kktd.api.openapi.said import Key, Query, Said, Text, bodiless
from kktd.api.query import LIMIT_MAX, PAGE_MAX
from kktd.api.schemas import (
    CashBody,
    CodeBody,
    DrawerBody,
    MaintenanceBody,
    ReceiptBody,
    ResolveBody,
    RetryBody,
    ShiftBody,
    SyncBody,
    TokenBody,
)

CASHIER: Final = {"name": "Иванова А. П."}
MILK: Final = {"name": "Молоко 3,2 %", "qty": 2, "price": "99.50", "vat": "10%"}
SALE: Final[Mapping[str, Any]] = {
    "pos_id": "POS-001",
    "type": "sale",
    "items": [MILK],
    "payments": [{"method": "card", "amount": "199.00"}],
    "cashier": CASHIER,
}
REFUND: Final[Mapping[str, Any]] = {
    **SALE,
    "type": "refund",
    "original": {"fn": "9999078902019097", "fd": 3, "fp": "1060838650"},
}
CORRECTION: Final[Mapping[str, Any]] = {
    **SALE,
    "type": "correction",
    "correction": {"sign": "sale", "basis": "self", "date": "2026-03-01"},
}

_FLAG: Final = {"type": "boolean"}
_PAGE: Final = (
    Query("page", "from 1", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX}, 1),
    Query("limit", "of one page", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}, 100),
)
_TEXT: Final = {"type": "string", "maxLength": products.MAX_QUESTION, "pattern": r"\S"}
_AT_THE_DESK: Final = ("UNKNOWN_POS",)
_AT_THE_PRINTER: Final = ("PRINTER_REFUSED", "SHIFT_OPEN", "SHIFT_CLOSED", "FN_CHANGED")
_SALE_CODES: Final = (
    *_AT_THE_DESK,
    "BUFFER_FULL",
    "PRINTER_UNAVAILABLE",
    "PRINTER_REFUSED",
    "SHIFT_CLOSED",
    "SHIFT_EXPIRED",
    "FN_FULL",
    "FN_EXPIRED",
    "RECORDS_MISSING",
    "MAINTENANCE",
    "REFUND_NOT_SYNCED",
    "NOT_ENOUGH_CASH",
    "DOCUMENT_TOO_LONG",
    "TOO_LATE",
)


def _operation(about: str, answer: object, *codes: str) -> Said:
    """A report: `cashier`, and `pos_id` where several are served."""
    return Said(
        about,
        {200: (answer,), 202: (said.OperationWaits,)},
        (*_AT_THE_DESK, *_AT_THE_PRINTER, *codes),
        ShiftBody,
        key=Key.WANTED,
        examples=({"cashier": CASHIER},),
    )


def _cash(about: str, *codes: str) -> Said:
    return Said(
        about,
        {200: (said.CashMoved,), 202: (said.OperationWaits,)},
        (*_AT_THE_DESK, *_AT_THE_PRINTER, "NOT_ENOUGH_CASH", "CASH_UNCLEAR", *codes),
        CashBody,
        key=Key.WANTED,
        examples=({"amount": "100.00", "reason": "размен"},),
    )


CALLS: Final[Mapping[Handler, Said]] = {
    receipts.create: Said(
        "Sell, refund or correct: on disk first, then registered by the FN.",
        {200: (said.ReceiptPrinted,), 202: (said.ReceiptBuffered,)},
        _SALE_CODES,
        ReceiptBody,
        key=Key.WANTED,
        examples=(SALE, REFUND, CORRECTION),
    ),
    receipts.show: Said("Where a receipt stands.", {200: (said.ReceiptShown,)}, ("NOT_FOUND",)),
    receipts.cancel: bodiless(
        "Withdraw what was never sent to the printer.",
        {200: (said.ReceiptShown,)},
        *("NOT_FOUND", "TOO_LATE", "STALE_STATE"),
    ),
    receipts.print_again: bodiless(
        "«Повторить печать»: print what waits, or a copy; never a second document.",
        {
            200: (said.ReceiptPrinted, said.ReceiptCopied),
            202: (said.ReceiptBuffered,),
        },
        *("NOT_FOUND", "TOO_LATE", "NOT_ENOUGH_CASH", "PRINTER_REFUSED", "STALE_STATE"),
    ),
    refunds.check: Said(
        "May it be refunded now?  Changes nothing.",
        {200: (said.RefundAllowed,), 409: (said.RefundForbidden,)},
        body=refunds.RefundCheckBody,
        examples=(
            {"original_receipt_id": "763df9d1-bc0b-420b-9ace-278f5dda5901"},
            {"original_fiscal_doc_id": "9999078902019097:3"},
        ),
    ),
    operations.open_shift: _operation("Open the shift.", said.ShiftOpened),
    operations.x_report: _operation("Print the totals so far; changes nothing.", said.Report),
    operations.z_report: _operation("Close the shift.", said.Report, "DOUBT_OPEN"),
    operations.cash_in: _cash("Pay cash in."),
    operations.cash_out: _cash("Pay cash out, never more than the drawer holds."),
    operations.drawer: Said(
        "Open the drawer.",
        {200: (said.DrawerOpened,), 202: (said.OperationWaits,)},
        (*_AT_THE_DESK, *_AT_THE_PRINTER),
        DrawerBody,
        body_optional=True,
        key=Key.WANTED,
        examples=({},),
    ),
    shifts.session: Said(
        "The open shift, else the last one.",
        {200: (said.Session,)},
        ("NOT_FOUND", "UNKNOWN_POS"),
    ),
    buffer.status: Said("How full the buffer is.", {200: (said.BufferStatus,)}),
    buffer.sync: Said(
        "Send to the ОФД now; `force` ignores the waits, not an open breaker.",
        {202: (said.SyncStarted,)},
        ("SYNC_IN_PROGRESS", "NO_NETWORK"),
        SyncBody,
        True,
        Key.WANTED,
        (Query("force", "ignore the waits", _FLAG, True),),
        ({"force": True},),
    ),
    buffer.reset_breaker: bodiless("Close the breaker by hand.", {200: (health_answers.Circuit,)}),
    logs.show: Said(
        "What happened, newest first.",
        {200: (said.LogPage,)},
        query=(
            Query(
                "level",
                "this level and worse",
                {"type": "string", "enum": list(logs.LEVELS)},
                "WARN",
            ),
            Query(
                "since",
                "ISO 8601, in the till's zone where it names none",
                {"type": "string", "format": "date-time"},
                "2026-03-02T09:00:00Z",
            ),
            *_PAGE,
        ),
    ),
    dlq.show: Said(
        "Deliveries that wait for a person.",
        {200: (said.DlqPage,)},
        query=(Query("resolved", "those that did", _FLAG, False), *_PAGE),
    ),
    dlq.retry: Said(
        "Back into the queue, sent at once.",
        {200: (said.DeadLetterShown,)},
        ("NOT_FOUND", "TOO_LATE"),
        RetryBody,
        True,
        Key.WANTED,
        examples=({"resolved_by": "Петров"},),
    ),
    dlq.resolve: Said(
        "Dealt with elsewhere; the receipt stays `failed`.",
        {200: (said.DeadLetterShown,)},
        ("NOT_FOUND", "TOO_LATE"),
        ResolveBody,
        key=Key.WANTED,
        examples=({"note": "отправлен через кабинет ОФД"},),
    ),
    products.find: Said(
        "This till's copy of the catalogue, then Odoo; one of the three is given.",
        {200: (said.Products,)},
        ("NOT_FOUND",),
        query=(
            Query("sku", "article", _TEXT, "MILK-32"),
            Query("barcode", "as scanned", _TEXT, "4600051000057"),
            Query("q", "part of the name", _TEXT, "молоко"),
        ),
    ),
    products.refresh: bodiless(
        "Import the catalogue now, unless receipts are on their way.",
        {202: (said.CacheRefreshed,)},
        *("UNSYNC_BUFFERS", "NO_ODOO"),
    ),
    **PRINTER_CALLS,
    maintenance.begin: Said(
        "No sales from now on.",
        {200: (health_answers.MaintenanceState,)},
        body=MaintenanceBody,
        key=Key.WANTED,
        examples=({"reason": "Замена ФН", "estimated_duration_minutes": 45},),
    ),
    maintenance.end: bodiless("Sales are open again.", {200: (health_answers.MaintenanceState,)}),
    page.show: Said("The status page.", {200: (Text("text/html"),), 304: ()}),
    page.part: Said(
        "Its looks, its words, what it does.",
        {200: (Text("text/css"), Text("text/javascript")), 304: ()},
        ("NOT_FOUND",),
    ),
    health.show: Said(
        "Can the till sell, and if not, what to do.",
        {200: (health_answers.Health,), 503: (health_answers.Health,)},
    ),
    live.show: Said(
        "What changes, as it does.", {200: (Text("text/event-stream"),)}, ("RATE_LIMITED",)
    ),
    health.ready: Said(
        "Recovery is over, workers run.",
        {200: (health_answers.Ready,), 503: (health_answers.Ready,)},
    ),
    metrics.show: Said("Prometheus.", {200: (Text("text/plain"),)}),
    describe.show: Said("This document.", {200: (dict[str, Any],)}),
    ofd.probe: bodiless(
        "A direct test of the ОФД, stage by stage; no receipt is touched.",
        {200: (said.OfdProbed,)},
        "NO_NETWORK",
        key=Key.UNUSED,
    ),
    salvage.show: Said("The last salvage of the database.", {200: (health_answers.Salvaged,)}),
    salvage.confirm: bodiless(
        "A person saw what is missing: sales open.",
        {200: (health_answers.Salvaged,)},
        key=Key.UNUSED,
    ),
    backup.begin: bodiless(
        "A copy of the database in the second place is begun.",
        {202: (health_answers.BackupBegun,)},
        "NO_BACKUP",
        key=Key.UNUSED,
    ),
    backup.show: Said(
        "The last copy, and what lies in the folder.", {200: (health_answers.Backup,)}
    ),
    power.show: Said("What the till runs on.", {200: (health_answers.Power,)}),
    power.note: bodiless(
        "An event of apcupsd; one that turns the power off is answered when all is on disk.",
        {200: (health_answers.Power,)},
        "NOT_FOUND",
        key=Key.UNUSED,
    ),
    alerts.test: bodiless(
        "Every channel gets an alert that means nothing.",
        {202: (said.AlertTested,)},
        key=Key.UNUSED,
    ),
    pairing.redeem: Said(
        "A pairing code for its token, once.",
        {201: (said.TokenMade,)},
        ("FORBIDDEN", "RATE_LIMITED"),
        CodeBody,
        examples=({"code": "1234 5678"},),
    ),
    pairing.offer: Said(
        "A code for a front end to pair with.",
        {201: (said.PairingCode,)},
        body=TokenBody,
        examples=({"role": "cashier", "name": "Касса 1"},),
    ),
    tokens.create: Said(
        "A token, shown this once.",
        {201: (said.TokenMade,)},
        body=TokenBody,
        examples=({"role": "cashier", "name": "Касса 1"},),
    ),
    tokens.show: Said("All tokens, without their secrets.", {200: (said.Tokens,)}),
    tokens.revoke: bodiless(
        "It opens nothing from now on.", {200: (said.TokenShown,)}, "NOT_FOUND", key=Key.UNUSED
    ),
}
