"""One suite for every way to the ОФД: what delivery may expect of `rest` and of `device` alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from rig.faults import Faults
from rig.ofd import SimulatedOfd
from rig.printer import SimulatedPrinter

from kktd.clock import Clock, Deadline, SystemClock
from kktd.config import PrinterSettings
from kktd.model.device import FnLife
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt, TaxSystem
from kktd.ofd.body import Seller
from kktd.ofd.channel import DeliveryError, NotAccepted, OfdChannel, Unavailable, Unknown
from kktd.ofd.device import DeviceChannel
from kktd.ofd.rest import RestChannel
from kktd.printers.shtrih.driver import ShtrihPrinter
from tests.support.clock import VirtualClock
from tests.support.port import MemoryPort
from tests.support.receipts import CASHIER, a_receipt

OTHER_FN: Final = "9960440300112299"


class Bench(ABC):
    """A channel, receipts that a registrar's FN holds, and the ОФД's side."""

    channel: OfdChannel

    def __init__(self) -> None:
        self.clock = VirtualClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
        self.device = SimulatedPrinter(None, Faults(), clock=self.clock.local)
        self.driver = ShtrihPrinter(
            MemoryPort(self.device, self.clock, hangs_up=True), self.clock, PrinterSettings()
        )
        self.driver.status(self.clock.after_ms(60_000))
        self.driver.open_shift(CASHIER, self.clock.after_ms(60_000))

    def sell(self) -> tuple[Receipt, FiscalDocument]:
        receipt = a_receipt()
        return receipt, self.driver.register(receipt, None, self.clock.after_ms(60_000))

    @property
    @abstractmethod
    def time(self) -> Clock:
        """The channel's."""

    def by(self, ms: float = 5_000) -> Deadline:
        return Deadline.after_ms(self.time, ms)

    @abstractmethod
    def work(self) -> None:
        """The ОФД is there; whatever has to happen for receipts to arrive has happened."""

    @abstractmethod
    def go_away(self) -> None:
        """It is not, and has not been for a while."""

    @abstractmethod
    def spoil(self, document: FiscalDocument) -> FiscalDocument:
        """One that the ОФД will never have, made of this; the others are as before."""

    @abstractmethod
    def held(self) -> int:
        """How many receipts it has."""

    def close(self) -> None:
        self.channel.close()


class Rest(Bench):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._faults = Faults()
        self._ofd = SimulatedOfd(folder, self._faults, "till-1")
        self._ofd.start()
        seller = Seller("9706048530", "Москва", TaxSystem.OSN, ZoneInfo("Europe/Moscow"))
        self.channel = RestChannel(self._ofd.url, lambda: "till-1", seller, self.time)

    @property
    def time(self) -> Clock:
        return SystemClock()

    def work(self) -> None:
        self._faults.clear()

    def go_away(self) -> None:
        self._faults.add("ofd", "refuse_connection")

    def spoil(self, document: FiscalDocument) -> FiscalDocument:
        self._faults.add("ofd", "reject", match="Молоко", times=1)
        return document

    def held(self) -> int:
        return len(self._ofd.receipts())

    def close(self) -> None:
        super().close()
        self._ofd.close()


class Device(Bench):
    def __init__(self, folder: Path) -> None:
        del folder
        super().__init__()
        self.channel = DeviceChannel(self._read, self.clock, UTC)
        self.work()

    @property
    def time(self) -> Clock:
        return self.clock

    def _read(self) -> dict[str, FnLife | None]:
        life = self.driver.fn_life(self.clock.after_ms(5_000))
        return {life.fn: life}

    def work(self) -> None:
        self.device.set_ofd_online(True)
        self.clock.advance(1)

    def go_away(self) -> None:
        self.device.set_ofd_online(False)
        self.sell()
        self.clock.advance(600)

    def spoil(self, document: FiscalDocument) -> FiscalDocument:
        return replace(document, fn=OTHER_FN)

    def held(self) -> int:
        life = self.driver.fn_life(self.clock.after_ms(5_000))
        made = [one for one in self.device.documents() if one["type"] == "receipt"]
        return len([one for one in made if int(str(one["fd"])) <= life.delivered_fd])


@pytest.fixture(params=[Rest, Device], ids=["rest", "device"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made: Bench = request.param(tmp_path)
    yield made
    made.close()


def test_what_the_ofd_has_is_delivered_under_the_numbers_of_the_fn(bench: Bench) -> None:
    receipt, document = bench.sell()
    bench.work()
    assert bench.channel.is_ready(document)
    delivered = bench.channel.send(receipt, document, bench.by())
    assert (delivered.fn, delivered.fd, delivered.fp) == (document.fn, document.fd, document.fp)
    assert bench.held() == 1


def test_a_repeat_is_harmless(bench: Bench) -> None:
    receipt, document = bench.sell()
    bench.work()
    first = bench.channel.send(receipt, document, bench.by())
    assert bench.channel.send(receipt, document, bench.by()) == first
    assert bench.held() == 1


def test_receipts_arrive_one_to_one(bench: Bench) -> None:
    sold = [bench.sell() for _ in range(5)]
    bench.work()
    numbers = [bench.channel.send(*one, bench.by()).fd for one in sold]
    assert numbers == [document.fd for _, document in sold]
    assert bench.held() == 5


def test_without_the_ofd_nothing_is_delivered_and_afterwards_it_is(bench: Bench) -> None:
    bench.go_away()
    receipt, document = bench.sell()
    with pytest.raises((Unavailable, Unknown)):
        bench.channel.send(receipt, document, bench.by())
    with pytest.raises(DeliveryError):
        bench.channel.ping(bench.by())
    bench.work()
    bench.channel.ping(bench.by())
    assert bench.channel.send(receipt, document, bench.by()).fd == document.fd


def test_a_receipt_that_can_never_arrive_is_not_accepted_and_holds_no_other(bench: Bench) -> None:
    _, document = bench.sell()
    receipt, other = bench.sell()
    bench.work()
    lost = bench.spoil(document)
    assert bench.channel.is_ready(lost), "or it would wait for ever"
    with pytest.raises(NotAccepted):
        bench.channel.send(a_receipt(), lost, bench.by())
    assert bench.channel.send(receipt, other, bench.by()).fd == other.fd


def test_a_channel_that_waits_says_so_beforehand(bench: Bench) -> None:
    bench.go_away()
    _, document = bench.sell()
    assert bench.channel.is_ready(document) is not bench.channel.waits


def test_closing_twice_is_harmless(bench: Bench) -> None:
    bench.channel.close()
    bench.channel.close()
