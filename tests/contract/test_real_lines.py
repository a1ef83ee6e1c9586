"""The same driver over a real socket and a real pseudo terminal, in real time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.transport import PtyTransport, TcpTransport
from rig.usb import BULK, CDC, Bus, Gadget

from kktd.clock import Deadline, SystemClock
from kktd.config import PrinterSettings
from kktd.errors import InDoubt, Unreachable
from kktd.printers.base import FiscalPrinter
from kktd.printers.registry import make_printer
from kktd.printers.shtrih.driver import ShtrihPrinter
from tests.support.receipts import CASHIER, a_receipt
from tests.support.usb import real_usb_port

CLOCK = SystemClock()


def soon(ms: float = 10_000) -> Deadline:
    return Deadline.after_ms(CLOCK, ms)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture(params=["1", "2"], ids=["protocol 1", "protocol 2"])
def protocol(request: pytest.FixtureRequest) -> str:
    """What the till speaks, and the driver has to find out."""
    return str(request.param)


ON_USB = {"usb-cdc": CDC, "usb-bulk": BULK}


@pytest.fixture(params=["tcp", "serial", *ON_USB])
def driver(
    request: pytest.FixtureRequest, faults: Faults, tmp_path: Path, protocol: str
) -> Iterator[FiscalPrinter]:
    device = SimulatedPrinter(None, faults, stray_ff=request.param == "tcp", protocol=protocol)
    if request.param in ON_USB:
        with closing(device), closing(Bus(tmp_path)) as bus:
            bus.plug(Gadget(device, ON_USB[request.param]))
            printer: FiscalPrinter = ShtrihPrinter(real_usb_port(bus), CLOCK, PrinterSettings())
            printer.open_shift(CASHIER, soon())
            yield printer
            printer.close()
        return
    with closing(device):
        line: TcpTransport | PtyTransport
        if request.param == "tcp":
            line = TcpTransport(device)
            url = f"tcp://{line.host}:{line.port}"
        else:
            line = PtyTransport(device, tmp_path / "kkt")
            url = f"serial://{line.path}"
        with closing(line):
            printer = make_printer(PrinterSettings(url=url), CLOCK)
            printer.open_shift(CASHIER, soon())
            yield printer
            printer.close()


def test_a_sale_is_made_and_read_back(driver: FiscalPrinter) -> None:
    document = driver.register(a_receipt(), "MARK", soon())
    found = driver.archived(document.fd, soon())
    assert found is not None
    assert (found.mark, found.fp) == ("MARK", document.fp)


def test_a_line_that_was_gone_is_found_again(driver: FiscalPrinter, faults: Faults) -> None:
    faults.add("printer", "unplug")
    with pytest.raises(Unreachable):
        driver.status(soon(700))
    faults.clear()
    assert driver.status(soon()).last_fd == 2


@pytest.mark.parametrize("kind", list(ON_USB))
def test_a_pulled_cable_is_noticed_at_once_and_the_device_found_under_another_name(
    faults: Faults, tmp_path: Path, kind: str
) -> None:
    with (
        closing(SimulatedPrinter(None, faults)) as device,
        closing(Bus(tmp_path)) as bus,
        closing(ShtrihPrinter(real_usb_port(bus), CLOCK, PrinterSettings())) as driver,
    ):
        gadget = Gadget(device, ON_USB[kind])
        bus.plug(gadget)
        driver.open_shift(CASHIER, soon())
        names = {one.name for one in bus.dev.iterdir()}
        bus.unplug(gadget)
        started_s = CLOCK.monotonic_s()
        with pytest.raises(Unreachable):
            driver.status(soon())
        assert CLOCK.monotonic_s() - started_s < 1
        bus.plug(gadget, "1-1.4")
        assert driver.status(soon()).last_fd == 2
        assert not names & {one.name for one in bus.dev.iterdir()}


def test_a_lost_reply_is_a_doubt_by_the_deadline(driver: FiscalPrinter, faults: Faults) -> None:
    faults.add("printer", "lose_reply", command="close_receipt")
    started_s = CLOCK.monotonic_s()
    with pytest.raises(InDoubt):
        driver.register(a_receipt(), "MARK", soon(3_000))
    assert CLOCK.monotonic_s() - started_s < 4
    faults.clear()
    found = driver.archived(driver.status(soon()).last_fd, soon())
    assert found is not None
    assert found.mark == "MARK"
