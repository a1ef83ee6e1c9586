"""A desk without a lane behind it: what it accepts stays on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kktd.clock import HybridClock, SystemClock
from kktd.model.device import FIRST_PRINTER
from kktd.receipts.admission import DeskRules, PrinterRules
from kktd.receipts.desk import Desk
from kktd.receipts.handover import Handover
from kktd.receipts.health import LaneHealth
from kktd.receipts.waiters import Waiters
from kktd.store import receipts
from kktd.store.store import Store

ROOM = 10**9


@dataclass(frozen=True)
class NoLane:
    """A printer that is well and never asked."""

    name: str = FIRST_PRINTER
    pos_ids: tuple[str, ...] = ("POS-001",)
    health: LaneHealth = LaneHealth(ready=True, remedy=None, since_s=0.0)
    handover: Handover = field(default_factory=Handover)
    wake: Callable[[], None] = lambda: None


def roomy_desk(store: Store) -> Desk:
    """Takes every sale."""
    clock, lane = SystemClock(), NoLane()
    rules = DeskRules(ROOM, {lane.name: PrinterRules(ROOM, open_shift_on_sale=True)})
    hlc = HybridClock(clock, store.read(receipts.highest_stamp))
    return Desk(store, clock, hlc, Waiters(), rules, lane_of=lambda _: lane)
