"""Questions to the printer that count and register nothing: anybody asks, the lane alone speaks.

They run between two jobs, one at a time, when nothing has to be done at once: no sale waits for a
table that somebody leafs through.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from kktd.clock import Clock, Deadline
from kktd.errors import KktdError, RateLimited, Unreachable
from kktd.printers.base import FiscalPrinter

T = TypeVar("T")

WAITING_MAX: Final = 32
INQUIRY_MS: Final = 10_000  # from asking to answer

Question = Callable[[FiscalPrinter, Deadline], T]


@dataclass(frozen=True, slots=True)
class _Asked:
    question: Question[Any]
    by: Deadline
    future: Future[Any]


class Inquiries:
    """Of one lane.  `ask` from any thread, `answer` in the lane's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: queue.Queue[_Asked] = queue.Queue(WAITING_MAX)

    def ask(self, question: Question[T]) -> Future[T]:
        """The future ends within INQUIRY_MS of the lane's next look, with the printer's errors.

        Raises RateLimited when too many wait.
        """
        future: Future[T] = Future()
        by = Deadline.after_ms(self._clock, INQUIRY_MS)
        try:
            self._asked.put_nowait(_Asked(question, by, future))
        except queue.Full:
            raise RateLimited("too many questions wait for the printer") from None
        return future

    def answer(self, printer: FiscalPrinter) -> bool:
        """The next one; False when none waits."""
        try:
            asked = self._asked.get_nowait()
        except queue.Empty:
            return False
        if not asked.future.set_running_or_notify_cancel():
            return True  # whoever asked has left
        try:
            if asked.by.passed():
                raise Unreachable("the printer was busy all the time")
            asked.future.set_result(asked.question(printer, asked.by))
        except (KktdError, ValueError) as error:
            asked.future.set_exception(error)
        return True
