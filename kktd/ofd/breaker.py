"""The circuit breaker before the ОФД (§5.4): five failures in a row, a minute of rest, one probe.

pybreaker keeps the states.  It would hold its lock for as long as a call lasts, so the call is made
outside and only its outcome is passed through; its own time would be the wall clock, so the moment
of opening is kept on the monotonic one.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# pybreaker loads redis where it is installed, for a storage that is not used here: it would cost
# every till the time and memory of a library that only a configured lock needs.
if "redis" not in sys.modules:
    sys.modules["redis"] = None  # type: ignore[assignment]  # «not there», says the import system
    import pybreaker

    del sys.modules["redis"]
else:
    import pybreaker

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.model.states import CircuitState
from kktd.ofd.channel import DeliveryError, Misconfigured, NotAccepted, Throttled

# Answers of an ОФД that lives: they say nothing against the connection.
NOT_FAILURES: Final = (NotAccepted, Misconfigured, Throttled)

_STATES: Final = {
    pybreaker.STATE_CLOSED: CircuitState.CLOSED,
    pybreaker.STATE_OPEN: CircuitState.OPEN,
    pybreaker.STATE_HALF_OPEN: CircuitState.HALF_OPEN,
}


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """`failures` in a row open it for `open_s`."""

    failures: int = 5
    open_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """What the API, health and metrics show.  Wall-clock seconds; None: never, or not waiting."""

    state: CircuitState
    failure_count: int
    last_failure_at_s: float | None
    next_attempt_at_s: float | None
    open_s: float = 0.0  # not CLOSED in all since the start


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """One transition.  `downtime_s`: since it left CLOSED, on the monotonic clock."""

    was: CircuitState
    now: CircuitState
    reason: str  # failure_threshold_exceeded, probe_failed/_request/_success, manual_reset
    failure_count: int
    downtime_s: float


CircuitListener = Callable[[CircuitChange], None]


class _MonotonicMemory(pybreaker.CircuitMemoryStorage):
    """Answers `opened_at` as the wall clock would have it if nobody had set it meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._opened_monotonic_s: float | None = None
        super().__init__(pybreaker.STATE_CLOSED)

    @property
    def opened_at(self) -> datetime | None:
        if self._opened_monotonic_s is None:
            return None
        age_s = self._clock.monotonic_s() - self._opened_monotonic_s
        return datetime.now(UTC) - timedelta(seconds=age_s)

    @opened_at.setter
    def opened_at(self, _wall: datetime) -> None:
        self._opened_monotonic_s = self._clock.monotonic_s()

    @property
    def opened_monotonic_s(self) -> float:
        return self._opened_monotonic_s or 0.0


class Breaker:
    """One thread sends and records; any thread reads and resets, and waits for no call in flight.

    Listeners run in the thread that caused the change, outside the lock.
    """

    def __init__(self, clock: Clock, rules: BreakerRules) -> None:
        self._clock = clock
        self.rules = rules
        self._memory = _MonotonicMemory(clock)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=rules.failures,
            reset_timeout=rules.open_s,
            exclude=list(NOT_FAILURES),
            state_storage=self._memory,
            # Or the failure that trips it would look like one that was never sent.
            throw_new_error_on_trip=False,
        )
        self._lock = threading.Lock()
        self._listeners: list[CircuitListener] = []
        self._last_failure_at_s: float | None = None
        self._left_closed_s: float | None = None  # monotonic; None while CLOSED
        self._open_s = 0.0  # of the times before

    def subscribe(self, listener: CircuitListener) -> None:
        """Call it after each change of state."""
        self._listeners.append(listener)

    @property
    def state(self) -> CircuitState:
        return _STATES[self._breaker.current_state]

    @property
    def failure_count(self) -> int:
        return int(self._breaker.fail_counter)

    def count_after(self, error: DeliveryError) -> int:
        """The failures in a row once this one is recorded."""
        return 0 if isinstance(error, NOT_FAILURES) else self.failure_count + 1

    @property
    def next_attempt_s(self) -> float:
        """When an OPEN circuit may be probed, monotonic seconds."""
        return self._memory.opened_monotonic_s + self.rules.open_s

    def snapshot(self) -> Circuit:
        with self._lock:
            wait_s = self.next_attempt_s - self._clock.monotonic_s()
            is_open = self.state is CircuitState.OPEN
            return Circuit(
                self.state,
                self.failure_count,
                self._last_failure_at_s,
                self._clock.wall_s() + max(0.0, wait_s) if is_open else None,
                self._open_s + self._downtime_s(),
            )

    def begin_probe(self) -> None:
        """OPEN → HALF_OPEN once the rest is over; otherwise nothing."""
        with self._lock:
            if self.state is not CircuitState.OPEN or self._clock.monotonic_s() < (
                self.next_attempt_s
            ):
                return
            self._breaker.half_open()
            change = self._change(CircuitState.OPEN, "probe_request")
        self._tell(change)

    def succeeded(self) -> None:
        """A call came back as it should."""
        self._record(None)

    def failed(self, error: DeliveryError) -> None:
        """A call ended so; NOT_FAILURES count as life."""
        self._record(error)

    def reset(self) -> Circuit:
        """Close it by hand; a call in flight counts as the first of the new series."""
        with self._lock:
            was = self.state
            self._breaker.close()
            change = self._change(was, "manual_reset")
        self._tell(change)
        return self.snapshot()

    def _record(self, error: DeliveryError | None) -> None:
        with self._lock:
            was = self.state
            # Ours comes back; the other: it was opened while the call was under way.
            with contextlib.suppress(DeliveryError, pybreaker.CircuitBreakerError):
                self._breaker.call(_outcome, error)
            if error is not None and not isinstance(error, NOT_FAILURES):
                self._last_failure_at_s = self._clock.wall_s()
            if self.state is CircuitState.OPEN:
                reason = (
                    "probe_failed"
                    if was is CircuitState.HALF_OPEN
                    else "failure_threshold_exceeded"
                )
            else:
                reason = "probe_success"
            change = self._change(was, reason)
        self._tell(change)

    def _change(self, was: CircuitState, reason: str) -> CircuitChange | None:
        now = self.state
        if now is was:
            return None
        if was is CircuitState.CLOSED:
            self._left_closed_s = self._clock.monotonic_s()
        downtime_s = self._downtime_s()
        if now is CircuitState.CLOSED:
            self._open_s += downtime_s
            self._left_closed_s = None
        return CircuitChange(was, now, reason, self.failure_count, downtime_s)

    def _downtime_s(self) -> float:
        left_s = self._left_closed_s
        return 0.0 if left_s is None else self._clock.monotonic_s() - left_s

    def _tell(self, change: CircuitChange | None) -> None:
        if change is None:
            return
        self._log(change)
        for listener in self._listeners:
            listener(change)

    def _log(self, change: CircuitChange) -> None:
        match change.now:
            case CircuitState.OPEN:
                again = change.was is CircuitState.HALF_OPEN
                log.event(
                    Event.CIRCUIT_OPENED,
                    level="WARN" if again else None,  # the alarm was raised at the first opening
                    reason=change.reason,
                    failure_count=change.failure_count,
                    recovery_timeout_seconds=round(self.rules.open_s),
                )
            case CircuitState.HALF_OPEN:
                log.event(Event.CIRCUIT_HALF_OPEN, next_attempt=change.reason)
            case CircuitState.CLOSED:
                log.event(
                    Event.CIRCUIT_CLOSED,
                    reason=change.reason,
                    downtime_seconds=round(change.downtime_s),
                )


def _outcome(error: DeliveryError | None) -> None:
    if error is not None:
        raise error
