"""Sells until it is killed: threads accept, one registers, one checkpoints; each tells what it did.

`python -m tests.crash.seller DATABASE THREADS` writes a line to its standard output when, and only
when, the store has returned: `accepted RECEIPT KEY` or `registered RECEIPT FD`.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import uuid
from functools import partial
from pathlib import Path
from typing import Final

from kktd import log
from kktd.model.receipt import PaymentMethod
from kktd.model.states import FiscalState
from kktd.receipts.desk import Desk
from kktd.store import receipts, sessions
from kktd.store.connection import Db
from kktd.store.store import Store
from tests.support.desk import roomy_desk
from tests.support.receipts import a_line, a_receipt
from tests.support.stores import FN, INTENT, a_document

POS_ID: Final = "POS-001"
NEXT_TO_PRINT: Final = """SELECT id FROM receipts WHERE unfinished = 1 AND print_state = 'accepted'
  ORDER BY hlc_local_time, hlc_logical_counter LIMIT 1"""


def tell(line: str) -> None:
    """One write of less than a pipe's atomic size: lines of threads do not mix."""
    os.write(1, f"{line}\n".encode())


def sell_for_ever(desk: Desk) -> None:
    while True:
        key = str(uuid.uuid4())
        receipt = a_receipt(
            a_line(199_00), a_line(36_99, "0.7"), payments={PaymentMethod.CASH: 300_00}
        )
        ticket = desk.accept(receipt, key, uuid.UUID(key).bytes * 2)
        tell(f"accepted {receipt.id} {key}")
        desk.leave(ticket)


def register_for_ever(store: Store, next_fd: int) -> None:
    while True:
        receipt_id = store.read(lambda db: db.execute(NEXT_TO_PRINT).get)
        if receipt_id is not None:
            begin = partial(receipts.begin_printing, receipt_id=str(receipt_id), intent=INTENT)
            store.write(partial(begin, now_s=1))
            store.write(partial(outcome, receipt_id=str(receipt_id), fd=next_fd))
            tell(f"registered {receipt_id} {next_fd}")
            next_fd += 1


def outcome(db: Db, receipt_id: str, fd: int) -> None:
    """What the lane commits when the FN has answered."""
    receipt = receipts.find(db, receipt_id).receipt
    receipts.confirm(db, receipt_id, FiscalState.PRINTING, a_document(receipt, fd), 1)
    sessions.book_receipt(db, sessions.ensure(db, POS_ID, FN, 3, 1), receipt, 1)


def checkpoint_for_ever(store: Store) -> None:
    while True:
        store.checkpoint(truncate=store.commits % 3 == 0)


def main(path: Path, threads: int) -> None:
    log.configure(io.StringIO())
    store = Store(path)
    desk = roomy_desk(store)
    store.write(receipts.recover)
    known = store.read(lambda db: receipts.find_known_documents(db, FN, 0))
    workers = [threading.Thread(target=sell_for_ever, args=(desk,)) for _ in range(threads)]
    workers.append(
        threading.Thread(target=register_for_ever, args=(store, max(known, default=100) + 1))
    )
    workers.append(threading.Thread(target=checkpoint_for_ever, args=(store,)))
    for worker in workers:
        worker.start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
