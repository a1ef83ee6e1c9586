"""A whole POST of a sale, against what no till can do without: two commits and the printer.

The limit is taken in the same run, one for one: two transactions of the till's own rows on a second
database of the same disk, and the same questions to a registrar of its own by a bare client.
"""

from __future__ import annotations

import statistics
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.figures import median_ms
from benchmarks.row import Row
from benchmarks.till import Rig, Till, a_rig, a_till, workshop
from benchmarks.wire import BareClient, Conversation, Tap, conversation
from kktd.clock import HlcStamp
from kktd.events import Event
from kktd.model.fiscal import FiscalDocument
from kktd.model.money import Kopecks
from kktd.model.receipt import Receipt, Sign
from kktd.model.states import FiscalState
from kktd.store import journal, keys, receipts, sessions
from kktd.store.connection import Db
from kktd.store.receipts import Intent
from kktd.store.store import Store

WARM_UP: Final = 40
SALES: Final = 60
PAUSE_S: Final = 0.05  # the delivery of the sale before is over
IDLE_PAGES: Final = 250  # as kktd.upkeep: the WAL is written over, as on a till that has run a day
AIM_MS: Final = 3.0
FN: Final = "9999078902019097"


class TwoCommits:
    """The two transactions of contract 2.10 with rows as a sale has them, and nothing else."""

    def __init__(self, file: Path, sold: Receipt) -> None:
        self._store = Store(file)
        self._sold = sold
        self._made = 0

    def run(self) -> float:
        """Seconds of one pair."""
        self._made += 1
        sold = replace(self._sold, id=type(self._sold.id)(str(uuid.uuid4())))
        now_s = int(time.time())
        began_s = time.perf_counter()
        self._store.write(lambda db: self._accept(db, sold, now_s))
        self._store.write(lambda db: self._confirm(db, sold, now_s))
        return time.perf_counter() - began_s

    def rest(self) -> None:
        """What upkeep does while nobody sells."""
        if self._store.wal_pages >= IDLE_PAGES:
            self._store.checkpoint()

    def close(self) -> None:
        self._store.close()

    def _accept(self, db: Db, sold: Receipt, now_s: int) -> None:
        receipts.accept(db, sold, HlcStamp(now_s, self._made), now_s)
        keys.claim(db, str(uuid.uuid4()), bytes(32), now_s, receipt_id=sold.id)
        journal.append(db, Event.BUFFER_INSERT, now_s * 1000, receipt_id=sold.id, buffer_size=1)
        intent = Intent("0380490041048485", FN, self._made, 1, "A" * 26)
        receipts.begin_printing(db, sold.id, intent, now_s)

    def _confirm(self, db: Db, sold: Receipt, now_s: int) -> None:
        document = FiscalDocument(
            fn=FN,
            fd=self._made,
            fp="2533293694",
            shift=1,
            receipt_no=self._made,
            issued_at=datetime.fromtimestamp(now_s, UTC).replace(tzinfo=None),
            sign=Sign.SALE,
            total=Kopecks(sold.total),
        )
        receipts.confirm(db, sold.id, FiscalState.PRINTING, document, now_s)
        session = sessions.ensure(db, sold.pos_id, FN, 1, now_s)
        sessions.book_receipt(db, session, sold, now_s)
        journal.append(db, Event.KKT_PRINT_SUCCESS, now_s * 1000, receipt_id=sold.id, fn=FN)
        answer = {"body": {"receipt_id": sold.id, "fiscal_doc": document.as_json()}}
        keys.store_receipt_answer(db, sold.id, 200, answer)
