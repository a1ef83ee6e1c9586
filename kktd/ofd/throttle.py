"""How much slower the till sends after a 429 (procedure A.5, case 3), and when it is itself again.

Each 429 doubles the time between two receipts, ten receipts that went halve it.
"""

from __future__ import annotations

from typing import Final

GAP_FIRST_S: Final = 1.0
DOUBLINGS_MAX: Final = 3  # 8 s: well inside the TTL of the sync lock
EASED_BY: Final = 10  # receipts without a 429
FORGOTTEN_S: Final = 600.0


class Throttle:
    """Times are monotonic seconds.  One thread writes, any thread asks `is_on`."""

    def __init__(self) -> None:
        self._refusals = 0
        self._went = 0
        self._refused_s = float("-inf")
        self.next_s = float("-inf")  # no receipt before

    def note_refused(self, now_s: float) -> bool:
        """A 429; whether it is the first of a series."""
        is_first = not self.is_on(now_s)
        self._refusals = 1 if is_first else min(self._refusals + 1, DOUBLINGS_MAX + 1)
        self._went = 0
        self._refused_s = now_s
        return is_first

    def note_went(self, now_s: float) -> bool:
        """A receipt was taken; whether that ends the series."""
        if self._refusals == 0:
            return False
        self._went += 1
        if self._went >= EASED_BY:
            self._refusals, self._went = self._refusals - 1, 0
        if not self.is_on(now_s):
            self._refusals = 0
        self.next_s = now_s + self.gap_s
        return self._refusals == 0

    @property
    def gap_s(self) -> float:
        """Between two receipts now."""
        return GAP_FIRST_S * 2 ** (self._refusals - 1) if self._refusals else 0.0

    def is_on(self, now_s: float) -> bool:
        return self._refusals > 0 and now_s - self._refused_s < FORGOTTEN_S
