"""Raises and ends alerts: each told once when it was so for long enough, and once when it is over.

A pure step for a worker.  The till never waits for whoever is told: what could not be sent is sent
again from memory, and a restart begins the holding times anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from kktd import log
from kktd.alerts.table import ALERTS, Alert, Facts
from kktd.clock import Clock
from kktd.events import Event
from kktd.store import journal
from kktd.store.store import Store

LOOK_S: Final = 5.0
SEND_AGAIN_S: Final = 60.0  # Alertmanager forgets what is not repeated
TEST: Final = Alert(
    "TestAlert",
    "P3",
    0,
    lambda _: False,
    "Проверка оповещений: ничего делать не нужно.",
    "A test of the alerts: nothing has to be done.",
)


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert that was told.  Wall clock, s; `ended_s` None while it lasts."""

    alert: Alert
    since_s: float
    ended_s: float | None = None


class Channel(Protocol):
    """One way out.  Raises nothing: whether it went."""

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        """`news` happened since the last time that went; `standing` lasts now."""


class AlertWatch:
    """`step` runs in one thread; `test` may be called from any."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        facts: Callable[[], Facts],
        buffer_size: Callable[[], int],
        channels: Callable[[], Sequence[Channel]],
    ) -> None:
        self._clock = clock
        self._store = store
        self._facts = facts
        self._buffer_size = buffer_size
        self._channels = channels
        self._so_since_s: dict[str, float] = {}  # monotonic, while its condition holds
        self._raised: dict[str, Raised] = {}
        self._news: dict[int, list[Raised]] = {}  # by channel: what did not go yet
        self._send_at_s = float("-inf")
        self._test_asked = False

    @property
    def raised(self) -> list[Raised]:
        return list(self._raised.values())

    def test(self) -> None:
        """Send a test alert at the next step."""
        self._test_asked = True

    def step(self, now_s: float) -> float:
        """Look, tell, send; when to look again (monotonic s)."""
        facts, news = self._facts(), []
        for alert in ALERTS:
            if alert.when(facts):
                since_s = self._so_since_s.setdefault(alert.name, now_s)
                if alert.name not in self._raised and now_s - since_s >= alert.hold_s:
                    news.append(self._raise(alert))
            else:
                self._so_since_s.pop(alert.name, None)
                if (ended := self._raised.pop(alert.name, None)) is not None:
                    news.append(self._end(ended))
        if self._test_asked:
            self._test_asked = False
            self._tell(Event.ALERT_SENT, TEST)
            wall_s = self._clock.wall_s()
            news.append(Raised(TEST, wall_s, wall_s))
        self._send(news, now_s)
        return self._clock.monotonic_s() + LOOK_S

    def _raise(self, alert: Alert) -> Raised:
        raised = Raised(alert, self._clock.wall_s())
        self._raised[alert.name] = raised
        self._tell(Event.ALERT_SENT, alert)
        return raised

    def _end(self, raised: Raised) -> Raised:
        self._tell(Event.ALERT_RESOLVED, raised.alert)
        return Raised(raised.alert, raised.since_s, self._clock.wall_s())

    def _tell(self, event: Event, alert: Alert) -> None:
        size = self._buffer_size()
        facts: dict[str, Any] = {"name": alert.name, "message": alert.ru, "buffer_size": size}
        # The alert's own level, P1 to P3, stands where the log has its level: as in §5.6.
        log.event(event, **facts, alert_level=alert.level)
        now_ms = int(self._clock.wall_s() * 1000)
        self._store.write(
            lambda db: journal.append(db, event, now_ms, **facts, alert_level=alert.level)
        )

    def _send(self, news: list[Raised], now_s: float) -> None:
        again = now_s >= self._send_at_s
        if again:
            self._send_at_s = now_s + SEND_AGAIN_S
        for number, channel in enumerate(self._channels()):
            waiting = self._news.setdefault(number, [])
            waiting += news
            due = waiting or (again and self._raised)
            if due and channel.send(waiting, self.raised):
                self._news[number] = []
