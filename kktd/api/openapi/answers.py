"""What the API answers, field by field; closed, so that a field nobody described is noticed.

`message` stands beside an answer that asks something of a person.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

from kktd.model.receipt import PaymentMethod, VatRate
from kktd.model.states import CircuitState, Delivery, FiscalState, NetworkMode
from kktd.printers.base import Paper, Shift
from kktd.store.tokens import Role

_DATE_TIME = {"format": "date-time"}
Instant = Annotated[str, Field(json_schema_extra=_DATE_TIME, description="UTC")]
Local = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", description="the printer's own time")
]
Rubles = Annotated[str, Field(pattern=r"^-?\d+\.\d\d$", description="rubles")]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Count = Annotated[int, Field(ge=0)]
Fn = Annotated[str, Field(pattern=r"^\d{16}$")]
Percent = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Message = Annotated[str, Field(description="for a person, with what to do")]


class _Closed(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's own way


# ---- receipts -----------------------------------------------------------------------------------


class FiscalDoc(_Closed):
    """The FN's document; its numbers are the FN's own."""

    fn: Fn
    fd: Count
    fp: str
    shift: Count
    receipt_no: Count
    datetime: Local
    qr: str


class BufferInfo(_Closed):
    """Where it stands on its way to the ОФД."""

    queue_position: Annotated[int, Field(ge=1)]
    total_queued: Count
    estimated_sync_time: Instant | None


class ReceiptPrinted(_Closed):
    """The FN holds it."""

    receipt_id: Id
    status: Literal["printed"]
    print_state: Literal[FiscalState.REGISTERED, FiscalState.PRINTED]
    fiscal_doc: FiscalDoc
    buffer_info: BufferInfo | None
    change: Rubles
    paper: NotRequired[Literal["pending"]]
    message: NotRequired[Message]


class ReceiptBuffered(_Closed):
    """On disk; whether the FN holds it is not known yet."""

    receipt_id: Id
    status: Literal["buffered"]
    print_state: Literal[FiscalState.ACCEPTED, FiscalState.PRINTING, FiscalState.IN_DOUBT]
    fiscal_doc: None
    buffer_info: BufferInfo | None
    change: Rubles
    message: NotRequired[Message]


class ReceiptCopied(_Closed):
    """The FN held it before; a copy is on paper."""

    receipt_id: Id
    copied: Literal[True]
    message: NotRequired[Message]


class ReceiptShown(_Closed):
    id: Id
    pos_id: str
    status: Delivery
    print_state: FiscalState
    held: bool
    created_at: Instant
    synced_at: Instant | None
    total: Rubles
    fiscal_doc: FiscalDoc | None
    retry_count: Count
    last_error: str | None
    message: NotRequired[Message]


class RefundAllowed(_Closed):
    allowed: Literal[True]
    sync_status: Literal["synced", "not_found"]


class RefundForbidden(_Closed):
    allowed: Literal[False]
    reason: str
    sync_status: Literal["synced", "pending", "failed", "not_found"]
    retry_after_seconds: Count | None
    message: NotRequired[Message]


# ---- the shift ----------------------------------------------------------------------------------


class OperationWaits(_Closed):
    """Stored, and the printer has not answered yet."""

    operation_id: Id
    state: Literal["accepted", "sent", "in_doubt"]
    message: NotRequired[Message]


class ShiftOpened(_Closed):
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


class CashMoved(_Closed):
    operation_id: Id
    amount: Rubles
    cash_balance: Rubles
    datetime: Local | None


class DrawerOpened(_Closed):
    operation_id: Id
    datetime: Local | None


class Session(_Closed):
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


class Oldest(_Closed):
    id: Id
    created_at: Instant
    age_hours: Annotated[float, Field(ge=0)]


class LastSync(_Closed):
    timestamp: Instant
    synced_count: Count
    failed_count: Count
    duration_seconds: Seconds


class AlertShown(_Closed):
    level: Literal["P1", "P2", "P3"]
    name: str
    message: Message


class BufferStatus(_Closed):
    total_capacity: Count
    current_queued: Count
    percent_full: Percent
    waiting_for_printer: Count
    in_doubt: Count
    held: Count
    oldest_receipt: Oldest | None
    network_status: NetworkMode
    network_message: Message
    circuit_state: CircuitState
    last_sync: LastSync | None
    dlq_size: Count
    alerts: list[AlertShown]


class SyncStarted(_Closed):
    job_id: str
    estimated_duration_seconds: Count


class Circuit(_Closed):
    state: CircuitState
    failure_count: Count
    last_failure_time: Instant | None
    next_attempt_time: Instant | None


class LogItem(_Closed):
    id: Count
    timestamp: Instant
    level: Literal["INFO", "WARN", "ERROR", "CRITICAL"]
    event: str
    receipt_id: str | None
    message: str


class _Page(_Closed):
    total: Count
    page: Annotated[int, Field(ge=1)]
    limit: Annotated[int, Field(ge=1)]


class LogPage(_Page):
    items: list[LogItem]


class DeadLetterShown(_Closed):
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


# ---- catalogue, maintenance, health -------------------------------------------------------------


class ProductShown(_Closed):
    sku: str
    barcode: str | None
    name: str
    price: Rubles
    vat: VatRate
    measure: str
    subject: str


class Products(_Closed):
    source: Literal["cache", "odoo"]
    items: Annotated[list[ProductShown], Field(min_length=1)]


class CacheRefreshed(_Closed):
    """`products` known before; the import goes on by itself."""

    products: Count


class Maintenance(_Closed):
    reason: str
    started_at: Instant
    estimated_duration_minutes: Count
    expected_end: Instant


class MaintenanceState(_Closed):
    maintenance: Maintenance | None


class Health(TypedDict):
    """`components` grow from release to release; what is named here stays."""

    status: Literal["healthy", "degraded", "unhealthy"]
    pos_ids: list[str]
    can_sell: bool
    obstacle: Annotated[str | None, Field(description="the error code a sale would get")]
    message: Message | None
    maintenance: Maintenance | None
    tills: Annotated[dict[str, TillPart], Field(description="by pos_id")]
    components: Components
    version: str


class TillPart(TypedDict):
    printer: str
    can_sell: bool
    obstacle: str | None


class PrinterPart(TypedDict):
    status: Literal["healthy", "unhealthy"]
    since: Instant | None
    remedy: str | None
    message: Message | None
    device_code: int | None
    model: str | None
    serial: str | None
    firmware: str | None
    shift: Shift | None
    shift_number: Count | None
    paper: Paper | None
    clock: str | None


class OfdPart(TypedDict):
    status: Literal["healthy", "degraded"]
    network_status: NetworkMode
    stopped_reason: str | None


class OdooPart(TypedDict):
    status: Literal["healthy", "degraded"]
    heartbeat_age_seconds: Count | None
    problem: str | None


class BufferPart(TypedDict):
    status: Literal["healthy", "degraded"]
    current_queued: Count
    total_capacity: Count
    percent_full: Percent
    dlq_size: Count


class FnPart(TypedDict):
    serial: str | None
    oldest_unsent: Instant | None


class DiskPart(TypedDict):
    status: Literal["healthy", "degraded", "unhealthy"]


class WorkersPart(TypedDict):
    status: Literal["healthy", "degraded"]
    late: list[str]


class Components(TypedDict):
    kkt_device: Annotated[PrinterPart, Field(description="the first printer")]
    printers: Annotated[dict[str, PrinterPart], Field(description="by its name in the settings")]
    ofd_connection: OfdPart
    odoo_connection: NotRequired[OdooPart]
    buffer: BufferPart
    circuit_breaker: Circuit
    fn: FnPart
    disk: DiskPart
    workers: WorkersPart


class Ready(_Closed):
    ready: bool


# ---- access -------------------------------------------------------------------------------------


class TokenMade(_Closed):
    """The token is shown this once."""

    id: Id
    token: str
    role: Role
    name: str


class TokenShown(_Closed):
    id: Id
    role: Role
    name: str
    created_at: Instant
    revoked_at: Instant | None


class Tokens(_Closed):
    tokens: list[TokenShown]


class PairingCode(_Closed):
    code: Annotated[str, Field(pattern=r"^\d{8}$")]
    role: Role
    name: str
    expires_at: Instant
    expires_in_seconds: Count
    ca_sha256: str | None


class AlertTested(_Closed):
    sent: Literal[True]


class Problem(_Closed):
    """Every error."""

    code: str
    message: Message
    details: dict[str, Any]
    id: Annotated[str, Field(description="the request's, as in X-Request-Id")]
