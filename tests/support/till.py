"""A whole till in one thread under a virtual clock, from the desk to the simulated printer.

`crash()` is a kill: everything in memory is gone, the file and the FN stay.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from rig.faults import Faults
from rig.printer import SimulatedPrinter

from kktd.clock import HybridClock
from kktd.config import PrinterSettings
from kktd.model.device import FIRST_PRINTER
from kktd.model.receipt import Receipt
from kktd.model.states import Delivery, DeliveryStep
from kktd.printers.shtrih.driver import ShtrihPrinter
from kktd.receipts.admission import DeskRules, PrinterRules
from kktd.receipts.answers import Answer, Ticket
from kktd.receipts.desk import Desk
from kktd.receipts.lane import Lane, LaneRules
from kktd.receipts.lanes import Lanes
from kktd.receipts.recovery import recover
from kktd.receipts.waiters import Waiters
from kktd.store import receipts
from kktd.store.connection import Db
from kktd.store.operations import OperationKind, Request
from kktd.store.receipts import StoredReceipt
from kktd.wire.port import Port
from tests.support.clock import VirtualClock
from tests.support.crash import KillablePort, KillableStore
from tests.support.receipts import CASHIER

POS_ID = "POS-001"
OPENING = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - a till knows no zones


class TillBench:
    """What a test does at a till.  Steps run only when asked for."""

    def __init__(
        self,
        folder: Path,
        *,
        capacity: int = 200,
        max_unprinted: int = 10,
        hangs_up: bool = True,
        protocol: str = "auto",
        ffd: str = "1.05",
        pos_ids: tuple[str, ...] = (POS_ID,),
    ) -> None:
        """`pos_ids` share the one printer."""
        self._pos_ids = pos_ids
        self.clock = VirtualClock()
        self.faults = Faults()
        self.printer = SimulatedPrinter(
            None, self.faults, clock=self._printer_time, protocol=protocol
        )
        self._path = folder / "kktd.db"
        printer = PrinterRules(max_unprinted, open_shift_on_sale=True)
        self._rules = DeskRules(capacity, {FIRST_PRINTER: printer})
        self._hangs_up = hangs_up
        self._protocol = protocol
        self._ffd = ffd
        self.registered = 0
        self._start()

    def _printer_time(self) -> datetime:
        """The printer has a clock of its own: whoever sets ours does not touch it."""
        return OPENING + timedelta(seconds=self.clock.monotonic_s())

    def _start(self) -> None:
        self.store = KillableStore(self._path)
        recover(self.store, self.clock, dict.fromkeys(self._pos_ids, FIRST_PRINTER))
        self.waiters = Waiters()
        hlc = HybridClock(self.clock, self.store.read(receipts.highest_stamp))
        driver = ShtrihPrinter(
            self._line(), self.clock, PrinterSettings(protocol=self._protocol, ffd=self._ffd)
        )
        self.lane = Lane(
            driver,
            self.store,
            self.clock,
            self.waiters,
            LaneRules(auto_print_s=60, open_shift_on_sale=True, mark_documents=True),
            offline=lambda: False,
            registered=self._note_registered,
            pos_ids=self._pos_ids,
        )
        self.lanes = Lanes([self.lane])
        self.desk = Desk(
            self.store,
            self.clock,
            hlc,
            self.waiters,
            self._rules,
            lane_of=self.lanes.find,
        )

        self.doubts = self.lane.doubts

    def _line(self) -> Port:
        self.port = KillablePort(self.printer, self.clock, hangs_up=self._hangs_up)
        return self.port

    def _note_registered(self) -> None:
        self.registered += 1

    # ---- doing ------------------------------------------------------------------------------

    def post(self, receipt: Receipt, key: str | None = None, *, supervised: bool = False) -> Ticket:
        """Accept it, as the API does."""
        key = key or str(uuid.uuid4())
        return self.desk.accept(receipt, key, digest(receipt), supervised=supervised)

    def sell(
        self,
        receipt: Receipt,
        key: str | None = None,
        seconds: float = 30,
        *,
        supervised: bool = False,
    ) -> Answer:
        """Post it and let the lane work until it is answered; else its present state."""
        ticket = self.post(receipt, key, supervised=supervised)
        if ticket.answer is not None:
            return ticket.answer
        self.run(seconds, until=ticket)
        waiter = ticket.waiter
        answer = waiter.result(0) if waiter is not None and waiter.done() else None
        self.desk.leave(ticket)
        return answer or self.desk.answer(self.desk.find(ticket.id))

    def z_report(self, seconds: float = 300) -> Answer:
        """Ask for a Z-report and run until it is answered."""
        ticket = self.desk.operate(
            Request(OperationKind.Z_REPORT, CASHIER), POS_ID, str(uuid.uuid4()), b"z"
        )
        self.run(seconds, until=ticket)
        self.desk.leave(ticket)
        return self.desk.operation_answer(ticket.id)

    def run(self, seconds: float, until: Ticket | None = None) -> None:
        """Let the lane work for so long, or until a ticket is answered."""
        end_s = self.clock.monotonic_s() + seconds
        while self.clock.monotonic_s() <= end_s:
            due_s = self.lane.step(self.clock.monotonic_s())
            if until is not None and until.waiter is not None and until.waiter.done():
                return
            self.clock.advance_to(min(due_s, end_s + 0.001))

    def crash(self) -> None:
        """kill -9 and start again."""
        self.store.close()
        self._start()

    def close(self) -> None:
        self.store.close()

    def deliver(self, receipt_id: str) -> None:
        """The ОФД takes a registered receipt."""

        def work(db: Db) -> None:
            receipts.move_delivery(db, receipt_id, DeliveryStep.TAKE, Delivery.PENDING)
            receipts.mark_synced(db, receipt_id, int(self.clock.wall_s()), None)

        self.store.write(work)

    # ---- seeing -----------------------------------------------------------------------------

    def stored(self, receipt_id: str) -> StoredReceipt:
        return self.desk.find(receipt_id)

    def fn_receipts(self) -> list[dict[str, object]]:
        """Receipts the FN holds."""
        return [one for one in self.printer.documents() if one["type"] == "receipt"]


def digest(receipt: Receipt) -> bytes:
    return hashlib.sha256(repr(receipt.lines).encode()).digest()
