"""After a salvage: what one printer's FN holds and the till does not know, before it sells again.

Runs in the lane's thread, a few documents a step, from the newest back.  Receipts in doubt are
settled first: what they find is no longer missing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.events import Event
from kktd.model.fiscal import DocumentType
from kktd.model.receipt import ReceiptId
from kktd.printers.base import FiscalPrinter, PrinterStatus
from kktd.receipts.books import intent_from, mark_of
from kktd.receipts.settle import READ_BACK_MAX
from kktd.store import journal, receipts, salvages
from kktd.store.connection import Db
from kktd.store.store import Store

STEP_DOCUMENTS: Final = 20
STEP_MS: Final = 60_000
READ_MAX: Final = 3_000  # documents nobody here knows; more say what a person has to know
BACK: Final = timedelta(days=8)  # older ones had left the till as delivered anyway
_RECEIPTS: Final = frozenset(
    {
        DocumentType.RECEIPT,
        DocumentType.BSO,
        DocumentType.CORRECTION,
        DocumentType.BSO_CORRECTION,
    }
)


class Recount:
    """Of one printer; `waits` until it is done, at most once for each salvage."""

    def __init__(self, printer: FiscalPrinter, store: Store, clock: Clock, name: str) -> None:
        self._printer = printer
        self._store = store
        self._clock = clock
        self._name = name
        found = store.read(salvages.find)
        self.waits = found is not None and name not in found.missing
        self._prepared = False
        self._known: frozenset[int] = frozenset()
        self._next_fd: int | None = None
        self._read = 0
        self._missing: list[int] = []

    def prepare(self, status: PrinterStatus, *, marks: bool) -> None:
        """Give every receipt in doubt an intent that can settle it: once, before anything else."""
        if self._prepared:
            return
        now_s = int(self._clock.wall_s())
        least_fd = max(0, status.last_fd - READ_BACK_MAX)

        def work(db: Db) -> None:
            for receipt_id, fd in salvages.find_without_intent(db, self._name, status.fn):
                intent = intent_from(status, mark_of(ReceiptId(receipt_id)) if marks else None)
                intent = replace(intent, last_fd=max(least_fd, min(fd, status.last_fd)))
                receipts.add_intent(db, receipt_id, intent, now_s)

        self._store.write(work)
        self._prepared = True

    def step(self, status: PrinterStatus) -> float:
        """Read some documents; raises what the printer raises."""
        by = Deadline.after_ms(self._clock, STEP_MS)
        if self._next_fd is None:
            self._next_fd = status.last_fd
            self._known = self._store.read(
                lambda db: receipts.find_known_documents(db, status.fn, 0)
            )
        done = 0
        while self._next_fd > 0 and done < STEP_DOCUMENTS:
            fd = self._next_fd
            if fd not in self._known:
                done += 1
                self._read += 1
                document = self._printer.archived(fd, by)
                old = (
                    document is not None
                    and status.clock is not None
                    and document.issued_at < status.clock - BACK
                )
                if old or self._read > READ_MAX:
                    break
                if document is not None and document.type in _RECEIPTS:
                    self._missing.append(fd)
            self._next_fd = fd - 1
        else:
            if self._next_fd > 0:
                return 0.0
        self._finish(status.fn)
        return 0.0

    def _finish(self, fn: str) -> None:
        missing, now_s = sorted(self._missing), int(self._clock.wall_s())
        facts = {"printer": self._name, "fn": fn, "missing": missing}
        log.event(Event.SALVAGE_COUNTED, facts=facts)

        def work(db: Db) -> None:
            salvages.note_count(db, self._name, fn, missing, now_s)
            journal.append(db, Event.SALVAGE_COUNTED, now_s * 1000, facts=facts)

        self._store.write(work)
        self.waits = False
