"""The thin shell around a pure step: a thread, a wake-up, a promise of the next sign of life."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from kktd import log
from kktd.clock import Clock
from kktd.errors import KktdError
from kktd.events import Event

FAILED_WAIT_S: Final = 1.0  # after a step that raised: neither a spin nor a stop
RESTING_S: Final = 5.0  # between two signs of life of one that rests
SLACK_S: Final = 5.0  # a waiting thread may be late by this much on a loaded till


class Worker:
    """Runs `step(now) -> next_due` (monotonic s) in one thread until stopped.

    Under a virtual clock nobody starts it: `turn` and `take_wake` are what the thread does.
    `step_max_s` is the longest a step may take; `on_time_until_s` is what the watchdog compares.
    """

    def __init__(
        self, name: str, step: Callable[[float], float], clock: Clock, step_max_s: float
    ) -> None:
        self.name = name
        self._step = step
        self._clock = clock
        self._step_max_s = step_max_s
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._resting = False
        self._stepping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.on_time_until_s = clock.monotonic_s() + step_max_s

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is work: do not wait for the time it asked for."""
        self._wake.set()

    def rest(self) -> None:
        """No step after the one in hand, until `resume`."""
        self._resting = True

    def resume(self) -> None:
        self._resting = False
        self.wake()

    @property
    def resting(self) -> bool:
        """Asked to rest, and no step is under way: none begins before `resume`."""
        return self._resting and not self._stepping

    def ask_stop(self) -> None:
        """End after the step in hand."""
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float) -> bool:
        """Wait for the end; whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def on_time(self) -> bool:
        return self._clock.monotonic_s() <= self.on_time_until_s

    def take_wake(self) -> bool:
        """Whether somebody woke it since the last turn; forgets it."""
        woken = self._wake.is_set()
        self._wake.clear()
        return woken

    def turn(self) -> float:
        """One step, whatever it raises; when the next is due (monotonic s)."""
        self._wake.clear()
        now_s = self._clock.monotonic_s()
        self.on_time_until_s = now_s + self._step_max_s
        self._stepping = True  # first: whoever sees False after `rest` may rely on it
        try:
            due_s = now_s + RESTING_S if self._resting else self._step(now_s)
        except KktdError as error:
            log.event(Event.WORKER_FAILED, worker=self.name, error=error.code, facts=error.details)
            due_s = self._clock.monotonic_s() + FAILED_WAIT_S
        except Exception as error:  # noqa: BLE001 - a thread's top: logged, counted, goes on
            log.event(Event.WORKER_FAILED, worker=self.name, error=repr(error))
            due_s = self._clock.monotonic_s() + FAILED_WAIT_S
        finally:
            self._stepping = False
        self.on_time_until_s = max(due_s, self._clock.monotonic_s()) + SLACK_S
        return due_s

    def _run(self) -> None:
        while not self._stop.is_set():
            due_s = self.turn()
            self._wake.wait(max(0.0, due_s - self._clock.monotonic_s()))
