"""Maintenance mode as a sale meets it: refused with the reason, and when to ask again."""

from __future__ import annotations

from typing import Final

from kktd.errors import Maintenance
from kktd.store import maintenance
from kktd.store.connection import Db

ASK_AGAIN_MIN_S: Final = 15
ASK_AGAIN_MAX_S: Final = 300  # it may end long before it was meant to


def check(db: Db, now_s: float) -> None:
    """Raises Maintenance with `reason`, `estimated_duration_minutes`, `retry_after_seconds`."""
    found = maintenance.find(db)
    if found is None:
        return
    left_s = round(found.expected_end_s - now_s)
    raise Maintenance(
        "the till is in maintenance",
        reason=found.reason,
        estimated_duration_minutes=found.estimated_min,
        retry_after_seconds=min(ASK_AGAIN_MAX_S, max(ASK_AGAIN_MIN_S, left_s)),
    )
