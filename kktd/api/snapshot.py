"""The till at one moment, and the one question everybody asks: can it sell?"""

from __future__ import annotations

from dataclasses import dataclass

from kktd.api.till import SyncView, Till
from kktd.metrics import Drawer, Gauges
from kktd.model.states import NetworkMode
from kktd.odoo.link import LinkSeen
from kktd.ofd.breaker import Circuit
from kktd.printers.base import Shift
from kktd.receipts.health import LaneHealth
from kktd.store import gauges
from kktd.store.gauges import Reading


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`obstacle` is the code of what keeps it from selling, None when nothing does."""

    now_s: float
    reading: Reading
    capacity: int
    lane: LaneHealth
    circuit: Circuit
    sync: SyncView
    network: NetworkMode
    network_for_s: float
    disk_failed: bool
    capacity_reminder: bool
    odoo: LinkSeen | None
    obstacle: str | None

    @property
    def percent_full(self) -> float:
        return round(100 * self.reading.buffer.queued / self.capacity, 1)

    @property
    def oldest_unsent_s(self) -> float | None:
        since = self.reading.oldest_registered_at_s
        return None if since is None else max(0.0, self.now_s - since)

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
    reading = till.store.read(lambda db: gauges.read(db, pos_ids))
    lane = till.lane()
    return Snapshot(
        now_s=till.clock.wall_s(),
        reading=reading,
        capacity=settings.buffer.capacity,
        lane=lane,
        circuit=till.breaker(),
        sync=till.sync(),
        network=till.network(),
        network_for_s=till.network_for_s(),
        disk_failed=till.store.failed is not None,
        capacity_reminder=till.capacity_reminder(),
        odoo=till.odoo() if till.odoo else None,
        obstacle=_obstacle(till, reading, lane),
    )


def _obstacle(till: Till, reading: Reading, lane: LaneHealth) -> str | None:
    """In the order the desk would refuse a sale."""
    settings = till.settings()
    if not till.ready():
        return "SHUTTING_DOWN"
    if till.store.failed is not None:
        return "DISK_FULL"
    if reading.maintenance is not None:
        return "MAINTENANCE"
    if reading.buffer.queued >= settings.buffer.capacity:
        return "BUFFER_FULL"
    if lane.fn_ended is not None:
        return lane.fn_ended.upper()
    waiting = reading.buffer.waiting_for_printer
    if not lane.ready and waiting >= settings.printer.max_unprinted:
        return "PRINTER_UNAVAILABLE"
    status = lane.status
    if status is not None and lane.ready:
        if status.shift is Shift.EXPIRED:
            return "SHIFT_EXPIRED"
        if status.shift is Shift.CLOSED and not settings.printer.open_shift_on_sale:
            return "SHIFT_CLOSED"
    return None


def as_gauges(seen: Snapshot) -> Gauges:
    """The same for Prometheus."""
    return Gauges(
        now_s=seen.now_s,
        queued=seen.reading.buffer.queued,
        capacity=seen.capacity,
        in_doubt=seen.reading.buffer.in_doubt,
        dlq=seen.reading.dlq,
        oldest_unsent_s=seen.oldest_unsent_s,
        circuit=seen.circuit.state,
        mode=seen.network,
        can_sell=seen.obstacle is None,
        sync_running_s=seen.sync.running_s,
        drift_s=seen.drift_s,
        heartbeat_age_s=seen.odoo.heartbeat_age_s if seen.odoo else None,
        heartbeat_failures=seen.odoo.failures if seen.odoo else None,
        drawers={
            pos_id: Drawer(shift.cash_kopecks, shift.opened_at_s, shift.unsynced)
            for pos_id, shift in seen.reading.shifts.items()
        },
    )
