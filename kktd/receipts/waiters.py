"""Callers that wait for a receipt or an operation; the lane answers them."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import Future, InvalidStateError
from typing import Final

from kktd.errors import InProgress
from kktd.receipts.answers import Answer

WAITERS_MAX: Final = 2  # the first caller and one that repeats it (contract 1, idempotency)


class Waiters:
    """By receipt or operation id.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: defaultdict[str, list[Future[Answer]]] = defaultdict(list)

    def join(self, subject: str) -> Future[Answer]:
        """Wait for `subject`; raises InProgress if two already do."""
        future: Future[Answer] = Future()
        with self._lock:
            if len(self._futures[subject]) >= WAITERS_MAX:
                raise InProgress("the first request with this key is still running", id=subject)
            self._futures[subject].append(future)
        return future

    def leave(self, subject: str, future: Future[Answer]) -> None:
        """The caller gave up or was answered."""
        with self._lock:
            if future in self._futures[subject]:
                self._futures[subject].remove(future)
            if not self._futures[subject]:
                del self._futures[subject]

    def publish(self, subject: str, answer: Answer) -> None:
        """Answer all who wait for `subject`."""
        with self._lock:
            futures = list(self._futures.get(subject, ()))
        for future in futures:
            try:
                future.set_result(answer)
            except InvalidStateError:
                continue  # it was answered before and has not left yet
