"""What the API answers about the till itself: maintenance, health, the breaker."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from kktd.api.openapi.fields import Closed, Count, Instant, Message, Percent
from kktd.model.states import CircuitState, NetworkMode
from kktd.power.table import PowerState, Trouble
from kktd.printers.base import Paper, Shift


class Circuit(Closed):
    state: CircuitState
    failure_count: Count
    last_failure_time: Instant | None
    next_attempt_time: Instant | None


class Maintenance(Closed):
    reason: str
    started_at: Instant
    estimated_duration_minutes: Count
    expected_end: Instant


class MaintenanceState(Closed):
    maintenance: Maintenance | None


class Health(TypedDict):
    """`components` grow from release to release; what is named here stays."""

    status: Literal["healthy", "degraded", "unhealthy"]
    pos_ids: list[str]
    can_sell: bool
    obstacle: Annotated[str | None, Field(description="the error code a sale would get")]
    sell: Sell
    message: Message | None
    maintenance: Maintenance | None
    tills: Annotated[dict[str, TillPart], Field(description="by pos_id")]
    components: Components
    version: str


class Limit(TypedDict):
    name: Literal["printer", "power", "shift", "buffer", "fn", "unsent"]
    seconds_left: Count | None
    receipts_left: Count | None
    message: Message


class Sell(TypedDict):
    answer: Literal["yes", "limited", "no"]
    limits: Annotated[list[Limit], Field(description="what ends the selling, the first first")]


class TillPart(TypedDict):
    printer: str
    can_sell: bool
    obstacle: str | None
    shift_age_seconds: Count | None


class PrinterPart(TypedDict):
    status: Literal["healthy", "unhealthy"]
    since: Instant | None
    remedy: str | None
    message: Message | None
    device_code: int | None
    model: str | None
    serial: str | None
    firmware: str | None
    ffd: str | None
    shift: Shift | None
    shift_number: Count | None
    paper: Paper | None
    stranger: dict[str, str] | None
    clock_drift_seconds: float | None
    clock: str | None


class OfdPart(TypedDict):
    status: Literal["healthy", "degraded"]
    network_status: NetworkMode
    stopped_reason: str | None
    throttled: bool


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
    documents_left: Count | None
    expires: str | None
    unsent_documents: Count | None
    days_left: Count | None
    oldest_unsent: Instant | None
    oldest_unsent_seconds: Annotated[Count | None, Field(description="at 30 days the FN locks")]


class DiskPart(TypedDict):
    status: Literal["healthy", "degraded", "unhealthy"]
    percent_full: Annotated[Percent, Field(description="at 80 the till stops selling")]
    ballast_bytes: Count


class Salvage(Closed):
    reason: Literal["damaged", "wal_missing", "wal_damaged"]
    found_at: Instant
    set_aside: str
    lost_rows: Annotated[dict[str, Count], Field(description="by table")]
    missing: Annotated[dict[str, list[Count]], Field(description="FDs by printer, once counted")]
    confirmed_by: str | None


class Salvaged(Closed):
    salvage: Salvage | None


class CopyFile(Closed):
    name: str
    bytes: Count


class Backup(Closed):
    configured: bool
    running: bool
    done_at: Instant | None
    problem: str | None
    copies: list[CopyFile]


class BackupBegun(Closed):
    begun: Literal[True]


class BackupPart(TypedDict):
    status: Literal["healthy", "degraded"]
    done_at: Instant | None
    problem: str | None


class Power(Closed):
    state: PowerState
    since: Instant | None
    troubles: list[Trouble]
    closed: Annotated[bool, Field(description="all is on disk, the power may go")]


class PowerPart(TypedDict):
    status: Literal["healthy", "degraded", "unhealthy"]
    state: PowerState
    since: Instant | None
    troubles: list[Trouble]
    closed: bool
    message: Message | None


class Installing(TypedDict):
    version: str
    percent: Percent


class RejectedVersion(TypedDict):
    version: str
    reason: Annotated[str, Field(description="no_boot, not_ready, database, printer, dry_run, …")]
    detail: str
    at: Instant | None


class UpdatePart(TypedDict):
    status: Literal["healthy", "degraded"]
    installing: Installing | None
    pending: Annotated[str | None, Field(description="the version that a restart tries")]
    rejected: RejectedVersion | None
    message: Message | None


class ClockPart(TypedDict):
    status: Literal["healthy", "degraded"]
    drift_seconds: Annotated[float | None, Field(description="before Odoo's; null: nobody tells")]


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
    backup: NotRequired[BackupPart]
    power: PowerPart
    update: NotRequired[UpdatePart]
    clock: ClockPart
    workers: WorkersPart


class Ready(Closed):
    ready: bool
