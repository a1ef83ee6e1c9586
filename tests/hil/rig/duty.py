"""Who hears of alerts: a webhook at /hook and an Alertmanager at /api/v2/alerts, both of memory.

Source: Alertmanager's OpenAPI v2 (`postableAlerts`, `gettableAlerts`) and its documentation for
clients: what is not repeated within `resolve_timeout` ends, an end before the beginning is refused,
the earliest beginning is kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from rig.faults import Faults
from rig.faulty import FaultyServer
from rig.loopback import Reply, Request

RESOLVE_TIMEOUT_S: Final = 300.0  # of an alert that says no end
Row = dict[str, Any]


class SimulatedDuty:
    """Thread-safe.  `token` None: anybody may post."""

    def __init__(
        self, faults: Faults, token: str | None = None, wall_s: Callable[[], float] = time.time
    ) -> None:
        self._token, self._wall_s = token, wall_s
        self._lock = threading.Lock()
        self._posts: list[Row] = []
        self._alerts: dict[str, Row] = {}  # by their labels
        self._server = FaultyServer("duty", faults, self._answer)
        self.hook_url = f"{self._server.url}/hook"
        self.alertmanager_url = self._server.url

    def close(self) -> None:
        self._server.close()

    def posts(self) -> list[Row]:
        """Every body the webhook took, in order."""
        with self._lock:
            return list(self._posts)

    def active(self) -> list[str]:
        """Names of the alerts Alertmanager holds for firing now."""
        now_s = self._wall_s()
        with self._lock:
            return [
                row["labels"]["alertname"]
                for row in self._alerts.values()
                if row["starts_s"] <= now_s < row["ends_s"]
            ]

    def alerts(self) -> list[Row]:
        with self._lock:
            return list(self._alerts.values())

    def _answer(self, request: Request) -> Reply:
        given = request.headers.get("authorization")
        if self._token is not None and given != f"Bearer {self._token}":
            return Reply(401, "unauthorized")
        try:
            body = json.loads(request.body)
        except ValueError as error:
            return Reply(400, str(error))
        match request.method, request.path:
            case "POST", "/hook":
                with self._lock:
                    self._posts.append(body)
                return Reply(204, "")
            case "POST", "/api/v2/alerts":
                return self._take(body)
        return Reply(404, f"no {request.method} {request.path}")

    def _take(self, body: object) -> Reply:
        if not isinstance(body, list):
            return Reply(400, "parsing alerts body: an array is needed")
        try:
            rows = [self._row(one) for one in body]
        except (KeyError, TypeError, ValueError) as error:
            return Reply(400, f"invalid alert: {error!r}")
        with self._lock:
            for row in rows:
                self._keep(row)
        return Reply(200, "")

    def _row(self, alert: Row) -> Row:
        """The times Alertmanager gives it; raises for what it refuses."""
        strange = set(alert) - {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
        texts = [*alert["labels"].items(), *alert.get("annotations", {}).items()]
        if (
            strange
            or not alert["labels"]
            or not all(isinstance(t, str) for pair in texts for t in pair)
        ):
            raise ValueError(f"labels and annotations are text, {sorted(strange)} unknown")
        now_s = self._wall_s()
        ends_s = _seconds(alert.get("endsAt"))
        starts_s = _seconds(alert.get("startsAt"))
        if starts_s is None:
            starts_s = now_s if ends_s is None else ends_s
        timed_out = ends_s is None
        if ends_s is None:
            ends_s = now_s + RESOLVE_TIMEOUT_S
        if ends_s < starts_s:
            raise ValueError("start time must be before end time")
        times = {"starts_s": starts_s, "ends_s": ends_s, "timeout": timed_out}
        return {"labels": alert["labels"], "annotations": alert.get("annotations", {}), **times}

    def _keep(self, row: Row) -> None:
        name = json.dumps(row["labels"], sort_keys=True)
        old = self._alerts.get(name)
        if old is not None and row["starts_s"] < old["ends_s"] and row["ends_s"] > old["starts_s"]:
            row = {**row, "starts_s": min(old["starts_s"], row["starts_s"])}
        self._alerts[name] = row


def _seconds(text: object) -> float | None:
    if text is None:
        return None
    at = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return at.astimezone(UTC).timestamp()
