"""What one channel has still to hear, and when it is asked again after it did not listen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kktd.alerts.table import Alert

REPEAT_S: Final = 60.0  # Alertmanager forgets what is not repeated
RETRY_FIRST_S: Final = 5.0
RETRY_MAX_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Raised:
    """One alert that was told.  Wall clock, s; `ended_s` None while it lasts."""

    alert: Alert
    since_s: float
    ended_s: float | None = None


class Channel(Protocol):
    """One way out, known by `name`; it may be replaced by another of that name."""

    name: str

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        """Whether it went; raises nothing, and takes a few seconds at most.

        `news`: what began or ended since the last time that went; `standing`: what lasts now.
        """

    def close(self) -> None: ...


class Outbox:
    """Bounded: of each alert the latest word alone."""

    def __init__(self) -> None:
        self._news: dict[str, Raised] = {}
        self._repeat_at_s = self._try_at_s = float("-inf")
        self._retry_s = RETRY_FIRST_S

    def add(self, news: Iterable[Raised]) -> None:
        self._news.update((one.alert.name, one) for one in news)

    def afresh(self) -> None:
        """Another address or token: do not wait."""
        self._try_at_s = float("-inf")

    def offer(self, channel: Channel, standing: Sequence[Raised], now_s: float) -> None:
        """Send what is due, in one call; after a failure less and less often."""
        repeats = bool(standing) and now_s >= self._repeat_at_s
        if now_s < self._try_at_s or not (self._news or repeats):
            return
        if channel.send(list(self._news.values()), standing):
            self._news.clear()
            self._repeat_at_s, self._retry_s = now_s + REPEAT_S, RETRY_FIRST_S
        else:
            self._try_at_s = now_s + self._retry_s
            self._retry_s = min(RETRY_MAX_S, 2 * self._retry_s)
