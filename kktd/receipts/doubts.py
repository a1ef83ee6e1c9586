"""A doubt the FN cannot settle: a person does, by the paper or by what the old device shows.

Only where nobody else can: the printer is away, another one answers, or the FN's own words do not
decide.  Who decided, and why, is kept with the receipt's history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kktd import log
from kktd.errors import DoubtOpen, Invalid, TooLate
from kktd.events import Event
from kktd.model.fiscal import FiscalDocument
from kktd.model.states import FiscalState
from kktd.receipts.books import Books
from kktd.receipts.health import LaneHealth
from kktd.receipts.settle import READ_BACK_MAX
from kktd.receipts.waiters import Waiters
from kktd.store import receipts
from kktd.store.receipts import StoredReceipt
from kktd.store.store import Store

ASKS_A_PERSON: Final = frozenset({"fn_changed", "several_match", "counters_strange"})
AWAY: Final = frozenset({"printer_away", "printer_line"})  # remedies: the FN cannot be asked


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided and by what."""

    user: str
    note: str


class Doubts:
    """Of one lane.  Any thread; StaleState if the lane settled the same receipt meanwhile."""

    def __init__(
        self,
        store: Store,
        books: Books,
        waiters: Waiters,
        health: Callable[[], LaneHealth],
        registered: Callable[[], None],
    ) -> None:
        """`registered` is told of each receipt that is to be delivered."""
        self._store = store
        self._books = books
        self._waiters = waiters
        self._health = health
        self._registered = registered

    def registered(self, receipt_id: str, document: FiscalDocument, by: Decision) -> StoredReceipt:
        """The paper is here: these are its numbers.  Raises what `_find` raises, Invalid."""
        stored = self._find(receipt_id)
        intent, known = self._books.find_intent(stored)
        receipt = stored.receipt
        if document.fn != intent.fn:
            raise Invalid("not the FN it was sent to", field="qr", fn=intent.fn)
        if not intent.last_fd < document.fd <= intent.last_fd + READ_BACK_MAX:
            raise Invalid("not a document made since", field="qr", after_fd=intent.last_fd)
        if document.fd in known:
            raise Invalid("the document of another receipt", field="qr")
        if (document.sign, document.total) != (receipt.sign, receipt.total):
            raise Invalid("another sum or kind", field="qr")
        answer = self._books.confirm(
            stored, FiscalState.IN_DOUBT, document, printed=True, user=by.user, note=by.note
        )
        log.event(
            Event.KKT_DOUBT_SETTLED,
            till=stored.receipt.pos_id,
            receipt_id=stored.id,
            fd=document.fd,
            user=by.user,
        )
        self._waiters.publish(stored.id, answer)
        self._registered()
        return self._again(receipt_id)

    def absent(self, receipt_id: str, by: Decision) -> StoredReceipt:
        """It was never made: the receipt is held, to be printed or cancelled."""
        stored = self._find(receipt_id)
        answer = self._books.give_back(
            stored, FiscalState.IN_DOUBT, None, hold=True, user=by.user, note=by.note
        )
        log.event(
            Event.KKT_DOUBT_SETTLED,
            till=stored.receipt.pos_id,
            receipt_id=stored.id,
            fd=None,
            user=by.user,
        )
        self._waiters.publish(stored.id, answer)
        return self._again(receipt_id)

    def _find(self, receipt_id: str) -> StoredReceipt:
        """Raises NotFound, TooLate, and DoubtOpen while the FN itself can be asked."""
        stored = self._again(receipt_id)
        if stored.state is not FiscalState.IN_DOUBT:
            raise TooLate("it is not in doubt", print_state=stored.state)
        asks = (stored.problem or {}).get("remedy") in ASKS_A_PERSON
        if not asks and self._health().remedy not in AWAY:
            raise DoubtOpen("the FN is being asked", receipt_id=stored.id)
        return stored

    def _again(self, receipt_id: str) -> StoredReceipt:
        return self._store.read(lambda db: receipts.find(db, receipt_id))
