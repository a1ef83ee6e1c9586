"""Raises and ends alerts: each told once when it was so for long enough, and once when it is over.

A pure step for a worker.  Nothing of the till waits for whoever is told: what could not be sent is
sent again from memory.  A restart begins the holding times anew; what stood then stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from kktd import log
from kktd.alerts.outbox import Channel, Outbox, Raised
from kktd.alerts.table import ALERTS, Alert, Facts
from kktd.clock import Clock
from kktd.errors import StoreUnavailable
from kktd.events import Event
from kktd.store import alerts, journal
from kktd.store.connection import Db
from kktd.store.store import Store

LOOK_S: Final = 5.0
SETTLE_S: Final = 60.0  # after a start little is known yet: nothing that stood is over before
TEST_S: Final = 120.0  # longer than Alertmanager waits for the rest of a group
TEST: Final = Alert(
    "TestAlert",
    "P3",
    0,
    lambda _: False,
    "Проверка оповещений: ничего делать не нужно.",
    "A test of the alerts: nothing has to be done.",
)
ROWS: Final = (*ALERTS, TEST)


class AlertWatch:
    """`step` runs in one thread; `use` and `test` may be called from any."""

    def __init__(
        self, clock: Clock, store: Store, facts: Callable[[], Facts], channels: Sequence[Channel]
    ) -> None:
        self._clock = clock
        self._store = store
        self._facts = facts
        self._channels = tuple(channels)
        self._outboxes: dict[str, Outbox] = {}  # by name of the channel
        self._replaced: list[Channel] = []
        self._began_s = clock.monotonic_s()
        self._so_since_s: dict[str, float] = {}  # monotonic, while its condition holds
        since_s = store.read(alerts.find_standing)
        self._raised = {
            row.name: Raised(row, since_s[row.name]) for row in ROWS if row.name in since_s
        }
        self._found = set(self._raised)  # and not seen again yet
        self._untold = list(self._raised.values())  # nobody knows whether they were sent
        self._test_until_s = float("-inf")
        self._test_asked = False

    @property
    def raised(self) -> list[Raised]:
        return list(self._raised.values())

    def test(self) -> None:
        """Raise the test alert at the next step, for two minutes."""
        self._test_asked = True

    def use(self, channels: Sequence[Channel]) -> None:
        """Others from the next step on; what one has not heard its successor of that name hears."""
        self._replaced += self._channels
        self._channels = tuple(channels)

    def step(self, now_s: float) -> float:
        """Look, tell, send; when to look again (monotonic s)."""
        news, self._untold = self._look(now_s), []
        self._send(news, now_s)
        return now_s + LOOK_S

    def _look(self, now_s: float) -> list[Raised]:
        facts, news = self._facts(), self._untold
        if self._test_asked:
            self._test_asked, self._test_until_s = False, now_s + TEST_S
        for alert in ROWS:
            if alert.when(facts) or (alert is TEST and now_s < self._test_until_s):
                self._found.discard(alert.name)
                since_s = self._so_since_s.setdefault(alert.name, now_s)
                if alert.name not in self._raised and now_s - since_s >= alert.hold_s:
                    news.append(self._raise(alert, facts.queued))
                continue
            self._so_since_s.pop(alert.name, None)
            if alert.name in self._raised and self._is_over(alert, now_s):
                news.append(self._end(alert, facts.queued))
        return news

    def _is_over(self, alert: Alert, now_s: float) -> bool:
        """At once, but of what a start found only when it would have been raised again by now."""
        if alert.name not in self._found:
            return True
        return now_s - self._began_s >= max(SETTLE_S, alert.hold_s)

    def _raise(self, alert: Alert, queued: int) -> Raised:
        raised = self._raised[alert.name] = Raised(alert, self._clock.wall_s())
        # The line has one `level`, and as in §5.6 it is the alert's own.
        log.event(
            Event.ALERT_SENT,
            level=alert.level,
            alert=alert.name,
            message=alert.ru,
            buffer_size=queued,
        )
        self._keep(Event.ALERT_SENT, alert, lambda db, ms: alerts.begin(db, alert.name, ms))
        return raised

    def _end(self, alert: Alert, queued: int) -> Raised:
        raised = self._raised.pop(alert.name)
        self._found.discard(alert.name)
        log.event(
            Event.ALERT_RESOLVED,
            alert=alert.name,
            alert_level=alert.level,
            message=alert.ru,
            buffer_size=queued,
        )
        self._keep(Event.ALERT_RESOLVED, alert, lambda db, _: alerts.end(db, alert.name))
        return Raised(alert, raised.since_s, self._clock.wall_s())

    def _keep(self, event: Event, alert: Alert, change: Callable[[Db, int], None]) -> None:
        """On disk, unless that is what the alert is about."""
        now_ms = int(self._clock.wall_s() * 1000)

        def work(db: Db) -> None:
            change(db, now_ms)
            facts = {"alert": alert.name, "alert_level": alert.level, "message": alert.ru}
            journal.append(db, event, now_ms, **facts)

        with suppress(StoreUnavailable):
            self._store.write(work)

    def _send(self, news: Iterable[Raised], now_s: float) -> None:
        """One call to each channel at most: however slow they are, the next look is soon."""
        if self._replaced:
            for channel in self._replaced:
                channel.close()
            self._replaced = []
            for outbox in self._outboxes.values():
                outbox.afresh()
        news = list(news)
        for channel in self._channels:
            if channel.name not in self._outboxes:
                self._outboxes[channel.name] = Outbox()
                self._outboxes[channel.name].add(self.raised)  # one that is new hears what stands
            outbox = self._outboxes[channel.name]
            outbox.add(news)
            outbox.offer(channel, self.raised, now_s)
