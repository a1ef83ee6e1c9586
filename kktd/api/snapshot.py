"""The till at one moment, and the one question everybody asks: can it sell?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

from kktd.alerts.table import ALERTS, DAY_S, Facts
from kktd.api.till import SyncView, Till
from kktd.config import PrinterSettings, Settings
from kktd.metrics import Drawer, Gauges, PrinterGauges
from kktd.model.states import CircuitState, NetworkMode
from kktd.odoo.link import LinkSeen
from kktd.ofd.breaker import Circuit
from kktd.power.power import PowerSeen
from kktd.printers.base import Shift
from kktd.receipts.health import LaneHealth
from kktd.receipts.lane import Lane
from kktd.store import gauges
from kktd.store.gauges import Reading
from kktd.upkeep.backup import BackupSeen
from kktd.upkeep.disk import Disk


@dataclass(frozen=True, slots=True)
class LaneSeen:
    """One printer.  `obstacle` is the code of what keeps its tills from selling, or None.

    `set_otherwise`: it is registered for another format or another owner than the settings say.
    """

    name: str
    pos_ids: tuple[str, ...]
    health: LaneHealth
    obstacle: str | None
    set_otherwise: bool
    unprinted_left: int  # sales it would still take while it is away

    @property
    def fn_expires_s(self) -> float | None:
        """Unix time of the end of its FN's keys, to the day."""
        life = self.health.fn_life
        if life is None or life.expires is None:
            return None
        return datetime.combine(life.expires, time(), UTC).timestamp()

    @property
    def documents_left(self) -> int | None:
        return self.health.fn_life.documents_left if self.health.fn_life else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`lanes` as in the settings, the first first; never empty."""

    now_s: float
    reading: Reading
    capacity: int
    lanes: tuple[LaneSeen, ...]
    circuit: Circuit
    sync: SyncView
    network: NetworkMode
    network_for_s: float
    disk_failed: bool
    disk: Disk
    backup: BackupSeen
    capacity_reminder: bool
    odoo: LinkSeen | None
    mismatched: bool
    power: PowerSeen

    @property
    def lane(self) -> LaneHealth:
        """Of the first printer: on most tills the only one."""
        return self.lanes[0].health

    @property
    def obstacle(self) -> str | None:
        """What keeps every till from selling; None while one of them sells."""
        codes = [lane.obstacle for lane in self.lanes]
        return codes[0] if all(codes) else None

    @property
    def remedy(self) -> str | None:
        """Of the first printer that is not ready; None when all are."""
        return next((one.health.remedy for one in self.lanes if not one.health.ready), None)

    @property
    def tills(self) -> dict[str, LaneSeen]:
        """By pos_id: whose printer prints for it."""
        return {pos_id: lane for lane in self.lanes for pos_id in lane.pos_ids}

    @property
    def percent_full(self) -> float:
        return round(100 * self.reading.buffer.queued / self.capacity, 1)

    @property
    def backup_age_s(self) -> float | None:
        """Since the last good copy; None where none is wanted or none was made."""
        done_s = self.backup.done_at_s
        return None if done_s is None else max(0.0, self.now_s - done_s)

    @property
    def oldest_unsent_s(self) -> float | None:
        since = self.reading.oldest_registered_at_s
        return None if since is None else max(0.0, self.now_s - since)

    def shift_age_s(self, pos_id: str) -> float | None:
        """Of a till's open shift; None while it is closed."""
        shift = self.reading.shifts.get(pos_id)
        if shift is None or shift.opened_at_s is None:
            return None
        return max(0.0, self.now_s - shift.opened_at_s)

    @property
    def drift_s(self) -> float | None:
        """Our clock before Odoo's; None while nobody tells the time."""
        if self.odoo is None or self.odoo.server_time_s is None:
            return None
        return self.now_s - self.odoo.server_time_s


def take(till: Till) -> Snapshot:
    """One short read transaction and what the workers last saw; blocks for no device."""
    settings = till.settings()
    pos_ids = settings.till.pos_ids
    names = [lane.name for lane in till.lanes]
    reading = till.store.read(lambda db: gauges.read(db, pos_ids, names))
    whole = _obstacle(till, reading)
    return Snapshot(
        now_s=till.clock.wall_s(),
        reading=reading,
        capacity=settings.buffer.capacity,
        lanes=tuple(_see(settings, lane, reading, whole) for lane in till.lanes),
        circuit=till.breaker(),
        sync=till.sync(),
        network=till.network(),
        network_for_s=till.network_for_s(),
        disk_failed=till.store.failed is not None,
        disk=till.disk(),
        backup=till.backup.seen(),
        capacity_reminder=till.capacity_reminder(),
        odoo=till.odoo() if till.odoo else None,
        mismatched=till.mismatched,
        power=till.power.seen,
    )


def _obstacle(till: Till, reading: Reading) -> str | None:
    """Of the whole box, in the order the desk would refuse a sale."""
    if not till.ready():
        return "SHUTTING_DOWN"
    if till.store.failed is not None:
        return "DISK_FULL"
    if reading.maintenance is not None:
        return "MAINTENANCE"
    if (bar := till.bar()) is not None:
        return bar.code
    if reading.buffer.queued >= till.settings().buffer.capacity:
        return "BUFFER_FULL"
    return None


def _see(settings: Settings, lane: Lane, reading: Reading, whole: str | None) -> LaneSeen:
    """`whole`: what keeps the whole box from selling."""
    health, printer = lane.health, settings.lanes[lane.name]
    waiting = reading.lanes[lane.name].waiting
    return LaneSeen(
        lane.name,
        lane.pos_ids,
        health,
        whole or _lane_obstacle(printer, health, waiting),
        _is_set_otherwise(health, printer.ffd, settings.organisation.inn),
        max(0, printer.max_unprinted - waiting),
    )


def _is_set_otherwise(health: LaneHealth, ffd: str, inn: str) -> bool:
    """As far as the printer says, and the settings name an owner."""
    identity = health.identity
    if identity is None:
        return False
    pairs = ((identity.ffd, ffd), (identity.inn, inn))
    return any(told and wanted and told != wanted for told, wanted in pairs)


def _lane_obstacle(printer: PrinterSettings, health: LaneHealth, waiting: int) -> str | None:
    """The same order."""
    if health.fn_ended is not None:
        return health.fn_ended.upper()
    if not health.ready and waiting >= printer.max_unprinted:
        return "PRINTER_UNAVAILABLE"
    status = health.status
    if status is not None and health.ready:
        if status.shift is Shift.EXPIRED:
            return "SHIFT_EXPIRED"
        if status.shift is Shift.CLOSED and not printer.open_shift_on_sale:
            return "SHIFT_CLOSED"
    return None


def as_gauges(seen: Snapshot) -> Gauges:
    """The same for Prometheus."""
    facts = as_facts(seen)
    return Gauges(
        now_s=seen.now_s,
        queued=seen.reading.buffer.queued,
        capacity=seen.capacity,
        in_doubt=seen.reading.buffer.in_doubt,
        dlq=seen.reading.dlq,
        oldest_unsent_s=seen.oldest_unsent_s,
        circuit=seen.circuit.state,
        circuit_open_s=seen.circuit.open_s,
        events=seen.reading.events,
        mode=seen.network,
        on_battery=seen.power.on_battery,
        can_sell={pos_id: lane.obstacle is None for pos_id, lane in seen.tills.items()},
        sync_running_s=seen.sync.running_s,
        disk_percent=seen.disk.percent,
        backup_age_s=seen.backup_age_s,
        drift_s=seen.drift_s,
        heartbeat_age_s=seen.odoo.heartbeat_age_s if seen.odoo else None,
        heartbeat_failures=seen.odoo.failures if seen.odoo else None,
        drawers={
            pos_id: Drawer(shift.cash_kopecks, shift.opened_at_s, shift.unsynced)
            for pos_id, shift in seen.reading.shifts.items()
        },
        printers={
            pos_id: PrinterGauges(lane.documents_left, lane.fn_expires_s, lane.health.clock_drift_s)
            for pos_id, lane in seen.tills.items()
        },
        alerts={alert.name: alert.when(facts) for alert in ALERTS},
    )


def as_facts(seen: Snapshot) -> Facts:
    """The same for the alerts."""
    shifts = [one.opened_at_s for one in seen.reading.shifts.values() if one.opened_at_s]
    left = [one.documents_left for one in seen.lanes if one.documents_left is not None]
    ends = [one.fn_expires_s for one in seen.lanes if one.fn_expires_s is not None]
    remedies = [lane.health.remedy for lane in seen.lanes if not lane.health.ready]
    return Facts(
        queued=seen.reading.buffer.queued,
        percent_full=seen.percent_full,
        dlq=seen.reading.dlq,
        held=seen.reading.buffer.held,
        unsent_s=seen.oldest_unsent_s or 0.0,
        circuit_closed=seen.circuit.state is CircuitState.CLOSED,
        sync_running_s=seen.sync.running_s,
        ofd_stopped=seen.sync.stopped_reason is not None,
        ofd_throttled=seen.sync.throttled,
        disk_failed=seen.disk_failed,
        disk_percent=seen.disk.percent,
        backup_failed=seen.backup.problem is not None,
        capacity_raised=seen.capacity_reminder,
        printer_remedy=min(remedies, key=lambda remedy: remedy == "paper", default=None),
        printer_set_otherwise=any(lane.set_otherwise for lane in seen.lanes),
        fn_ended=any(lane.health.fn_ended for lane in seen.lanes),
        shift_age_s=max((seen.now_s - opened_s for opened_s in shifts), default=0.0),
        fn_documents_left=min(left, default=None),
        fn_days_left=(min(ends) - seen.now_s) / DAY_S if ends else None,
        drift_s=seen.drift_s,
        mismatched=seen.mismatched,
        on_battery=seen.power.on_battery,
        odoo_silent_s=seen.odoo.heartbeat_age_s if seen.odoo else None,
    )
