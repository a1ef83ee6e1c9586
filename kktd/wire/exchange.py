"""One question at a time over one line: what any family's exchange promises, and its two doubts.

How a family asks, waits and repeats is its own (`printers/<family>/exchange.py`); what the driver
above may conclude from silence is the same for all and stands here.
"""

from __future__ import annotations

from typing import Protocol

from kktd.clock import Deadline
from kktd.errors import KktdError


class NotSent(KktdError):
    """The command certainly did not run: it never left, or the device said it did not take it."""


class Unanswered(KktdError):
    """The command left and its answer did not come: it may have run, once at most."""


class Exchange(Protocol):
    """Asks one question; never runs it twice."""

    def ask(self, question: bytes, reply_ms: int, by: Deadline) -> bytes:
        """The answer to `question`, waited for at most `reply_ms` after it was taken.

        Raises NotSent or Unanswered; a line that is gone shows as one of them, `from` PortGone.
        """
