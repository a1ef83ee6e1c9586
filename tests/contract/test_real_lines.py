"""The same driver over a real socket and a real pseudo terminal, in real time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.transport import PtyTransport, TcpTransport

from kktd.clock import Deadline, SystemClock
from kktd.config import PrinterSettings
from kktd.errors import InDoubt, Unreachable
from kktd.printers.base import FiscalPrinter
from kktd.printers.registry import make_printer
from tests.support.receipts import CASHIER, a_receipt

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


@pytest.fixture(params=["tcp", "serial"])
def driver(
    request: pytest.FixtureRequest, faults: Faults, tmp_path: Path, protocol: str
) -> Iterator[FiscalPrinter]:
    device = SimulatedPrinter(None, faults, stray_ff=request.param == "tcp", protocol=protocol)
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
