"""The daemon: builds the objects, starts and joins the threads, tells systemd how it is.

Order of the start: settings, database (locked, checked), recovery, workers, listeners, READY.
Order of the stop: no new sales, the receipt in hand, callers answered, delivery, database.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sdnotify
from prometheus_client import CollectorRegistry

from kktd import __version__, log, wiring
from kktd.api.snapshot import as_gauges, take
from kktd.api.till import SyncJob, SyncView, Till
from kktd.api.times import iso
from kktd.clock import Clock, Deadline, SystemClock
from kktd.config import BufferSettings, Settings, load, require_complete
from kktd.errors import AlreadyRunning, BadConfig, KktdError, StoreUnavailable
from kktd.events import Event
from kktd.metrics import Metrics
from kktd.model.states import CircuitState, NetworkMode
from kktd.network.mode import ModeChange, ModeRules, Network
from kktd.network.prober import Prober
from kktd.ofd.breaker import Breaker, Circuit
from kktd.ofd.delivery import Delivery
from kktd.ofd.pace import Pace
from kktd.ofd.runs import estimate_s
from kktd.printers.registry import make_printer
from kktd.receipts.desk import Desk
from kktd.receipts.handover import Handover
from kktd.receipts.lane import Lane
from kktd.receipts.recovery import recover
from kktd.receipts.reminder import CapacityReminder
from kktd.receipts.waiters import Waiters
from kktd.reload import Reloader
from kktd.store import journal, receipts
from kktd.store.leases import this_boot
from kktd.upkeep import Checkpointer
from kktd.worker import Worker

if TYPE_CHECKING:
    from kktd.api.server import ApiServer

STOP_S: Final = 20.0  # for the receipt in hand
API_STOP_S: Final = 6.0
LANE_STEP_MAX_S: Final = 330.0  # 1 000 lines at the slowest command times
DELIVERY_STEP_MAX_S: Final = 90.0
PROBE_STEP_MAX_S: Final = 30.0
UPKEEP_STEP_MAX_S: Final = 60.0
SETTINGS_STEP_MAX_S: Final = 30.0
STILL_PRINTING_S: Final = 1.0  # how often systemd hears that the receipt in hand goes on
EXTEND_US: Final = 15_000_000  # past the listeners' and the database's end
EXIT_CONFIG: Final = 78  # EX_CONFIG


class Daemon:
    """One till.  `start`, then `run` until asked to stop, then `stop`."""

    def __init__(self, file: Path, settings: Settings, clock: Clock, metrics: Metrics) -> None:
        """Opens and recovers the database; `file` is what `settings` were read from.

        Raises AlreadyRunning, StoreError, BadConfig.
        """
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._notifier = sdnotify.SystemdNotifier()
        self._stop = threading.Event()
        self._ready = False
        state_dir = settings.till.state_dir
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._store = wiring.open_store(state_dir / "kktd.db")
        channel = wiring.channel(settings, clock)
        self.recovered = recover(self._store, clock, settings.till.pos_ids)
        metrics.note_recovered(self.recovered.sessions)
        self._breaker = Breaker(clock, wiring.breaker_rules(settings))
        self._network = Network(clock, ModeRules(), has_odoo=False)
        self._network.subscribe(self._keep_mode_change)
        self._breaker.subscribe(lambda change: self._network.note_circuit(change.now))
        self._prober = Prober(
            wiring.channel(settings, clock), self._network, clock, wiring.probe_rules(settings)
        )
        self._pace = Pace(wiring.pace_rules(settings), random.SystemRandom().random)
        self._delivery = Delivery(
            self._store,
            channel,
            self._breaker,
            self._pace,
            clock,
            this_boot(),
            settings.till.pos_ids[0],
            wiring.delivery_rules(settings),
            wake_worker=lambda: self._workers["delivery"].wake(),
        )
        hlc = wiring.hybrid_clock(clock, self._store.read(receipts.highest_stamp))
        waiters, handover = Waiters(), Handover()
        self._lane = Lane(
            make_printer(settings.printer, clock),
            self._store,
            clock,
            waiters,
            wiring.lane_rules(settings),
            offline=lambda: self._mode() is NetworkMode.OFFLINE,
            registered=self._delivery.wake,
            handover=handover,
            sync_at=self._sync_at,
            status_read=lambda status: wiring.believe(hlc, status, settings.zone),
        )
        self._desk = Desk(
            self._store,
            clock,
            hlc,
            waiters,
            wiring.desk_rules(settings),
            health=lambda: self._lane.health,
            wake_lane=lambda: self._workers["printer"].wake(),
            handover=handover,
            sync_at=self._sync_at,
        )
        self._reminder = CapacityReminder(
            clock, self._store, BufferSettings().capacity, lambda: self._settings.buffer.capacity
        )
        self._reloader = self._make_reloader(file)
        self._workers = self._make_workers()
        self._api = self._make_api()

    # ---- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """The printer's worker, listeners, READY; what sends to the ОФД begins when sales may."""
        self._workers["printer"].start()
        self._api.start()
        self._ready = True
        self._tell_systemd(f"READY=1\nSTATUS={self._status_line()}")
        log.event(
            Event.DAEMON_STARTED,
            version=__version__,
            in_doubt=self.recovered.in_doubt,
            queued=self.recovered.queued,
        )
        for name, worker in self._workers.items():
            if name != "printer":
                worker.start()

    def run(self) -> None:
        """Pet systemd's watchdog while every worker is on time, until asked to stop."""
        interval_s = wiring.watchdog_interval_s()
        while not self._stop.wait(interval_s):
            late = [name for name, on_time in self._on_time().items() if not on_time]
            if late:
                log.event(Event.WORKER_FAILED, worker=late, error="late")
                self._tell_systemd(f"STATUS={', '.join(late)} late")
            else:
                self._tell_systemd(f"WATCHDOG=1\nSTATUS={self._status_line()}")

    def ask_stop(self) -> None:
        """From a signal handler."""
        self._stop.set()

    def ask_reload(self) -> None:
        """From a signal handler."""
        self._reloader.ask()

    def stop(self) -> None:
        """Finish the receipt in hand, answer its caller, keep everything."""
        by = Deadline.after_ms(self._clock, STOP_S * 1000)
        self._tell_systemd("STOPPING=1\nSTATUS=finishing the receipt in hand")
        log.event(Event.DAEMON_STOPPING)
        self._ready = False
        self._desk.close()
        self._lane.stopping = True
        for worker in self._workers.values():
            worker.ask_stop()
        finished = self._finish_receipt(by)
        self._api.stop(Deadline.after_ms(self._clock, API_STOP_S * 1000))
        delivered = self._workers["delivery"].join(by.left_s())
        if delivered:
            self._delivery.close()
        if finished and delivered:
            self._lane.close()
            self._store.close()
        # Else a thread still talks to a device: what it does is settled at the next start.

    def _finish_receipt(self, by: Deadline) -> bool:
        """Whether the lane ended.  A receipt is waited for past `by`, and systemd is told so."""
        longest = Deadline.after_ms(self._clock, LANE_STEP_MAX_S * 1000)
        while not self._workers["printer"].join(STILL_PRINTING_S):
            printing = self._is_printing()
            if longest.passed() or (by.passed() and not printing):
                return False
            if printing:
                self._tell_systemd(f"EXTEND_TIMEOUT_USEC={EXTEND_US}")
        return True

    def _is_printing(self) -> bool:
        try:
            return self._store.read(receipts.count_printing) > 0
        except StoreUnavailable:
            return False

    # ---- parts ------------------------------------------------------------------------------

    def _make_workers(self) -> dict[str, Worker]:
        steps = {
            "printer": (self._lane.step, LANE_STEP_MAX_S),
            "delivery": (self._delivery.step, DELIVERY_STEP_MAX_S),
            "network": (self._prober.step, PROBE_STEP_MAX_S),
            "upkeep": (
                wiring.together(Checkpointer(self._store).step, self._reminder.step),
                UPKEEP_STEP_MAX_S,
            ),
            "settings": (self._reloader.step, SETTINGS_STEP_MAX_S),
        }
        return {
            name: Worker(name, step, self._clock, step_max_s)
            for name, (step, step_max_s) in steps.items()
        }

    def _make_reloader(self, file: Path) -> Reloader:
        return Reloader(
            file,
            self._settings,
            self._clock,
            self._store,
            use=self._use,
            token_changed=self._delivery.settings_changed,
            tell_systemd=self._tell_systemd,
        )

    def _make_api(self) -> ApiServer:
        from kktd.api.app import build_api
        from kktd.api.listeners import open_listeners
        from kktd.api.server import ApiServer

        till = Till(
            desk=self._desk,
            store=self._store,
            clock=self._clock,
            settings=lambda: self._settings,
            lane=lambda: self._lane.health,
            breaker=self._breaker.snapshot,
            sync=self._sync_view,
            network=self._mode,
            delivery=_Control(self._delivery, self._breaker),
            metrics=self._metrics,
            version=__version__,
            workers=self._on_time,
            ready=lambda: self._ready,
            capacity_reminder=lambda: self._reminder.due,
        )
        self._metrics.attach(lambda: as_gauges(take(till)))
        return ApiServer(
            build_api(till),
            open_listeners(self._settings, self._clock),
            max_connections=self._settings.api.max_connections,
        )

    def _use(self, settings: Settings) -> None:
        """What a reload swaps, each set whole; the lane takes its own between two receipts."""
        self._settings = settings
        self._desk.rules = wiring.desk_rules(settings)
        self._lane.use(wiring.lane_rules(settings))
        self._delivery.rules = wiring.delivery_rules(settings)
        self._pace.rules = wiring.pace_rules(settings)
        self._prober.rules = wiring.probe_rules(settings)
        for worker in ("printer", "delivery", "network"):
            self._workers[worker].wake()

    def _sync_at(self, position: int) -> str | None:
        """For the cashier's answer: while the ОФД takes receipts, at the promised rate."""
        closed = self._breaker.state is CircuitState.CLOSED
        if not closed or self._mode() is NetworkMode.OFFLINE:
            return None
        return iso(self._clock.wall_s() + estimate_s(position))

    def _keep_mode_change(self, change: ModeChange) -> None:
        now_ms = int(self._clock.wall_s() * 1000)
        facts = {"was": change.was, "now": change.now}
        self._store.write(lambda db: journal.append(db, Event.NETWORK_MODE_CHANGE, now_ms, **facts))

    def _mode(self) -> NetworkMode:
        return self._network.snapshot().mode

    def _sync_view(self) -> SyncView:
        seen = self._delivery.snapshot()
        last = seen.last_sync
        return SyncView(
            finished_at_s=last.at_s if last else None,
            synced_count=last.synced_count if last else 0,
            failed_count=last.failed_count if last else 0,
            duration_s=last.duration_s if last else 0.0,
            running_s=seen.running_for_s or 0.0,
            stopped_reason=seen.stopped,
        )

    def _on_time(self) -> dict[str, bool]:
        return {name: worker.on_time() for name, worker in self._workers.items()} | {
            "api": self._api.alive
        }

    def _tell_systemd(self, state: str) -> None:
        """sdnotify writes Latin-1 and swallows its failure; systemd wants UTF-8."""
        self._notifier.notify(state.encode().decode("latin-1"))

    def _status_line(self) -> str:
        """`systemctl status` in one line."""
        health = self._lane.health
        printer = "printer ready" if health.ready else f"printer: {health.remedy}"
        queued = self._store.read(receipts.count_queued)
        capacity = self._settings.buffer.capacity
        line = f"{printer}, buffer {queued}/{capacity}, ОФД {self._mode()}"
        refused = self._reloader.refused
        return f"{line}, settings refused: {refused}" if refused else line


class _Control:
    """What a person may do to the delivery (api.till.DeliveryControl)."""

    def __init__(self, delivery: Delivery, breaker: Breaker) -> None:
        self._delivery = delivery
        self._breaker = breaker

    def force(self, *, ignore_backoff: bool, user: str) -> SyncJob:
        job = self._delivery.request_sync(user, force=ignore_backoff)
        return SyncJob(job.job_id, job.estimated_duration_s)

    def wake(self) -> None:
        self._delivery.wake()

    def reset_breaker(self, *, user: str) -> Circuit:
        self._breaker.reset()
        return self._breaker.snapshot()


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM; the exit status says whether a restart can help."""
    parser = argparse.ArgumentParser(prog="kktd", description="Fiscal adapter of a till")
    parser.add_argument("--config", type=Path, default=Path("/etc/kktd/kktd.toml"))
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(argv)
    try:
        settings = load(options.config)
        require_complete(settings)
        metrics = Metrics(CollectorRegistry(), settings.till.pos_ids)
        log.configure(sys.stderr, metrics.observe)
        daemon = Daemon(options.config, settings, SystemClock(), metrics)
    except KktdError as error:
        log.configure(sys.stderr)
        log.event(Event.DAEMON_REFUSED, code=error.code, reason=str(error), facts=error.details)
        return EXIT_CONFIG if isinstance(error, BadConfig | AlreadyRunning) else 1
    except OSError as error:  # an address that is taken, a folder that is not ours
        log.configure(sys.stderr)
        log.event(Event.DAEMON_REFUSED, code="OS_ERROR", reason=str(error))
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.ask_stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.ask_reload())
    daemon.start()
    daemon.run()
    daemon.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
