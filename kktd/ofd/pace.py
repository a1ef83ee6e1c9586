"""When delivery may send what, and which failed attempts count (contract 2.4, 2.14).

Memory of one process: after a restart every receipt may go at once, and only proofs of life seen
since then let an attempt count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kktd.ofd.throttle import Throttle

DUE_NOW_S = float("-inf")


@dataclass(frozen=True, slots=True)
class PaceRules:
    """Waits double from `backoff_first_s` to `backoff_max_s`; `attempts_max` that count end it."""

    attempts_max: int = 20
    backoff_first_s: float = 5.0
    backoff_max_s: float = 300.0
    recheck_s: float = 300.0  # after 401/403


@dataclass(slots=True)
class _Trouble:
    """A receipt that failed: how often in a row, when it may go, what its last try had seen."""

    failures: int
    waits: int  # in a row, those without a try included
    proofs: int
    deliveries: int
    due_s: float
    refused: bool


class Pace:
    """Times are monotonic seconds.  One thread.

    A failure of the way (no connection, no answer) holds the whole queue, a refusal sets one
    receipt back.  A receipt that got no answer `attempts_max` times from an ОФД that answers pings
    is set back too: only if another is delivered in its place was it the receipt and not an outage.
    """

    def __init__(self, rules: PaceRules, jitter: Callable[[], float] = lambda: 0.0) -> None:
        """`jitter` answers 0..1 and lengthens a wait by up to a tenth: tills must not march."""
        self.rules = rules
        self._jitter = jitter
        self._troubles: dict[str, _Trouble] = {}
        self._proofs = 0  # pings answered and receipts delivered
        self._deliveries = 0
        self._held_failures = 0
        self._held_until_s = DUE_NOW_S
        self._asked_until_s = DUE_NOW_S  # Retry-After
        self._stopped_until_s = DUE_NOW_S
        self.stopped: str | None = None
        self.throttle = Throttle()

    # ---- what happened ----------------------------------------------------------------------

    def note_ping(self) -> None:
        """The ОФД answered a ping."""
        self._proofs += 1

    def note_delivered(self, receipt_id: str) -> None:
        """The ОФД has one: the way is free, and whoever got no answer may try again at once."""
        self._proofs += 1
        self._deliveries += 1
        self._troubles.pop(receipt_id, None)
        for trouble in self._troubles.values():
            if not trouble.refused:
                trouble.due_s = DUE_NOW_S
        self._free()

    def note_refused(self, receipt_id: str, now_s: float) -> None:
        """It said no to this one: set it back, the others go on."""
        trouble = self._note(receipt_id, refused=True)
        trouble.due_s = now_s + self._wait_s(trouble.waits)
        self._free()

    def set_back(self, receipt_id: str, now_s: float) -> None:
        """Not now, though it was not tried."""
        trouble = self._troubles.get(receipt_id)
        if trouble is not None:
            trouble.waits += 1
            trouble.due_s = now_s + self._wait_s(trouble.waits)

    def note_no_answer(self, receipt_id: str, now_s: float, *, exhausted: bool) -> None:
        """The way failed: hold the queue.  `exhausted`: its attempts are used up."""
        trouble = self._note(receipt_id, refused=False)
        trouble.due_s = now_s + self.rules.backoff_max_s if exhausted else DUE_NOW_S
        self._hold(now_s)

    def note_busy(self, receipt_id: str, now_s: float, retry_after_s: float | None) -> None:
        """It asked for time: nothing goes before that is over."""
        self._note(receipt_id, refused=False).due_s = DUE_NOW_S
        if retry_after_s is None:
            self._hold(now_s)
        else:
            self._asked_until_s = now_s + max(retry_after_s, self.rules.backoff_first_s)

    def note_asked(self, now_s: float, retry_after_s: float | None) -> None:
        """A ping was answered with 429: the next one goes later than the breaker alone would."""
        self._asked_until_s = now_s + (retry_after_s or self.rules.backoff_max_s)

    def note_stopped(self, receipt_id: str, now_s: float, reason: str) -> None:
        """Nothing will be taken until the settings change: look again now and then."""
        self._note(receipt_id, refused=False).due_s = DUE_NOW_S
        self.stopped = reason
        self._stopped_until_s = now_s + self.rules.recheck_s

    def forget(self, receipt_id: str) -> None:
        """It left the queue."""
        self._troubles.pop(receipt_id, None)

    def hurry(self, *, also_asked: bool) -> None:
        """A person wants it now; what the ОФД asked for is kept unless `also_asked`."""
        for trouble in self._troubles.values():
            trouble.due_s = DUE_NOW_S
        self._held_until_s = self._stopped_until_s = DUE_NOW_S
        if also_asked:
            self._asked_until_s = DUE_NOW_S

    # ---- what follows -----------------------------------------------------------------------

    def may_send_s(self, *, circuit_closed: bool) -> float:
        """When anything may be sent.  While the circuit is not closed, it sets the pace itself."""
        held_s = self._held_until_s if circuit_closed else DUE_NOW_S
        return max(held_s, self._asked_until_s, self._stopped_until_s)

    def may_go(self, receipt_id: str, now_s: float) -> bool:
        """Whether this one is not set back."""
        trouble = self._troubles.get(receipt_id)
        return trouble is None or trouble.due_s <= now_s

    def next_due_s(self, now_s: float) -> float:
        """When the next one set back may go; infinity for none."""
        waiting = (one.due_s for one in self._troubles.values() if one.due_s > now_s)
        return min(waiting, default=float("inf"))

    @property
    def troubled(self) -> int:
        """How many receipts may be set back."""
        return len(self._troubles)

    def failures(self, receipt_id: str) -> int:
        """Attempts of one receipt that failed in a row, counted or not."""
        trouble = self._troubles.get(receipt_id)
        return trouble.failures if trouble else 0

    def alive_since(self, receipt_id: str) -> bool:
        """Whether the ОФД was shown to be working since this one's last attempt."""
        trouble = self._troubles.get(receipt_id)
        return trouble is not None and self._proofs > trouble.proofs

    def delivered_since(self, receipt_id: str) -> bool:
        """Whether another was delivered since this one's last attempt."""
        trouble = self._troubles.get(receipt_id)
        return trouble is not None and self._deliveries > trouble.deliveries

    def wants_ping(self, receipt_id: str) -> bool:
        """A refused one tries again, and nothing yet shows that its refusal would count."""
        trouble = self._troubles.get(receipt_id)
        return trouble is not None and trouble.refused and self._proofs == trouble.proofs

    # ---- inside -----------------------------------------------------------------------------

    def _note(self, receipt_id: str, *, refused: bool) -> _Trouble:
        before = self._troubles.get(receipt_id)
        trouble = _Trouble(
            failures=(before.failures if before else 0) + 1,
            waits=(before.waits if before else 0) + 1,
            proofs=self._proofs,
            deliveries=self._deliveries,
            due_s=DUE_NOW_S,
            refused=refused,
        )
        self._troubles[receipt_id] = trouble
        return trouble

    def _hold(self, now_s: float) -> None:
        self._held_failures += 1
        self._held_until_s = now_s + self._wait_s(self._held_failures)

    def _free(self) -> None:
        """It took or refused a receipt: the way works and so do the settings."""
        self._held_failures = 0
        self._held_until_s = self._asked_until_s = self._stopped_until_s = DUE_NOW_S
        self.stopped = None

    def _wait_s(self, failures: int) -> float:
        doubled = self.rules.backoff_first_s * 2.0 ** min(failures - 1, 30)
        return min(doubled, self.rules.backoff_max_s) * (1 + self._jitter() / 10)
