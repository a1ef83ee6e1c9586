"""A simulated ОФД over real loopback HTTP, and rude servers of a few lines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rig.faults import Faults
from rig.ofd import SimulatedOfd

from kktd.clock import Deadline, SystemClock
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt, TaxSystem
from kktd.ofd.body import Seller
from kktd.ofd.channel import Delivered
from kktd.ofd.rest import RestChannel

TOKEN = "till-1"
SELLER = Seller("9706048530", "Москва, Тверская, 1", TaxSystem.OSN, ZoneInfo("Europe/Moscow"))


def a_document(receipt: Receipt, fd: int = 7) -> FiscalDocument:
    issued_at = datetime(2026, 3, 2, 14, 23)  # noqa: DTZ001 - a printer's clock knows no zone
    return FiscalDocument(
        "9960440300112233", fd, "0123456789", 3, 5, issued_at, receipt.sign, receipt.total
    )


class Line:
    """A channel to one address, and how long its calls may take."""

    def __init__(self, url: str, token: Callable[[], str] = lambda: TOKEN) -> None:
        self.clock = SystemClock()
        self.channel = RestChannel(url, token, SELLER, self.clock)

    def send(self, receipt: Receipt, fd: int = 7, ms: int = 5_000) -> Delivered:
        by = Deadline.after_ms(self.clock, ms)
        return self.channel.send(receipt, a_document(receipt, fd), by)

    def ping(self, ms: int = 5_000) -> None:
        self.channel.ping(Deadline.after_ms(self.clock, ms))


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def ofd(tmp_path: Path, faults: Faults) -> Iterator[SimulatedOfd]:
    simulated = SimulatedOfd(tmp_path, faults, TOKEN)
    simulated.start()
    yield simulated
    simulated.close()


@pytest.fixture
def line(ofd: SimulatedOfd) -> Iterator[Line]:
    made = Line(ofd.url)
    yield made
    made.channel.close()


class RudeServer:
    """Does `talk` with each connection in turn; `seen` is what came in."""

    def __init__(self, talk: Callable[[socket.socket, int], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self.accepted = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(
                target=self._converse, args=(connection, self.accepted), daemon=True
            ).start()

    def _converse(self, connection: socket.socket, number: int) -> None:
        with connection:
            try:
                self._talk(connection, number)
            except OSError:
                return  # the till hung up, which is what some of these tests are about

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):  # shut already; closing alone would leave accept() listening
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def rude() -> Iterator[Callable[[Callable[[socket.socket, int], None]], RudeServer]]:
    made: list[RudeServer] = []

    def make(talk: Callable[[socket.socket, int], None]) -> RudeServer:
        made.append(RudeServer(talk))
        return made[-1]

    yield make
    for server in made:
        server.close()
