"""Who was wrong too often: one address cannot try out tokens or pairing codes in bulk."""

from __future__ import annotations

from collections import deque
from typing import Final

from kktd import log
from kktd.errors import RateLimited
from kktd.events import Event

WRONG_MAX: Final = 10  # within the window
WINDOW_S: Final = 60.0
ADDRESSES_MAX: Final = 1_024


class Guesses:
    """Wrong guesses by address, in memory; touched by the API's loop alone.

    Time is monotonic seconds.
    """

    def __init__(self) -> None:
        self._wrong: dict[str, deque[float]] = {}

    def check(self, address: str, now_s: float) -> None:
        """Raises RateLimited after `WRONG_MAX` of the last minute."""
        wrong = self._wrong.get(address)
        if wrong is not None and len(wrong) == WRONG_MAX and now_s - wrong[0] < WINDOW_S:
            wait_s = int(WINDOW_S - (now_s - wrong[0])) + 1
            raise RateLimited("too many wrong guesses", retry_after_seconds=wait_s)

    def note(self, address: str, now_s: float, what: str) -> None:
        """One more that was wrong; the log hears of it when the limit is reached."""
        wrong = self._wrong.pop(address, None) or deque(maxlen=WRONG_MAX)
        wrong.append(now_s)
        self._wrong[address] = wrong  # the one seen last stands last
        if len(wrong) == WRONG_MAX and now_s - wrong[0] < WINDOW_S:
            log.event(Event.GUESSING, address=address, guessed=what)
        if len(self._wrong) > ADDRESSES_MAX:
            del self._wrong[next(iter(self._wrong))]
