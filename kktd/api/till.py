"""What the routes may ask of the till: one dataclass with explicit fields, built by `daemon.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kktd.clock import Clock, Deadline, SystemClock
from kktd.config import Settings
from kktd.errors import NoNetwork, NotNow
from kktd.metrics import Metrics
from kktd.model.states import NetworkMode
from kktd.odoo.link import LinkSeen
from kktd.odoo.questions import Questions
from kktd.ofd.breaker import Circuit
from kktd.power.power import PowerSeen
from kktd.power.table import UpsEvent
from kktd.receipts.desk import Desk
from kktd.receipts.lanes import Lanes
from kktd.store.salvages import Salvage
from kktd.store.store import Store
from kktd.trace import Tracing
from kktd.update.state import UpdateState
from kktd.upkeep.backup import BackupSeen
from kktd.upkeep.disk import Disk

if TYPE_CHECKING:
    from kktd.ofd.probe import Report


@dataclass(frozen=True, slots=True)
class SyncView:
    """The last finished sync, and how long one runs now."""

    finished_at_s: float | None = None
    synced_count: int = 0
    failed_count: int = 0
    duration_s: float = 0.0
    running_s: float = 0.0
    throttled: bool = False  # 429: receipts leave more slowly
    stopped_reason: str | None = None  # 401/403: the queue stands until the settings change


@dataclass(frozen=True, slots=True)
class SyncJob:
    """A forced sync that was started."""

    job_id: str
    estimated_duration_s: float


class DeliveryControl(Protocol):
    """What a person may do to the delivery.  Blocking for one transaction at most."""

    def force(self, *, ignore_backoff: bool, user: str) -> SyncJob:
        """Start a sync now; raises LeaseHeld (who holds the lock), NoNetwork."""

    def wake(self) -> None:
        """There is something to send."""

    def reset_breaker(self, *, user: str) -> Circuit:
        """Close the breaker by hand."""


@dataclass(frozen=True, slots=True)
class BackupControl:
    """What may be asked of the copies; of a till without a second place, nothing."""

    seen: Callable[[], BackupSeen] = BackupSeen
    ask: Callable[[], None] = lambda: None
    find_copies: Callable[[], list[tuple[str, int]]] = list


def _not_salvaged() -> Salvage | None:
    return None


@dataclass(frozen=True, slots=True)
class SalvageControl:
    """What may be asked of the last salvage; of a till that never had one, nothing."""

    seen: Callable[[], Salvage | None] = _not_salvaged
    confirm: Callable[[str], object] = lambda _: None


class PowerControl(Protocol):
    """What apcupsd's scripts say and ask (power/power.py)."""

    @property
    def seen(self) -> PowerSeen: ...
    def note(self, event: UpsEvent) -> PowerSeen: ...
    def wait(self, by: Deadline) -> PowerSeen: ...


class NoUps:
    """Of a till without one."""

    seen = PowerSeen()

    def note(self, event: UpsEvent) -> PowerSeen:
        del event
        return self.seen

    def wait(self, by: Deadline) -> PowerSeen:
        del by
        return self.seen


def _no_workers() -> Mapping[str, bool]:
    return {}


def _no_ofd() -> Report:
    raise NoNetwork("this till knows no ОФД")


@dataclass(frozen=True, slots=True)
class Till:
    """Callables are read on every use: a reload or a worker may replace what they return."""

    desk: Desk
    store: Store
    clock: Clock
    settings: Callable[[], Settings]
    lanes: Lanes
    breaker: Callable[[], Circuit]
    sync: Callable[[], SyncView]
    network: Callable[[], NetworkMode]
    delivery: DeliveryControl
    metrics: Metrics
    version: str
    workers: Callable[[], Mapping[str, bool]] = field(default=_no_workers)  # name -> on time
    network_for_s: Callable[[], float] = field(default=lambda: 0.0)  # in its present mode
    ready: Callable[[], bool] = field(default=lambda: True)  # recovery is over, workers run
    odoo: Callable[[], LinkSeen] | None = None  # None: this till has no Odoo
    questions: Questions | None = None
    test_alert: Callable[[], None] = field(default=lambda: None)
    probe_ofd: Callable[[], Report] = field(default=_no_ofd)
    refresh_catalogue: Callable[[], None] = field(default=lambda: None)
    disk: Callable[[], Disk] = field(default=Disk)
    backup: BackupControl = BackupControl()
    updates: Callable[[], UpdateState | None] = field(default=lambda: None)  # None: no image
    salvage: SalvageControl = SalvageControl()
    power: PowerControl = field(default_factory=NoUps)
    bar: Callable[[], NotNow | None] = field(default=lambda: None)  # of the whole box (Desk)
    tracing: Tracing = field(default_factory=lambda: Tracing(SystemClock()))
    mismatched: bool = False  # a shift's sums were not those of its movements at the start
    old_shifts: Callable[[], frozenset[str]] = field(default=frozenset)  # pos_ids, over 23 h
    capacity_reminder: Callable[[], bool] = field(default=lambda: False)  # raised for long
