"""Once a night: when it was due last, and whether it is due now.  A missed night is made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY_S: Final = 86_400


def last_due_s(now_s: float, at: str, zone: ZoneInfo) -> int:
    """The latest moment not after now when the shop's clocks showed `at` (HH:MM)."""
    hour, minute = (int(part) for part in at.split(":"))
    local = datetime.fromtimestamp(now_s, UTC).astimezone(zone)
    due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if due > local:
        due = (due - timedelta(days=1)).replace(hour=hour, minute=minute)
    return int(due.timestamp())


def is_due(done_s: int | None, now_s: float, at: str, zone: ZoneInfo) -> bool:
    """One that was noted in the future was noted by a clock that was wrong: it does not count."""
    if done_s is None or done_s > now_s + DAY_S:
        return True
    return done_s < last_due_s(now_s, at, zone)
