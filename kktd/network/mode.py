"""Online, degraded, offline (§5.2, contract 2.6): one table decides, hysteresis keeps it calm.

A mode is what people and metrics see.  Delivery does not ask it: the breaker lets receipts go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.model.states import CircuitState, NetworkMode


class Link(StrEnum):
    """What the last probes say of one other end."""

    UP = "up"  # as many good probes in a row as it takes; the ОФД's circuit closed
    UNSURE = "unsure"
    DOWN = "down"  # as many bad ones; or the ОФД's circuit is not closed


_ANY: Final = tuple(Link)
_NOT_DOWN: Final = (Link.UP, Link.UNSURE)
_ROWS: Final = (
    # mode, the ОФД, Odoo, and what it becomes
    (NetworkMode.ONLINE, (Link.DOWN,), _ANY, NetworkMode.OFFLINE),
    (NetworkMode.ONLINE, _NOT_DOWN, (Link.DOWN,), NetworkMode.DEGRADED),
    (NetworkMode.DEGRADED, (Link.DOWN,), _ANY, NetworkMode.OFFLINE),
    (NetworkMode.DEGRADED, _NOT_DOWN, (Link.UP,), NetworkMode.ONLINE),
    (NetworkMode.OFFLINE, (Link.UP,), _NOT_DOWN, NetworkMode.ONLINE),
    (NetworkMode.OFFLINE, (Link.UP,), (Link.DOWN,), NetworkMode.DEGRADED),
)
# What is not here stays as it is.
TRANSITIONS: Final = {
    (mode, ofd, odoo): becomes
    for mode, ofds, odoos, becomes in _ROWS
    for ofd in ofds
    for odoo in odoos
}
# To the worse at once, to the better only after the shortest stay.
WORSE: Final = {NetworkMode.ONLINE: 0, NetworkMode.DEGRADED: 1, NetworkMode.OFFLINE: 2}


@dataclass(frozen=True, slots=True)
class ModeRules:
    """`probes` in a row decide; a mode is kept `stay_s` before a better one."""

    probes: int = 3
    stay_s: float = 90.0


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One transition; `after_s` is how long the mode before lasted."""

    was: NetworkMode
    now: NetworkMode
    after_s: float


@dataclass(frozen=True, slots=True)
class ModeSnapshot:
    """`since_s` is wall clock, `for_s` an interval that no clock setting touches."""

    mode: NetworkMode
    since_s: float
    for_s: float


class _Probes:
    """Good and bad ones in a row."""

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._good = 0
        self._bad = 0

    def note(self, answered: bool) -> None:
        self._good = self._good + 1 if answered else 0
        self._bad = 0 if answered else self._bad + 1

    def link(self) -> Link:
        if self._bad >= self._needed:
            return Link.DOWN
        return Link.UP if self._good >= self._needed else Link.UNSURE


class Network:
    """Starts online.  Thread-safe; listeners run in the thread that brought the news."""

    def __init__(self, clock: Clock, rules: ModeRules, *, has_odoo: bool) -> None:
        """Without an Odoo nothing is degraded."""
        self._clock = clock
        self.rules = rules
        self._has_odoo = has_odoo
        self._lock = threading.Lock()
        self._ofd = _Probes(rules.probes)
        self._odoo = _Probes(rules.probes)
        self._circuit = CircuitState.CLOSED
        self._mode = NetworkMode.ONLINE
        self._entered_s = clock.monotonic_s()
        self._entered_wall_s = clock.wall_s()
        self._listeners: list[Callable[[ModeChange], None]] = []

    def subscribe(self, listener: Callable[[ModeChange], None]) -> None:
        self._listeners.append(listener)

    def note_ofd(self, answered: bool) -> None:
        """A probe of the ОФД."""
        with self._lock:
            self._ofd.note(answered)
            change = self._decide()
        self._tell(change)

    def note_odoo(self, answered: bool) -> None:
        """A heartbeat."""
        with self._lock:
            self._odoo.note(answered)
            change = self._decide()
        self._tell(change)

    def note_circuit(self, state: CircuitState) -> None:
        """The breaker changed: until it is closed the ОФД is as good as away."""
        with self._lock:
            self._circuit = state
            change = self._decide()
        self._tell(change)

    def snapshot(self) -> ModeSnapshot:
        with self._lock:
            for_s = self._clock.monotonic_s() - self._entered_s
            return ModeSnapshot(self._mode, self._entered_wall_s, for_s)

    def _decide(self) -> ModeChange | None:
        ofd = self._ofd.link() if self._circuit is CircuitState.CLOSED else Link.DOWN
        odoo = self._odoo.link() if self._has_odoo else Link.UP
        becomes = TRANSITIONS.get((self._mode, ofd, odoo))
        if becomes is None:
            return None
        now_s = self._clock.monotonic_s()
        after_s = now_s - self._entered_s
        if WORSE[becomes] < WORSE[self._mode] and after_s < self.rules.stay_s:
            return None
        change = ModeChange(self._mode, becomes, after_s)
        self._mode, self._entered_s, self._entered_wall_s = becomes, now_s, self._clock.wall_s()
        return change

    def _tell(self, change: ModeChange | None) -> None:
        if change is None:
            return
        better = WORSE[change.now] < WORSE[change.was]
        log.event(
            Event.NETWORK_MODE_CHANGE,
            **{"from": change.was, "to": change.now},
            level="INFO" if better else None,
        )
        for listener in self._listeners:
            listener(change)
