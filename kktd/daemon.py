"""The daemon: starts and joins the threads of its parts, tells systemd how it is.

Order of the start: settings, database (locked, checked), recovery, workers, listeners, READY.
Order of the stop: no new callers (where systemd keeps them for the next daemon), no new sales, the
receipt in hand, callers answered, delivery, database.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sdnotify
from prometheus_client import CollectorRegistry

from kktd import __version__, log, wiring
from kktd.assembly import Assembly
from kktd.clock import Clock, Deadline, SystemClock
from kktd.config import Settings
from kktd.errors import AlreadyRunning, BadConfig, KktdError, StoreUnavailable
from kktd.events import Event
from kktd.halting import POWER, POWER_STEP_MAX_S
from kktd.metrics import Metrics
from kktd.printing import LANE_STEP_MAX_S, is_lane
from kktd.settings_file import load, require_complete
from kktd.store import buffer

STOP_S: Final = 20.0  # for the receipt in hand
DRAIN_S: Final = 1.0  # for requests that are on their way
API_STOP_S: Final = 6.0
STILL_PRINTING_S: Final = 1.0  # how often systemd hears that the receipt in hand goes on
EXTEND_US: Final = 15_000_000  # past the listeners' and the database's end
EXIT_CONFIG: Final = 78  # EX_CONFIG


class Daemon:
    """One till.  `start`, then `run` until asked to stop, then `stop`."""

    def __init__(self, file: Path, settings: Settings, clock: Clock, metrics: Metrics) -> None:
        """Builds all parts (assembly.py); raises AlreadyRunning, StoreError, BadConfig."""
        self._clock = clock
        self._notifier = sdnotify.SystemdNotifier()
        self._stop = threading.Event()
        self._parts = Assembly(file, settings, clock, metrics, self._tell_systemd)

    def start(self) -> None:
        """The lanes' workers, listeners, READY; what sends to the ОФД begins when sales may."""
        workers = self._parts.workers
        lanes = [worker for name, worker in workers.items() if is_lane(name)]
        for worker in lanes:
            worker.start()
        self._parts.api.start()
        self._parts.ready = True
        self._tell_systemd(f"READY=1\nSTATUS={self._parts.status_line()}")
        log.event(
            Event.DAEMON_STARTED,
            version=__version__,
            in_doubt=self._parts.recovered.in_doubt,
            queued=self._parts.recovered.queued,
        )
        for worker in workers.values():
            if worker not in lanes:
                worker.start()

    def run(self) -> None:
        """Pet systemd's watchdog while every worker is on time, until asked to stop."""
        interval_s = wiring.watchdog_interval_s()
        while not self._stop.wait(interval_s):
            if self._parts.keeping.damaged or self._parts.power.stuck:
                return  # systemd starts it again, and the start looks closer
            late = late_ones(self._parts.on_time())
            if late:
                log.event(Event.WORKER_FAILED, worker=late, error="late")
            self._tell_systemd(sign_of_life(late, self._parts.status_line()))

    def ask_stop(self) -> None:
        """From a signal handler."""
        self._stop.set()

    def ask_reload(self) -> None:
        """From a signal handler."""
        self._parts.reloader.ask()

    def stop(self) -> None:
        """Finish the receipt in hand, answer its caller, keep everything."""
        by = Deadline.after_ms(self._clock, STOP_S * 1000)
        self._tell_systemd("STOPPING=1\nSTATUS=finishing the receipt in hand")
        log.event(Event.DAEMON_STOPPING)
        drained = self._parts.api.drain(Deadline.after_ms(self._clock, DRAIN_S * 1000))
        self._parts.ready = False
        if not drained:
            self._parts.desk.close()
        # Else nobody new comes, and a sale on its way is taken: the next daemon prints it.
        self._parts.workers[POWER].ask_stop()
        self._parts.workers[POWER].join(POWER_STEP_MAX_S)
        for lane in self._parts.lanes:
            lane.wind_up()
        for worker in self._parts.workers.values():
            worker.ask_stop()
        finished = self._finish_receipt(by)
        self._parts.api.stop(Deadline.after_ms(self._clock, API_STOP_S * 1000))
        self._parts.desk.close()
        delivered = self._parts.workers["delivery"].join(by.left_s())
        closed = self._parts.power.seen.closed  # before the battery ended
        if delivered and not closed:
            self._parts.delivery.close()
        if finished and delivered and not closed:
            for lane in self._parts.lanes:
                lane.close()
            self._parts.store.close()
        # Else a thread still talks to a device: what it does is settled at the next start.
        self._parts.tracing.close()

    def _finish_receipt(self, by: Deadline) -> bool:
        """Whether every lane ended; a receipt is waited for past `by`, and systemd is told so."""
        longest = Deadline.after_ms(self._clock, LANE_STEP_MAX_S * 1000)
        lanes = [worker for name, worker in self._parts.workers.items() if is_lane(name)]
        while not all([worker.join(STILL_PRINTING_S) for worker in lanes]):
            printing = self._is_printing()
            if longest.passed() or (by.passed() and not printing):
                return False
            if printing:
                self._tell_systemd(f"EXTEND_TIMEOUT_USEC={EXTEND_US}")
        return True

    def _is_printing(self) -> bool:
        try:
            return self._parts.store.read(buffer.count_printing) > 0
        except StoreUnavailable:
            return False

    def _tell_systemd(self, state: str) -> None:
        """sdnotify writes Latin-1 and swallows its failure; systemd wants UTF-8."""
        self._notifier.notify(state.encode().decode("latin-1"))


def late_ones(on_time: Mapping[str, bool]) -> list[str]:
    """Those whose step takes longer than it may."""
    return [name for name, is_on_time in on_time.items() if not is_on_time]


def sign_of_life(late: list[str], status: str) -> str:
    """What systemd hears now; who hangs is named, and its watchdog is not petted for the rest."""
    return f"STATUS={', '.join(late)} late, {status}" if late else f"WATCHDOG=1\nSTATUS={status}"


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
