"""Every part of one till, built and joined: the objects, the table of workers, what a reload swaps.

Nothing runs here; `daemon.py` starts and stops what is built.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kktd import __version__, printing, wiring
from kktd.alerts.outbox import Channel
from kktd.alerts.watch import AlertWatch
from kktd.api.heartbeat import heartbeat_body
from kktd.api.snapshot import as_facts, as_gauges, take
from kktd.api.till import BackupControl, SalvageControl, SyncView, Till
from kktd.api.times import iso
from kktd.clock import Clock
from kktd.config import BufferSettings, PrinterSettings, Settings
from kktd.delivering import Control
from kktd.events import Event
from kktd.halting import POWER, POWER_STEP_MAX_S, make_power
from kktd.keeping import Keeping
from kktd.metrics import Metrics
from kktd.model.states import CircuitState, NetworkMode
from kktd.network.mode import ModeChange, ModeRules, Network
from kktd.network.prober import Prober
from kktd.odoo.client import Odoo
from kktd.odoo.link import OdooLink
from kktd.odoo.questions import Questions
from kktd.ofd.breaker import Breaker
from kktd.ofd.channel import OfdChannel
from kktd.ofd.delivery import Delivery
from kktd.ofd.pace import Pace
from kktd.ofd.runs import estimate_s
from kktd.power.table import UpsEvent
from kktd.printers.base import FiscalPrinter
from kktd.printers.registry import make_printer
from kktd.receipts.desk import Desk
from kktd.receipts.lanes import Lanes
from kktd.receipts.recovery import recover
from kktd.receipts.reminder import CapacityReminder
from kktd.receipts.shift_reminder import ShiftReminder
from kktd.receipts.waiters import Waiters
from kktd.reload import Reloader
from kktd.store import buffer, journal, receipts
from kktd.store.leases import Boot, this_boot
from kktd.update.box import Box, seen_by
from kktd.worker import Worker

if TYPE_CHECKING:
    from kktd.api.server import ApiServer, Bound

# The longest each worker's step may take, s: what the watchdog waits for.
DELIVERY_STEP_MAX_S: Final = 90.0
PROBE_STEP_MAX_S: Final = 30.0
ALERTS_STEP_MAX_S: Final = 30.0  # one call to each channel, 5 s at most
ODOO_STEP_MAX_S: Final = 900.0  # twenty pages and a batch refused one by one, each at its slowest
UPKEEP_STEP_MAX_S: Final = 60.0
NIGHT_STEP_MAX_S: Final = 900.0  # a copy on its way to a slow server
SETTINGS_STEP_MAX_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Outside:
    """What the till is connected to.  A simulation puts its own ends here, and its own chance."""

    printer: Callable[[PrinterSettings, Clock], FiscalPrinter] = make_printer
    ofd: Callable[[Settings, Clock], OfdChannel] = wiring.channel
    odoo: Callable[[Settings], Odoo] = wiring.odoo_client
    alerts: Callable[[Settings, Clock], Sequence[Channel]] = wiring.alert_channels
    ups: Callable[[Settings, Clock], tuple[UpsEvent, ...]] = wiring.missed_by_power
    listeners: Callable[[Settings, Clock], tuple[Bound, ...]] = wiring.listeners
    boot: Callable[[], Boot] = this_boot
    chance: Callable[[], float] = random.SystemRandom().random


class Assembly:
    """One till's parts.  `ready` is set by who runs them."""

    def __init__(
        self,
        file: Path,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        tell_systemd: Callable[[str], None],
        outside: Outside | None = None,
    ) -> None:
        """Opens and recovers the database; `file` is what `settings` were read from.

        Raises AlreadyRunning, StoreError, BadConfig.
        """
        self._outside = outside or Outside()
        self.settings = settings
        self.ready = False
        self._clock = clock
        self._metrics = metrics
        self.tracing = wiring.tracing(settings, clock)
        state_dir = settings.till.state_dir
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = wiring.open_store(state_dir / "kktd.db", clock)
        self.recovered = recover(self.store, clock, settings.printer_of)
        metrics.note_recovered(self.recovered.sessions)
        self._hlc = wiring.hybrid_clock(clock, self.store.read(receipts.highest_stamp))
        self._breaker = Breaker(clock, wiring.breaker_rules(settings))
        self._network = self._make_network()
        self._prober = Prober(
            self._make_channel(), self._network, clock, wiring.probe_rules(settings)
        )
        self._pace = Pace(wiring.pace_rules(settings), self._outside.chance)
        self.delivery = self._make_delivery()
        self.keeping = Keeping(
            settings, clock, self.store, lambda: self._hlc.last.local_time_s, self._on_battery
        )
        waiters = Waiters()
        self.lanes = self._make_lanes(waiters)
        self.power = make_power(
            clock,
            self.store,
            self.lanes,
            self.delivery,
            lambda: self.workers,
            lambda: self._outside.ups(settings, clock),
        )
        self.desk = self._make_desk(waiters)
        self._link = self._make_link()
        self._questions = self._make_questions()
        self._shifts = ShiftReminder(self.store, clock, settings.till.pos_ids)
        self._reminder = CapacityReminder(
            clock, self.store, BufferSettings().capacity, lambda: self.settings.buffer.capacity
        )
        self._alerts = AlertWatch(
            clock,
            self.store,
            lambda: as_facts(take(self.till)),
            self._outside.alerts(settings, clock),
        )
        self.reloader = self._make_reloader(file, tell_systemd)
        self.workers = self._make_workers()
        self.till = self._make_till()
        self.api = self._make_api()

    # ---- parts ------------------------------------------------------------------------------

    def _make_network(self) -> Network:
        network = Network(self._clock, ModeRules(), has_odoo=bool(self.settings.odoo.url))
        network.subscribe(self._keep_mode_change)
        self._breaker.subscribe(lambda change: network.note_circuit(change.now))
        return network

    def _make_channel(self) -> OfdChannel:
        if self.settings.ofd.channel == "device":
            return wiring.device_channel(self.settings, self._clock, lambda: self.lanes)
        return self._outside.ofd(self.settings, self._clock)

    def _make_delivery(self) -> Delivery:
        return Delivery(
            self.store,
            self._make_channel(),
            self._breaker,
            self._pace,
            self._clock,
            self._outside.boot(),
            self.settings.till.pos_ids[0],
            wiring.delivery_rules(self.settings),
            shared_lock=wiring.shared_lock(self.settings, self._clock),
            wake_worker=lambda: self.workers["delivery"].wake(),
            server_time_s=lambda: self._link.server_time_s() if self._link else None,
            tracing=self.tracing,
        )

    def _make_link(self) -> OdooLink | None:
        """None without an Odoo."""
        if not self.settings.odoo.url:
            return None
        return OdooLink(
            self._outside.odoo(self.settings),
            self.store,
            self._network,
            self._clock,
            self.settings.till.pos_ids[0],
            wiring.link_rules(self.settings),
            report=lambda: heartbeat_body(take(self.till), self._hlc.last, __version__),
            on_battery=self._on_battery,
            tracing=self.tracing,
        )

    def _make_questions(self) -> Questions | None:
        if not self.settings.odoo.url:
            return None
        return Questions(
            self._outside.odoo(self.settings),
            self.store,
            self._clock,
            lambda: self.settings.odoo.timeout_ms,
        )

    def _make_lanes(self, waiters: Waiters) -> Lanes:
        zone = self.settings.zone
        around = printing.Around(
            self.store,
            self._clock,
            waiters,
            offline=lambda: self.mode() is NetworkMode.OFFLINE,
            registered=self.delivery.wake,
            sync_at=self._sync_at,
            status_read=lambda status: wiring.believe(self._hlc, status, zone),
            tracing=self.tracing,
            worker=lambda name: self.workers[name],
        )
        return printing.make_lanes(self.settings, self._outside.printer, around)

    def _on_battery(self) -> bool:
        return self.power.seen.on_battery

    def _make_desk(self, waiters: Waiters) -> Desk:
        return Desk(
            self.store,
            self._clock,
            self._hlc,
            waiters,
            wiring.desk_rules(self.settings),
            lane_of=self.lanes.find,
            sync_at=self._sync_at,
            bar=self.keeping.bar,
            power_low=lambda: self.power.seen.refuses,
        )

    def _make_workers(self) -> dict[str, Worker]:
        steps = {
            **printing.steps(self.lanes),
            "delivery": (self.delivery.step, DELIVERY_STEP_MAX_S),
            "network": (self._prober.step, PROBE_STEP_MAX_S),
            "upkeep": (
                wiring.together(self.keeping.step, self._reminder.step, self._shifts.step),
                UPKEEP_STEP_MAX_S,
            ),
            "night": (self.keeping.night_step, NIGHT_STEP_MAX_S),
            "settings": (self.reloader.step, SETTINGS_STEP_MAX_S),
        }
        steps["alerts"] = (self._alerts.step, ALERTS_STEP_MAX_S)
        steps[POWER] = (self.power.step, POWER_STEP_MAX_S)
        if self._link is not None:
            steps["odoo"] = (self._link.step, ODOO_STEP_MAX_S)
        return {
            name: Worker(name, step, self._clock, step_max_s)
            for name, (step, step_max_s) in steps.items()
        }

    def _make_reloader(self, file: Path, tell_systemd: Callable[[str], None]) -> Reloader:
        return Reloader(
            file,
            self.settings,
            self._clock,
            self.store,
            use=self.use,
            token_changed=self.delivery.settings_changed,
            tell_systemd=tell_systemd,
        )

    def _make_till(self) -> Till:
        return Till(
            desk=self.desk,
            store=self.store,
            clock=self._clock,
            settings=lambda: self.settings,
            lanes=self.lanes,
            breaker=self._breaker.snapshot,
            sync=self._sync_view,
            network=self.mode,
            network_for_s=lambda: self._network.snapshot().for_s,
            delivery=Control(self.delivery, self._breaker),
            metrics=self._metrics,
            version=__version__,
            workers=self.on_time,
            ready=lambda: self.ready and not self.power.seen.refuses,
            power=self.power,
            old_shifts=lambda: self._shifts.old,
            capacity_reminder=lambda: self._reminder.due,
            disk=lambda: self.keeping.disk.seen,
            salvage=SalvageControl(lambda: self.keeping.salvage.seen, self.keeping.salvage.confirm),
            backup=BackupControl(
                lambda: self.keeping.backup.seen,
                self._ask_backup,
                self.keeping.backup.find_copies,
            ),
            bar=self.keeping.bar,
            odoo=self._link.seen if self._link else None,
            questions=self._questions,
            refresh_catalogue=self._refresh_catalogue,
            test_alert=self._test_alert,
            probe_ofd=lambda: wiring.probe_ofd(self.settings, self._clock, self.lanes),
            mismatched=bool(self.recovered.mismatched),
            tracing=self.tracing,
            updates=lambda: seen_by(Box(), self._clock.wall_s()),
        )

    def _ask_backup(self) -> None:
        self.keeping.backup.ask()
        self.workers["night"].wake()

    def _test_alert(self) -> None:
        self._alerts.test()
        self.workers["alerts"].wake()

    def _refresh_catalogue(self) -> None:
        if self._link is not None:
            self._link.refresh()
            self.workers["odoo"].wake()

    def _make_api(self) -> ApiServer:
        from kktd.api.app import build_api
        from kktd.api.server import ApiServer

        self._metrics.attach(lambda: as_gauges(take(self.till)))
        return ApiServer(
            build_api(self.till),
            self._outside.listeners(self.settings, self._clock),
            self._clock,
            max_connections=self.settings.api.max_connections,
        )

    def use(self, settings: Settings) -> None:
        """What a reload swaps, each set whole; the lane takes its own between two receipts."""
        if settings.alerts != self.settings.alerts:
            self._alerts.use(self._outside.alerts(settings, self._clock))
        self.settings = settings
        self.desk.rules = wiring.desk_rules(settings)
        printing.swap_rules(self.lanes, settings)
        self.delivery.rules = wiring.delivery_rules(settings)
        self._pace.rules = wiring.pace_rules(settings)
        self._prober.rules = wiring.probe_rules(settings)
        if self._link is not None:
            self._link.rules = wiring.link_rules(settings)
        for worker in ("delivery", "network"):
            self.workers[worker].wake()

    def _sync_at(self, position: int) -> str | None:
        """For the cashier's answer: while the ОФД takes receipts, at the promised rate."""
        closed = self._breaker.state is CircuitState.CLOSED
        if not closed or self.mode() is NetworkMode.OFFLINE:
            return None
        return iso(self._clock.wall_s() + estimate_s(position))

    def _keep_mode_change(self, change: ModeChange) -> None:
        now_ms = int(self._clock.wall_s() * 1000)
        facts = {"was": change.was, "now": change.now}
        self.store.write(lambda db: journal.append(db, Event.NETWORK_MODE_CHANGE, now_ms, **facts))

    def mode(self) -> NetworkMode:
        """Of the network, as last seen."""
        return self._network.snapshot().mode

    def _sync_view(self) -> SyncView:
        seen = self.delivery.snapshot()
        last = seen.last_sync
        return SyncView(
            finished_at_s=last.at_s if last else None,
            synced_count=last.synced_count if last else 0,
            failed_count=last.failed_count if last else 0,
            duration_s=last.duration_s if last else 0.0,
            running_s=seen.running_for_s or 0.0,
            stopped_reason=seen.stopped,
            throttled=seen.throttled,
        )

    def on_time(self) -> dict[str, bool]:
        """Every worker by name, and the listeners."""
        return {name: worker.on_time() for name, worker in self.workers.items()} | {
            "api": self.api.on_time()
        }

    def status_line(self) -> str:
        """`systemctl status` in one line."""
        if self.power.seen.refuses:
            return "the battery ends: shutting down"
        printers = printing.status_line(self.lanes)
        queued = self.store.read(buffer.count_queued)
        capacity = self.settings.buffer.capacity
        line = f"{printers}, buffer {queued}/{capacity}, ОФД {self.mode()}"
        refused = self.reloader.refused
        return f"{line}, settings refused: {refused}" if refused else line
