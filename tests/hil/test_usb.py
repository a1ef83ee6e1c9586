"""A lane in its own thread, and a cable pulled and put back, in real time over a real tty."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.usb import BULK, CDC, Bus, Gadget, Kind

from kktd.clock import SystemClock
from kktd.config import PrinterSettings
from kktd.printers.shtrih.driver import ShtrihPrinter
from kktd.receipts.lane import Lane, LaneRules
from kktd.receipts.waiters import Waiters
from kktd.store.store import Store
from kktd.worker import Worker
from tests.support.usb import real_usb_port

BACK_S = 2.0
SLACK_S = 1.5  # of a machine with other work; the figure itself is held in virtual time
CLOCK = SystemClock()


def _wait(what: Callable[[], bool], seconds: float = 20.0) -> float:
    """Poll until it is so; how long it took (s)."""
    began_s = time.monotonic()
    while not what():
        assert time.monotonic() - began_s < seconds
        time.sleep(0.01)
    return time.monotonic() - began_s


@pytest.mark.parametrize("kind", [CDC, BULK], ids=["cdc", "bulk"])
def test_a_till_plugged_in_under_another_name_is_ready_again(
    tmp_path: Path, kind: Kind, record_property: Callable[[str, object], None]
) -> None:
    with (
        closing(SimulatedPrinter(None, Faults())) as device,
        closing(Bus(tmp_path)) as bus,
        closing(Store(tmp_path / "kktd.db")) as store,
        closing(ShtrihPrinter(real_usb_port(bus), CLOCK, PrinterSettings())) as driver,
    ):
        gadget = Gadget(device, kind)
        bus.plug(gadget)
        rules = LaneRules(auto_print_s=60, open_shift_on_sale=True, mark_documents=True)
        lane = Lane(
            driver, store, CLOCK, Waiters(), rules, offline=lambda: False, registered=lambda: None
        )
        worker = Worker("printer", lane.step, CLOCK, 30.0)
        worker.start()
        try:
            _wait(lambda: lane.health.ready)
            bus.unplug(gadget)
            _wait(lambda: not lane.health.ready)
            bus.plug(gadget, "1-1.4")
            took_s = _wait(lambda: lane.health.ready)
        finally:
            worker.ask_stop()
            assert worker.join(10)
        record_property("ready_after_s", round(took_s, 2))
        print(f"{'tty' if kind.tty else 'bulk'}: ready {took_s:.2f} s after the plug")
        assert took_s <= BACK_S + SLACK_S
