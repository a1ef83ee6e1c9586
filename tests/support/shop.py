"""The daemon's own parts under one virtual clock: every worker, the API's answers, no thread.

Only what the till is connected to is simulated: registrars, the ОФД, time and chance.  A trading
day takes a second and a seed replays it.  Several lanes run beside one another: each works in its
own time, and what it did is answered when the clock of the shop has come there.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import random
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry
from rig.faults import Faults
from rig.printer import SimulatedPrinter

from kktd import log
from kktd.api.app import build_api
from kktd.api.call import Listener
from kktd.assembly import Assembly, Outside
from kktd.clock import Clock
from kktd.config import PrinterSettings
from kktd.metrics import Metrics
from kktd.model.receipt import Receipt
from kktd.power.table import UpsEvent
from kktd.printers.shtrih.driver import ShtrihPrinter
from kktd.printing import is_lane
from kktd.receipts.answers import Answer, Ticket
from kktd.settings_file import parse
from kktd.store import buffer, receipts
from kktd.store.leases import Boot
from kktd.store.operations import OperationKind, Request
from kktd.store.receipts import StoredReceipt
from tests.support.clock import VirtualClock
from tests.support.crash import KillablePort
from tests.support.odoo import VirtualOdoo
from tests.support.ofd import VirtualOfd
from tests.support.receipts import CASHIER
from tests.support.till import POS_ID, digest

OPENING: Final = datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001 - a till knows no zones
SETTINGS: Final = """
[till]
pos_ids = {pos_ids}
state_dir = "{state}"
[printer]
url = "tcp://127.0.0.1:1"
{printers}
[buffer]
capacity = 200
[ofd]
url = "http://127.0.0.1:1"
token_file = "/nowhere"
[odoo]
url = "{odoo}"
[organisation]
inn = "9706048530"
address = "Москва"
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer of the API."""

    status: int
    body: Any


class Shop:
    """One till of a shop.  Nothing happens but in `run`; `kill` is kill -9, the disk stays."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 1,
        clock: VirtualClock | None = None,
        has_odoo: bool = False,
        printers: int = 1,
    ) -> None:
        """As many tills as printers, POS-001 and so on; `printer` and `faults` are the first's."""
        self.clock = clock or VirtualClock()
        self.pos_ids = [f"POS-{number:03}" for number in range(1, printers + 1)]
        self.boards = [Faults() for _ in self.pos_ids]
        self.registrars = [
            SimulatedPrinter(
                None,
                board,
                clock=self._printer_time,
                serial=f"{number:016}",
                fn_number=f"99990789020190{number:02}",
            )
            for number, board in enumerate(self.boards, 1)
        ]
        self.printer, self.faults = self.registrars[0], self.boards[0]
        self.ofd = VirtualOfd(self.clock)
        self.odoo = VirtualOdoo(self.clock)
        self.ups_says: tuple[UpsEvent, ...] = ()  # apcupsd, when the daemon starts
        self._random = random.Random(seed)
        self._boots = 0
        self._folder = folder
        self._file = folder / "kktd.toml"
        self._file.write_text(
            SETTINGS.format(
                state=folder / "state",
                odoo="http://127.0.0.1:1/kktd/v1" if has_odoo else "",
                pos_ids=json.dumps(self.pos_ids),
                printers="".join(
                    f'[printers.n{number}]\nurl = "tcp://127.0.0.1:{number}"\n'
                    f'pos_ids = ["{pos_id}"]\n'
                    for number, pos_id in enumerate(self.pos_ids, 1)
                    if number > 1
                ),
            ),
            encoding="utf-8",
        )
        self._log = io.StringIO()
        self._hung: dict[str, threading.Event] = {}
        self._start()

    def _printer_time(self) -> datetime:
        """Moscow time by the printer's own clock: whoever sets ours does not touch it."""
        return OPENING + timedelta(seconds=self.clock.monotonic_s() - 1_000)

    def _start(self) -> None:
        self._boots += 1
        boot = Boot(f"boot-{self._boots}", lambda: int(self.clock.monotonic_s() * 1000))
        settings = parse(self._file.read_text(encoding="utf-8"))
        metrics = Metrics(CollectorRegistry(), settings.till.pos_ids)
        log.configure(self._log, metrics.observe)
        self.parts = Assembly(
            self._file,
            settings,
            self.clock,
            metrics,
            tell_systemd=lambda _: None,
            outside=Outside(
                printer=self._make_printer,
                ofd=lambda *_: self.ofd,
                odoo=lambda _: self.odoo,
                listeners=lambda *_: (),
                ups=lambda *_: self.ups_says,
                boot=lambda: boot,
                chance=self._random.random,
            ),
        )
        self.parts.ready = True
        self._api = build_api(self.parts.till)
        self._due = {name: self.clock.monotonic_s() for name in self.parts.workers}
        self._busy_until = dict.fromkeys(self._due, 0.0)

    def _make_printer(self, settings: PrinterSettings, clock: Clock) -> ShtrihPrinter:
        registrar = self.registrars[int(settings.url.rpartition(":")[2]) - 1]
        return ShtrihPrinter(KillablePort(registrar, self.clock, hangs_up=True), clock, settings)

    # ---- time -------------------------------------------------------------------------------

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so much time pass, every worker taking its turns when due or woken."""
        end_s = self.clock.monotonic_s() + seconds
        while not until():
            for name, worker in self.parts.workers.items():
                if worker.take_wake() and name not in self._hung:
                    self._due[name] = max(self.clock.monotonic_s(), self._busy_until[name])
            name = min(self._due, key=lambda one: self._due[one])
            if self._due[name] > end_s:
                self.clock.advance_to(end_s)
                return
            self.clock.advance_to(self._due[name])
            began_s = self.clock.monotonic_s()
            due_s = self.parts.workers[name].turn()
            self._busy_until[name] = self.clock.monotonic_s()
            self._due[name] = max(due_s, self._busy_until[name])
            if len(self.registrars) > 1 and is_lane(name):
                self.clock.go_back_to(began_s)

    def wait(self, what: Callable[[], bool], seconds: float) -> float:
        """Run until it is so; how long it took (s).  Fails when it is not in time."""
        began_s = self.clock.monotonic_s()
        self.run(seconds, until=what)
        assert what(), f"not within {seconds} s"
        return self.clock.monotonic_s() - began_s

    def hang(self, name: str) -> None:
        """Have this worker enter a step that does not end before `close`."""
        worker, entered, freed = self.parts.workers[name], threading.Event(), threading.Event()

        def step(now_s: float) -> float:
            entered.set()
            freed.wait()
            return now_s

        worker._step = step
        self._hung[name], self._due[name] = freed, math.inf
        threading.Thread(target=worker.turn, daemon=True).start()
        assert entered.wait(30)

    def kill(self) -> None:
        """kill -9: memory is gone."""
        self.parts.store.close()

    def start(self) -> None:
        """After `kill`: power is back."""
        self._start()

    def restart(self) -> None:
        self.kill()
        self._start()

    def configure(self, old: str, new: str) -> None:
        """Edit the settings file, as an engineer would; the till reads it in its own time."""
        text = self._file.read_text(encoding="utf-8")
        assert old in text
        self._file.write_text(text.replace(old, new), encoding="utf-8")
        self.parts.reloader.ask()

    def close(self) -> None:
        for freed in self._hung.values():
            freed.set()
        self.kill()

    # ---- trade ------------------------------------------------------------------------------

    def sell(self, receipt: Receipt, key: str | None = None, *, supervised: bool = False) -> Answer:
        """Ring it up and wait for the answer, as a cashier does; raises what the desk raises."""
        key = key or str(uuid.uuid4())
        ticket = self.parts.desk.accept(receipt, key, digest(receipt), supervised=supervised)
        return self._answer(ticket, lambda: self.parts.desk.answer(self.stored(ticket.id)))

    def operate(self, kind: OperationKind, pos_id: str = POS_ID) -> Answer:
        """X, Z and their like, answered."""
        key = str(uuid.uuid4())
        ticket = self.parts.desk.operate(Request(kind, CASHIER), pos_id, key, key.encode())
        return self._answer(ticket, lambda: self.parts.desk.operation_answer(ticket.id))

    def _answer(self, ticket: Ticket, present: Callable[[], Answer]) -> Answer:
        waiter = ticket.waiter
        if ticket.answer is not None:
            return ticket.answer
        assert waiter is not None
        answered_s: list[float] = []
        waiter.add_done_callback(lambda _: answered_s.append(self.clock.monotonic_s()))
        self.run(10, until=waiter.done)
        if answered_s:
            self.run(answered_s[0] - self.clock.monotonic_s())
        self.parts.desk.leave(ticket)
        return waiter.result(0) if waiter.done() else present()

    # ---- seeing -----------------------------------------------------------------------------

    def stored(self, receipt_id: str) -> StoredReceipt:
        return self.parts.store.read(lambda db: receipts.find(db, receipt_id))

    def queued(self) -> int:
        """In the buffer of 200."""
        return self.parts.store.read(buffer.count_queued)

    def fn_receipts(self, printer: int = 0) -> list[dict[str, Any]]:
        """What the FN of one printer, counted from 0, holds."""
        return [one for one in self.registrars[printer].documents() if one["type"] == "receipt"]

    def get(self, path: str, language: str = "ru") -> Seen:
        """Ask the API over its own application, without a socket."""
        return asyncio.run(self._ask("GET", path, language))

    def all_lines(self) -> list[dict[str, Any]]:
        """Everything that was logged."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def lines(self, *names: str) -> list[dict[str, Any]]:
        """What was logged under these names."""
        return [line for line in self.all_lines() if line["event"] in names]

    async def _ask(self, method: str, path: str, language: str) -> Seen:
        route, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": route,
            "raw_path": route.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), (b"accept-language", language.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self._api.behind(Listener.SOCKET)(scope, receive, send)  # type: ignore[arg-type]
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Seen(sent[0]["status"], json.loads(body))
