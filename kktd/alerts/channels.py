"""Two ways out of the shop: a webhook of ours, and Prometheus Alertmanager's API v2."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kktd import log
from kktd.alerts.watch import Raised
from kktd.clock import Clock, Deadline
from kktd.events import Event
from kktd.ofd.channel import DeliveryError
from kktd.ofd.http import HttpLine

TIMEOUT_MS: Final = 5_000
EXPIRES_S: Final = 180.0  # unless repeated: a till that died ends no alert itself


class Poster:
    """Posts JSON with a bearer token, if there is one.  One caller thread."""

    def __init__(self, url: str, token: Callable[[], str] | None, clock: Clock) -> None:
        self._url = url
        self._token = token
        self._clock = clock
        self._line = HttpLine()
        self._failed = False

    def post(self, body: object) -> bool:
        """Whether it was taken; a failure is logged once until the next success."""
        try:
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self._token is not None:
                headers["Authorization"] = f"Bearer {self._token().strip()}"
            data = json.dumps(body, ensure_ascii=False).encode()
            by = Deadline.after_ms(self._clock, TIMEOUT_MS)
            answer = self._line.ask("POST", self._url, by, headers, data)
            reason = None if 200 <= answer.status < 300 else answer.reason
        except (DeliveryError, OSError, ValueError) as error:
            reason = getattr(error, "reason", type(error).__name__)
        if reason is not None and not self._failed:
            log.event(Event.ALERT_UNSENT, error=str(reason))
        self._failed = reason is not None
        return not self._failed


class Webhook:
    """One POST for each alert that was raised or ended."""

    def __init__(self, poster: Poster, pos_id: str) -> None:
        self._poster = poster
        self._pos_id = pos_id

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        return all(self._poster.post(self._body(one)) for one in news)

    def _body(self, one: Raised) -> dict[str, Any]:
        return {
            "pos_id": self._pos_id,
            "alert": one.alert.name,
            "level": one.alert.level,
            "status": "firing" if one.ended_s is None else "resolved",
            "message": one.alert.ru,
            "procedure": one.alert.procedure,
            "since": _iso(one.since_s),
        }


class Alertmanager:
    """POST /api/v2/alerts with all that stands, and what has just ended."""

    def __init__(self, poster: Poster, pos_id: str, clock: Clock) -> None:
        self._poster = poster
        self._pos_id = pos_id
        self._clock = clock

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        ended = [one for one in news if one.ended_s is not None]
        return self._poster.post([self._body(one) for one in (*standing, *ended)])

    def _body(self, one: Raised) -> dict[str, Any]:
        until_s = self._clock.wall_s() + EXPIRES_S if one.ended_s is None else one.ended_s
        return {
            "labels": {
                "alertname": one.alert.name,
                "severity": one.alert.level,
                "pos_id": self._pos_id,
            },
            "annotations": {
                "summary": f"{one.alert.ru.partition(':')[0]} ({self._pos_id})",
                "description": one.alert.ru,
                "procedure": one.alert.procedure or "—",
            },
            "startsAt": _iso(one.since_s),
            "endsAt": _iso(until_s),
        }


def _iso(wall_s: float) -> str:
    text = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
