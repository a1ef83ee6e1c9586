"""Two ways out of the shop: a webhook of ours, and Prometheus Alertmanager's API v2."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kktd import log
from kktd.alerts.outbox import Raised
from kktd.clock import Clock, Deadline
from kktd.events import Event
from kktd.ofd.channel import DeliveryError
from kktd.ofd.http import HttpLine, bearer

TIMEOUT_MS: Final = 5_000


class Poster:
    """Posts JSON with a bearer token, if there is one.  One caller thread."""

    def __init__(
        self, url: str, token: Callable[[], str] | None, clock: Clock, ca_file: str | None = None
    ) -> None:
        self._url = url
        self._token = token
        self._clock = clock
        self._line = HttpLine(ca_file)
        self._failed = False

    def post(self, channel: str, body: object) -> bool:
        """Whether it was taken, within TIMEOUT_MS; of failures in a row the first is logged."""
        try:
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self._token is not None:
                headers["Authorization"] = bearer(self._token)
            data = json.dumps(body, ensure_ascii=False).encode()
            by = Deadline.after_ms(self._clock, TIMEOUT_MS)
            answer = self._line.ask("POST", self._url, by, headers, data)
            reason = None if 200 <= answer.status < 300 else answer.reason
        except DeliveryError as error:
            reason = error.reason
        if reason is not None and not self._failed:
            log.event(Event.ALERT_UNSENT, channel=channel, error=reason)
        self._failed = reason is not None
        return not self._failed

    def close(self) -> None:
        self._line.close()


class Webhook:
    """One POST with everything that began or ended; each at least once."""

    name = "webhook"

    def __init__(self, poster: Poster, pos_id: str) -> None:
        self._poster = poster
        self._pos_id = pos_id

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        if not news:
            return True
        body = {"pos_id": self._pos_id, "alerts": [_webhook_alert(one) for one in news]}
        return self._poster.post(self.name, body)

    def close(self) -> None:
        self._poster.close()


def _webhook_alert(one: Raised) -> dict[str, Any]:
    return {
        "name": one.alert.name,
        "level": one.alert.level,
        "status": "firing" if one.ended_s is None else "resolved",
        "message": one.alert.ru,
        "procedure": one.alert.procedure,
        "since": _iso(one.since_s),
    }


class Alertmanager:
    """POST /api/v2/alerts with all that stands, and what has just ended.

    What stands carries no times: Alertmanager then takes its own, keeps the first beginning, and
    ends the alerts of a till that died.  With ours, a till whose clock is ten minutes ahead would
    be refused: an end before the beginning.
    """

    name = "alertmanager"

    def __init__(self, poster: Poster, pos_id: str) -> None:
        self._poster = poster
        self._pos_id = pos_id

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        names = {one.alert.name for one in standing}
        ended = [one for one in news if one.ended_s is not None and one.alert.name not in names]
        body = [self._alert(one) for one in (*standing, *ended)]
        return not body or self._poster.post(self.name, body)

    def close(self) -> None:
        self._poster.close()

    def _alert(self, one: Raised) -> dict[str, Any]:
        ends = {} if one.ended_s is None else {"endsAt": _iso(one.ended_s)}
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
                "since": _iso(one.since_s),
            },
            **ends,
        }


def _iso(wall_s: float) -> str:
    text = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
