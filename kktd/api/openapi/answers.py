"""What the API answers, field by field; closed, so that a field nobody described is noticed.

`message` stands beside an answer that asks something of a person.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

from kktd.api.openapi.fields import (
    Closed,
    Count,
    Fn,
    Id,
    Instant,
    Local,
    Message,
    Percent,
    Rubles,
    Seconds,
)
from kktd.model.marking import MarkVerdict
from kktd.model.receipt import PaymentMethod, VatRate
from kktd.model.states import CircuitState, Delivery, FiscalState, NetworkMode
from kktd.ofd.probe import Verdict
from kktd.store.tokens import Role

# ---- receipts -----------------------------------------------------------------------------------


class FiscalDoc(Closed):
    """The FN's document; its numbers are the FN's own."""

    fn: Fn
    fd: Count
    fp: str
    shift: Count
    receipt_no: Count
    datetime: Local
    qr: str


class BufferInfo(Closed):
    """Where it stands on its way to the ОФД."""

    queue_position: Annotated[int, Field(ge=1)]
    total_queued: Count
    estimated_sync_time: Instant | None


class ReceiptPrinted(Closed):
    """The FN holds it."""

    receipt_id: Id
    status: Literal["printed"]
    print_state: Literal[FiscalState.REGISTERED, FiscalState.PRINTED]
    fiscal_doc: FiscalDoc
    buffer_info: BufferInfo | None
    change: Rubles
    paper: NotRequired[Literal["pending"]]
    message: NotRequired[Message]


class ReceiptBuffered(Closed):
    """On disk; whether the FN holds it is not known yet."""

    receipt_id: Id
    status: Literal["buffered"]
    print_state: Literal[FiscalState.ACCEPTED, FiscalState.PRINTING, FiscalState.IN_DOUBT]
    fiscal_doc: None
    buffer_info: BufferInfo | None
    change: Rubles
    message: NotRequired[Message]


class ReceiptCopied(Closed):
    """The FN held it before; a copy is on paper."""

    receipt_id: Id
    copied: Literal[True]
    message: NotRequired[Message]


class MarkShown(Closed):
    """What the check of one marking code said: `item` counts from 0, `result` is tag 2106."""

    item: Count
    result: Annotated[int, Field(ge=0, le=255)]
    verdict: MarkVerdict


class ReceiptShown(Closed):
    id: Id
    pos_id: str
    status: Delivery
    print_state: FiscalState
    held: bool
    created_at: Instant
    synced_at: Instant | None
    total: Rubles
    fiscal_doc: FiscalDoc | None
    marking: list[MarkShown]
    retry_count: Count
    last_error: str | None
    message: NotRequired[Message]


class RefundAllowed(Closed):
    allowed: Literal[True]
    sync_status: Literal["synced", "not_found"]


class RefundForbidden(Closed):
    allowed: Literal[False]
    reason: str
    sync_status: Literal["synced", "pending", "failed", "not_found"]
    retry_after_seconds: Count | None
    message: NotRequired[Message]


# ---- the shift ----------------------------------------------------------------------------------


class OperationWaits(Closed):
    """Stored, and the printer has not answered yet."""

    operation_id: Id
    state: Literal["accepted", "sent", "in_doubt"]
    message: NotRequired[Message]


class ShiftOpened(Closed):
    operation_id: Id
    shift_number: Count
    fiscal_document_number: Count | None
    fiscal_sign: str | None
    fn: Fn
    datetime: Local | None
    offline: bool


class Report(ShiftOpened):
    """X (1) and Z (2)."""

    report_type: Literal[1, 2]
    cash_total: Rubles
    card_total: Rubles
    total_sales: Rubles
    total_refunds: Rubles


class CashMoved(Closed):
    operation_id: Id
    amount: Rubles
    cash_balance: Rubles
    datetime: Local | None


class DrawerOpened(Closed):
    operation_id: Id
    datetime: Local | None


class Session(Closed):
    session_id: Id
    pos_id: str
    status: Literal["open", "closed"]
    fn: Fn
    shift_number: Count
    opened_at: Instant
    closed_at: Instant | None
    balances: dict[PaymentMethod, Rubles]
    total_sales: Rubles
    total_refunds: Rubles
    unsynced_transactions: Count
    last_reconciled: Instant | None


# ---- the buffer ---------------------------------------------------------------------------------


class Oldest(Closed):
    id: Id
    created_at: Instant
    age_hours: Annotated[float, Field(ge=0)]


class LastSync(Closed):
    timestamp: Instant
    synced_count: Count
    failed_count: Count
    duration_seconds: Seconds


class AlertShown(Closed):
    level: Literal["P1", "P2", "P3"]
    name: str
    message: Message


class BufferStatus(Closed):
    total_capacity: Count
    current_queued: Count
    percent_full: Percent
    waiting_for_printer: Count
    in_doubt: Count
    held: Count
    oldest_receipt: Oldest | None
    network_status: NetworkMode
    network_message: Message
    network_for_seconds: Annotated[Count, Field(description="in this mode")]
    circuit_state: CircuitState
    last_sync: LastSync | None
    dlq_size: Count
    alerts: list[AlertShown]
    unfinished: list[Unfinished]


class Unfinished(Closed):
    receipt_id: Id
    state: Literal["accepted", "printing", "in_doubt", "held"]


class SyncStarted(Closed):
    job_id: str
    estimated_duration_seconds: Count


class LogItem(Closed):
    id: Count
    timestamp: Instant
    level: Literal["INFO", "WARN", "ERROR", "CRITICAL"]
    event: str
    receipt_id: str | None
    message: str


class _Page(Closed):
    total: Count
    page: Annotated[int, Field(ge=1)]
    limit: Annotated[int, Field(ge=1)]


class LogPage(_Page):
    items: list[LogItem]


class DeadLetterShown(Closed):
    id: Id
    receipt_id: Id
    reason: str
    failed_at: Instant
    retry_attempts: Count
    last_error: str | None
    fiscal_doc: FiscalDoc
    resolved_at: Instant | None
    resolved_by: str | None
    note: str | None


class DlqPage(_Page):
    items: list[DeadLetterShown]


# ---- catalogue ----------------------------------------------------------------------------------


class ProductShown(Closed):
    sku: str
    barcode: str | None
    name: str
    price: Rubles
    vat: VatRate
    measure: str
    subject: str


class Products(Closed):
    source: Literal["cache", "odoo"]
    items: Annotated[list[ProductShown], Field(min_length=1)]


class CacheRefreshed(Closed):
    """`products` known before; the import goes on by itself."""

    products: Count


# ---- access -------------------------------------------------------------------------------------


class TokenMade(Closed):
    """The token is shown this once."""

    id: Id
    token: str
    role: Role
    name: str


class TokenShown(Closed):
    id: Id
    role: Role
    name: str
    created_at: Instant
    revoked_at: Instant | None


class Tokens(Closed):
    tokens: list[TokenShown]


class PairingCode(Closed):
    code: Annotated[str, Field(pattern=r"^\d{8}$")]
    role: Role
    name: str
    expires_at: Instant
    expires_in_seconds: Count
    ca_sha256: str | None


class OfdStage(Closed):
    stage: Literal["name", "connection", "tls", "answer", "key"]
    ok: bool
    duration_ms: Count
    found: str


class OfdProbed(Closed):
    """Where the way to the ОФД ends; `status` of its last answer."""

    host: str
    verdict: Verdict
    stages: list[OfdStage]
    status: int | None
    retry_after: str | None
    message: Message


class AlertTested(Closed):
    sent: Literal[True]


class Problem(Closed):
    """Every error."""

    code: str
    message: Message
    details: dict[str, Any]
    id: Annotated[str, Field(description="the request's, as in X-Request-Id")]
