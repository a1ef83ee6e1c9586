"""The till on battery: sells, then finishes what is in hand, then closes; the mains undo it.

Events come from apcupsd's scripts in any thread and only move the table; the worker's step does
what follows, in order, so that nothing is half done.  Nothing of it outlives the daemon: one that
starts asks apcupsd, and takes the mains for granted until it hears otherwise.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import StoreError
from kktd.events import Event
from kktd.power.table import PowerState, Step, Trouble, UpsEvent, after, troubles_after

LOOK_S: Final = 0.05  # while it is low or halting
IDLE_S: Final = 60.0
GRACE_S: Final = 5.0  # for paper and doubts; a receipt that is being registered is waited for
LAST_WORDS_S: Final = 0.5  # for callers to be answered and the page to hear
STUCK_S: Final = 120.0  # closed, and nobody turned the machine off


class House(Protocol):
    """What the power may do to the rest of the till.  Called by one thread."""

    def rest(self) -> None:
        """Begin nothing new at the printers, send nothing more."""

    def resume(self) -> None:
        """As if nothing had been."""

    def at_rest(self) -> bool:
        """Whether nothing is in hand since `rest`."""

    def close(self, waited_s: float) -> bool:
        """Close the database once no thread needs it; whether it is closed.  No way back."""


@dataclass(frozen=True, slots=True)
class PowerSeen:
    """`since_s`: wall clock of the last change, None if there was none.  `closed`: all on disk."""

    state: PowerState = PowerState.MAINS
    since_s: float | None = None
    troubles: frozenset[Trouble] = frozenset()
    closed: bool = False

    @property
    def on_battery(self) -> bool:
        return self.state is not PowerState.MAINS

    @property
    def refuses(self) -> bool:
        """Nothing new is taken."""
        return self.state in (PowerState.LOW, PowerState.HALTING)


class Power:
    """`note`, `wait` and `seen` from any thread, `step` in the worker's."""

    def __init__(
        self,
        clock: Clock,
        house: House,
        keep: Callable[[Event, Mapping[str, object]], None],
        wake: Callable[[], None],
        missed: Callable[[], tuple[UpsEvent, ...]],
    ) -> None:
        """`keep` writes an event into the journal; raises StoreError.

        `missed`: what apcupsd said before this daemon listened; asked once.
        """
        self._clock = clock
        self._house = house
        self._keep = keep
        self._wake = wake
        self._missed: Callable[[], tuple[UpsEvent, ...]] | None = missed
        self._changed = threading.Condition()
        self._said: deque[tuple[UpsEvent | Step, PowerSeen, PowerSeen]] = deque()
        self._lows = 0  # times the door was shut
        self._rested_for = 0
        self._resting_since_s: float | None = None
        self._halting_since_s: float | None = None
        self._closed_at_s: float | None = None
        self.seen = PowerSeen()

    def note(self, event: UpsEvent) -> PowerSeen:
        """apcupsd said this.  Waits for nothing."""
        seen = self._move(event)
        self._wake()
        return seen

    def wait(self, by: Deadline) -> PowerSeen:
        """Until it is closed, or not low any more, or the deadline."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.seen.closed or not self.seen.refuses, timeout=by.left_s()
            )
            return self.seen

    @property
    def stuck(self) -> bool:
        """Closed long ago, and the machine still runs: the daemon has to start anew."""
        closed_s = self._closed_at_s
        return closed_s is not None and self._clock.monotonic_s() - closed_s >= STUCK_S

    def step(self, now_s: float) -> float:
        """Do what follows from what was said; when to look again (monotonic s)."""
        if self._missed is not None:
            for event in self._missed():
                self._move(event)
            self._missed = None
        lows, seen = self._lows, self.seen
        # Whatever was taken before the door shut is committed when this is.
        self._tell()
        if seen.refuses and self._rested_for != lows:
            self._house.rest()
            self._rested_for, self._resting_since_s = lows, now_s
        if seen.state is PowerState.LOW:
            self._finish(now_s, lows)
        elif seen.state is PowerState.HALTING:
            self._close(now_s)
        elif self._resting_since_s is not None:
            self._resting_since_s = None
            self._house.resume()
        return now_s + (LOOK_S if self.seen.refuses and not self.seen.closed else IDLE_S)

    def _finish(self, now_s: float, lows: int) -> None:
        waited_s = now_s - (self._resting_since_s or now_s)
        if self._house.at_rest() or waited_s >= GRACE_S:
            with self._changed:
                if self._lows == lows:
                    self._move(Step.FINISH)

    def _close(self, now_s: float) -> None:
        if self._halting_since_s is None:
            self._halting_since_s = now_s
        waited_s = now_s - self._halting_since_s
        if self.seen.closed or waited_s < LAST_WORDS_S or not self._house.close(waited_s):
            return
        self._closed_at_s = now_s
        with self._changed:
            self.seen = replace(self.seen, closed=True)
            self._changed.notify_all()
        log.event(Event.POWER_CLOSED)

    def _move(self, event: UpsEvent | Step) -> PowerSeen:
        with self._changed:
            was = self.seen
            now = replace(was, state=after(was.state, event))
            if isinstance(event, UpsEvent):
                now = replace(now, troubles=troubles_after(was.troubles, event))
            if now.state is not was.state:
                now = replace(now, since_s=self._clock.wall_s())
                self._lows += now.state is PowerState.LOW
            self.seen = now
            self._said.append((event, was, now))
            self._changed.notify_all()
            return now

    def _tell(self) -> None:
        """Log and journal, in the order it was said; a database that fails keeps nothing up."""
        while self._said:
            said, was, now = self._said.popleft()
            kind, facts = _event_of(said, was, now)
            log.event(kind, facts=facts)
            if kind.stored_name is not None:
                with suppress(StoreError):  # full, or closed
                    self._keep(kind, facts)


def _event_of(
    said: UpsEvent | Step, was: PowerSeen, now: PowerSeen
) -> tuple[Event, Mapping[str, object]]:
    if now.state is not was.state:
        return Event.POWER_CHANGED, {"was": was.state, "now": now.state, "ups": said}
    if begun := now.troubles - was.troubles:
        return Event.UPS_TROUBLE, {"trouble": min(begun), "ups": said}
    if ended := was.troubles - now.troubles:
        return Event.UPS_MENDED, {"trouble": min(ended), "ups": said}
    return Event.UPS_SAID, {"ups": said}
