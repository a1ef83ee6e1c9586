"""A lane for every printer of the settings, and the workers that run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kktd import wiring
from kktd.clock import Clock
from kktd.config import PrinterSettings, Settings
from kktd.model.device import FIRST_PRINTER
from kktd.printers.base import FiscalPrinter, PrinterStatus
from kktd.receipts.answers import SyncAt
from kktd.receipts.lane import Lane
from kktd.receipts.lanes import Lanes
from kktd.receipts.waiters import Waiters
from kktd.store.store import Store
from kktd.trace import Tracing
from kktd.worker import Worker

# The longest a lane's step may take, s: what the watchdog waits for.
LANE_STEP_MAX_S: Final = 330.0  # 1 000 lines at the slowest command times


@dataclass(frozen=True, slots=True)
class Around:
    """What every lane is connected to besides its printer."""

    store: Store
    clock: Clock
    waiters: Waiters
    offline: Callable[[], bool]
    registered: Callable[[], None]
    sync_at: SyncAt
    status_read: Callable[[PrinterStatus], None]
    tracing: Tracing
    worker: Callable[[str], Worker]


def make_lanes(
    settings: Settings,
    make_printer: Callable[[PrinterSettings, Clock], FiscalPrinter],
    around: Around,
) -> Lanes:
    """One lane a printer; nothing is asked of the devices yet."""

    def make(name: str, printer: PrinterSettings) -> Lane:
        return Lane(
            make_printer(printer, around.clock),
            around.store,
            around.clock,
            around.waiters,
            wiring.lane_rules(settings, name),
            offline=around.offline,
            registered=around.registered,
            name=name,
            pos_ids=printer.pos_ids,
            wake=lambda: around.worker(worker_name(name)).wake(),
            sync_at=around.sync_at,
            zone=settings.zone,
            status_read=around.status_read,
            tracing=around.tracing,
        )

    return Lanes(make(name, printer) for name, printer in settings.lanes.items())


def worker_name(printer: str) -> str:
    """`printer` for the first, `printer:NAME` for the others."""
    return "printer" if printer == FIRST_PRINTER else f"printer:{printer}"


def is_lane(worker: str) -> bool:
    """Whether this worker runs a lane."""
    return worker.partition(":")[0] == "printer"


def steps(lanes: Lanes) -> dict[str, tuple[Callable[[float], float], float]]:
    """The lanes' rows of the table of workers."""
    return {worker_name(lane.name): (lane.step, LANE_STEP_MAX_S) for lane in lanes}


def swap_rules(lanes: Lanes, settings: Settings) -> None:
    """Each lane takes its own between two receipts."""
    for lane in lanes:
        lane.use(wiring.lane_rules(settings, lane.name))
        lane.wake()


def status_line(lanes: Lanes) -> str:
    """The printers as `systemctl status` shows them."""
    several = len(list(lanes)) > 1
    said = []
    for lane in lanes:
        name = f"printer {lane.name}" if several else "printer"
        said.append(f"{name} ready" if lane.health.ready else f"{name}: {lane.health.remedy}")
    return ", ".join(said)
