"""The bench of the printer contract: one row a family, protocol and line, all the same tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.usb import BULK, CDC, Bus, Gadget, Kind

from kktd.clock import Deadline
from kktd.config import PrinterSettings
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt
from kktd.printers.base import FiscalPrinter
from kktd.printers.shtrih.driver import ShtrihPrinter
from kktd.wire.usb_port import Wanted
from tests.support.clock import VirtualClock
from tests.support.port import MemoryPort
from tests.support.receipts import CASHIER, a_receipt
from tests.support.usb import CountedUsbPort, virtual_usb_port

PRINT_MS: Final = 10_000
SHIFT_MS: Final = 60_000


@dataclass(slots=True)
class PrinterBench:
    """A driver, the simulated device at its far end, and the faults between them."""

    driver: FiscalPrinter
    device: SimulatedPrinter
    faults: Faults
    clock: VirtualClock
    port: MemoryPort | CountedUsbPort
    closing: str  # the rig's name of the command that makes a receipt
    opening_shift: str
    closing_shift: str
    entering: str  # of a line
    cancelling: str
    reading: str  # the archive, part by part

    def by(self, ms: float = PRINT_MS) -> Deadline:
        return self.clock.after_ms(ms)

    def open_shift(self) -> None:
        self.driver.open_shift(CASHIER, self.by(SHIFT_MS))

    def sell(self, receipt: Receipt | None = None, mark: str | None = None) -> FiscalDocument:
        return self.driver.register(receipt or a_receipt(), mark, self.by())

    def fault(self, name: str, times: int | None = 1, **settings: object) -> None:
        self.faults.add("printer", name, times=times, **settings)

    def mend(self) -> None:
        """All faults away, paper in, and time for a dropped line to come back."""
        self.faults.clear("printer")
        self.device.insert_paper()
        self.clock.advance(2)

    def receipts(self) -> list[dict[str, object]]:
        return [one for one in self.device.documents() if one["type"] == "receipt"]

    def marked(self, mark: str) -> list[dict[str, object]]:
        return [one for one in self.receipts() if one["mark"] == mark]

    def find_mark(self, mark: str, after_fd: int) -> int | None:
        """What a service does with a doubt: ask the FN for every document since."""
        last_fd = self.driver.status(self.by()).last_fd
        for fd in range(after_fd + 1, last_fd + 1):
            found = self.driver.archived(fd, self.by())
            if found is not None and found.mark == mark:
                return fd
        return None


def shtrih(
    *,
    line: str = "tcp",
    protocol: str = "1",
    folder: Path | None = None,
    settings: PrinterSettings | None = None,
    **options: object,
) -> PrinterBench:
    """The driver finds the protocol out by itself, and on a USB the device."""
    clock, faults = VirtualClock(), Faults()
    device = SimulatedPrinter(
        None,
        faults,
        clock=clock.local,
        protocol=protocol,
        **options,  # type: ignore[arg-type]
    )
    port: MemoryPort | CountedUsbPort
    if line in ON_USB:
        assert folder is not None
        bus = Bus(folder, clock)
        bus.plug(Gadget(device, ON_USB[line]))
        port = virtual_usb_port(bus, clock, Wanted())
    else:
        port = MemoryPort(device, clock, hangs_up=line == "tcp")
    return PrinterBench(
        driver=ShtrihPrinter(port, clock, settings or PrinterSettings()),
        device=device,
        faults=faults,
        clock=clock,
        port=port,
        closing="close_receipt",
        opening_shift="open_shift",
        closing_shift="z_report",
        entering="operation",
        cancelling="cancel_receipt",
        reading="read_tlv",
    )


ON_USB: Final[dict[str, Kind]] = {"usb-cdc": CDC, "usb-bulk": BULK}

FAMILIES: Final[dict[str, Callable[..., PrinterBench]]] = {
    f"shtrih-{protocol}-{line}": partial(shtrih, protocol=protocol, line=line)
    for protocol, lines in (
        ("1", ("tcp", "serial", "usb-cdc")),
        ("2", ("tcp", "serial", "usb-bulk")),
    )
    for line in lines
}


@pytest.fixture(params=list(FAMILIES))
def make_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., PrinterBench]:
    """Builds a bench with options of the simulated device."""
    return partial(FAMILIES[request.param], folder=tmp_path)


@pytest.fixture
def printer(make_bench: Callable[..., PrinterBench]) -> PrinterBench:
    """A bench with an open shift."""
    bench = make_bench()
    bench.open_shift()
    return bench
