"""What delivery tells the API, the page and the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LastSync:
    """How the last run ended.  `at_s` is wall clock."""

    at_s: float
    synced_count: int
    failed_count: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class SyncJob:
    """A sync somebody asked for."""

    job_id: str
    pending_receipts: int
    estimated_duration_s: int


@dataclass(frozen=True, slots=True)
class DeliverySnapshot:
    """What the API and the metrics show.  `stopped`: why nothing is taken (401, 403), or None.

    `throttled`: the ОФД answered 429, and receipts leave more slowly.
    """

    last_sync: LastSync | None
    running_for_s: float | None
    stopped: str | None
    throttled: bool
