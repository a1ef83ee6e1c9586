"""What a person may do to the delivery: begin a sync, close the breaker."""

from __future__ import annotations

from kktd.api.till import SyncJob
from kktd.ofd.breaker import Breaker, Circuit
from kktd.ofd.delivery import Delivery


class Control:
    """What a person may do to the delivery (api.till.DeliveryControl)."""

    def __init__(self, delivery: Delivery, breaker: Breaker) -> None:
        self._delivery = delivery
        self._breaker = breaker

    def force(self, *, ignore_backoff: bool, user: str) -> SyncJob:
        job = self._delivery.request_sync(user, force=ignore_backoff)
        return SyncJob(job.job_id, job.estimated_duration_s)

    def wake(self) -> None:
        self._delivery.wake()

    def reset_breaker(self, *, user: str) -> Circuit:
        self._breaker.reset()
        return self._breaker.snapshot()
