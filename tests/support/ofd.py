"""An ОФД of one object for virtual time, and a queue of registered receipts before it.

The channel over real HTTP has its own tests; here only what delivery makes of its five endings.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from kktd import log
from kktd.clock import Clock, Deadline, HlcStamp
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt
from kktd.model.states import Delivery as DeliveryState
from kktd.model.states import FiscalState, Step
from kktd.ofd.breaker import Breaker, BreakerRules
from kktd.ofd.channel import (
    Busy,
    Delivered,
    Misconfigured,
    NotAccepted,
    Throttled,
    Unavailable,
    Unknown,
    WrongNumbers,
)
from kktd.ofd.delivery import Delivery, DeliveryRules
from kktd.ofd.lock import SharedLock
from kktd.ofd.pace import Pace, PaceRules
from kktd.store import dlq, outbox, receipts
from kktd.store.leases import Boot
from kktd.store.receipts import Intent, StoredReceipt
from kktd.store.store import Store
from tests.support.clock import VirtualClock
from tests.support.receipts import a_receipt

FN = "9960440300112233"
POS_ID = "POS-001"


class VirtualOfd:
    """Keeps each key once.  `outage` names what is broken; `health_too`: pings break with it."""

    def __init__(self, clock: VirtualClock, latency_s: float = 0.05) -> None:
        self._clock = clock
        self.latency_s = latency_s
        self.outage: str | None = None
        self.health_too = True
        self.health_down = False  # pings alone fail
        self.retry_after_s: float | None = None
        self.refuses: set[str] = set()
        self.crashes_on: set[str] = set()
        self.garbles: set[str] = set()
        self.stored: dict[str, int] = {}  # key to FD, in order of arrival
        self._keys: dict[tuple[str, int], str] = {}  # by FN and FD
        self.sends: list[tuple[float, str]] = []
        self.pings: list[float] = []
        self.closed = False

    waits = False

    def is_ready(self, document: FiscalDocument) -> bool:
        return True

    def send(self, receipt: Receipt, document: FiscalDocument, by: Deadline) -> Delivered:
        self.sends.append((self._clock.monotonic_s(), receipt.id))
        if self.outage is not None:
            self._break(by, lambda: self._keep(receipt, document))
        self._clock.advance(self.latency_s)
        if receipt.id in self.refuses:
            raise NotAccepted("422 Unprocessable Entity")
        if receipt.id in self.crashes_on:
            raise Unknown("500 Internal Server Error")
        if receipt.id in self.garbles:
            raise WrongNumbers("other numbers")
        self._keep(receipt, document)
        return Delivered(document.fn, document.fd, document.fp)

    def ping(self, by: Deadline) -> None:
        self.pings.append(self._clock.monotonic_s())
        if self.outage is not None and self.health_too and self.outage != "401":
            self._break(by, lambda: None)
        self._clock.advance(self.latency_s)
        if self.health_down:
            raise Unknown("500 Internal Server Error")

    def close(self) -> None:
        self.closed = True

    def documents_of(self, fn: str) -> list[int]:
        """In order of arrival."""
        return [fd for of_fn, fd in self._keys if of_fn == fn]

    def _keep(self, receipt: Receipt, document: FiscalDocument) -> None:
        assert self.stored.setdefault(receipt.id, document.fd) == document.fd
        key = self._keys.setdefault((document.fn, document.fd), receipt.id)
        assert key == receipt.id, "two keys, one document"

    def _break(self, by: Deadline, keep: Callable[[], None]) -> None:
        match self.outage:
            case "refused":
                raise Unavailable("ConnectionRefused")
            case "hang":
                self._clock.advance(by.left_s())
                raise Unknown("AnswerTimeout")
            case "lost":
                self._clock.advance(self.latency_s)
                keep()
                raise Unknown("ConnectionClosed")
            case "503":
                raise Busy("503 Service Unavailable", self.retry_after_s)
            case "429":
                raise Throttled("429 Too Many Requests", self.retry_after_s)
            case "401":
                raise Misconfigured("401 Unauthorized")
        raise Unknown("500 Internal Server Error")


class DeliveryBench:
    """Store, breaker and delivery under a virtual clock; receipts come registered."""

    def __init__(
        self,
        folder: Path,
        pace: PaceRules | None = None,
        rules: DeliveryRules | None = None,
        shared_lock: Callable[[Clock], SharedLock] | None = None,
    ) -> None:
        self._shared_lock = shared_lock
        self.clock = VirtualClock()
        self.ofd = VirtualOfd(self.clock)
        self.ids: list[str] = []
        self._path = folder / "kktd.db"
        self._pace_rules, self._rules = pace or PaceRules(), rules or DeliveryRules()
        self._boot_count = 0
        self._due_s = 0.0
        self._log = io.StringIO()
        log.configure(self._log)
        self._start()

    def _start(self) -> None:
        self.store = Store(self._path)
        self.store.write(receipts.recover)
        self._boot_count += 1
        self.breaker = Breaker(self.clock, BreakerRules())
        self.pace = Pace(self._pace_rules)
        self.boot = Boot(f"boot-{self._boot_count}", lambda: int(self.clock.monotonic_s() * 1000))
        self.delivery = Delivery(
            self.store,
            self.ofd,
            self.breaker,
            self.pace,
            self.clock,
            self.boot,
            POS_ID,
            self._rules,
            shared_lock=self._shared_lock(self.clock) if self._shared_lock else None,
            wake_worker=self._wake,
            server_time_s=lambda: 42,
        )
        self._due_s = self.clock.monotonic_s()

    def _wake(self) -> None:
        self._due_s = self.clock.monotonic_s()

    def restart(self) -> None:
        """A kill and another boot: memory is gone, the file stays."""
        self.store.close()
        self._start()

    def sell(self, count: int = 1) -> list[str]:
        """Register so many, one after another."""
        new = []
        for _ in range(count):
            new.append(self.register(a_receipt()))
        self.delivery.wake()
        return new

    def register(self, receipt: Receipt) -> str:
        fd = len(self.ids) + 1
        now_s = int(self.clock.wall_s())
        document = FiscalDocument(
            FN,
            fd,
            str(3_000_000_000 + fd),
            1,
            fd,
            datetime(2026, 3, 2, 9),  # noqa: DTZ001 - a printer's clock knows no zone
            receipt.sign,
            receipt.total,
        )

        def work(db: Any) -> None:
            receipts.accept(db, receipt, HlcStamp(now_s, fd), now_s)
            receipts.begin_printing(db, receipt.id, Intent("1", FN, fd - 1, 1, None), now_s)
            receipts.confirm(db, receipt.id, FiscalState.PRINTING, document, now_s)
            receipts.advance(db, receipt.id, Step.FINISH_PAPER, FiscalState.REGISTERED)

        self.store.write(work)
        self.ids.append(receipt.id)
        return receipt.id

    def run(self, seconds: float) -> None:
        """Let so much time pass and do every step that falls due."""
        end_s = self.clock.monotonic_s() + seconds
        while self._due_s <= end_s:
            self.clock.advance_to(self._due_s)
            now_s = self.clock.monotonic_s()
            self._due_s = max(now_s, self.delivery.step(now_s))
        self.clock.advance_to(end_s)

    def step(self) -> None:
        """One step, due or not."""
        now_s = self.clock.monotonic_s()
        self._due_s = max(now_s, self.delivery.step(now_s))

    def find(self, receipt_id: str) -> StoredReceipt:
        return self.store.read(lambda db: receipts.find(db, receipt_id))

    def statuses(self) -> list[DeliveryState]:
        return [self.find(one).delivery for one in self.ids]

    def pending(self) -> int:
        return self.store.read(outbox.count)

    def dead(self) -> list[dlq.DeadLetter]:
        return self.store.read(dlq.find_all)

    def stored_events(self) -> list[str]:
        return self.store.read(
            lambda db: [row[0] for row in db.execute("SELECT event_type FROM buffer_events")]
        )

    def lines(self, *names: str) -> list[dict[str, Any]]:
        """What was logged under these names, without time and component."""
        found = [json.loads(line) for line in self._log.getvalue().splitlines()]
        for line in found:
            del line["timestamp"], line["component"]
        return [line for line in found if line["event"] in names]

    def close(self) -> None:
        self.delivery.close()
        self.store.close()
