"""A till on the USB: cable pulled, or device hung, after every byte of a sale; one document each.

The driver, the lane, the store and kktd's search of the USB are the real ones, the time is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from rig.printer import SimulatedPrinter
from rig.usb import BULK, CDC, Bus, Gadget, Kind

from kktd.model.receipt import ReceiptId
from kktd.model.states import FiscalState
from kktd.printers.shtrih import session
from kktd.printers.shtrih.session import WORK_MAX_S
from kktd.receipts.books import mark_of
from kktd.wire.port import Port
from kktd.wire.usb_port import Wanted
from tests.support.receipts import a_line, a_receipt
from tests.support.till import TillBench
from tests.support.usb import CountedUsbPort, virtual_usb_port

KINDS: Final = {"cdc": CDC, "bulk": BULK}
STRIDE: Final = 23  # bytes; each hang is minutes of the till's time
BACK_S: Final = 2.0  # issue: re-plug within


class UsbTill(TillBench):
    """A `TillBench` whose printer hangs on a bus."""

    usb_port: CountedUsbPort

    def __init__(self, folder: Path, kind: Kind, *, reboots: bool = False) -> None:
        self._folder, self._kind, self._reboots = folder, kind, reboots
        self.bus: Bus | None = None
        super().__init__(folder, capacity=10_000, max_unprinted=10_000)

    def _line(self) -> Port:
        if self.bus is None:
            self.bus = Bus(self._folder, self.clock)
            self.gadget = Gadget(self.printer, self._kind, reboots=self._reboots)
            self.bus.plug(self.gadget)
        self.usb_port = virtual_usb_port(self.bus, self.clock, Wanted())
        return self.usb_port

    def names(self) -> set[str]:
        """Of the ttys there are."""
        assert self.bus is not None
        return {one.name for one in self.bus.dev.iterdir()}

    def check_one_document_each(self, receipt_ids: Sequence[ReceiptId]) -> None:
        marks = Counter(one["mark"] for one in self.fn_receipts())
        for receipt_id in receipt_ids:
            stored = self.stored(receipt_id)
            assert stored.state is FiscalState.PRINTED, (stored.state, stored.problem)
            assert marks[mark_of(receipt_id)] == 1
        assert max(marks.values()) == 1


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def till(tmp_path: Path, kind: Kind) -> Iterator[UsbTill]:
    till = UsbTill(tmp_path, kind)
    till.sell(a_receipt())  # the shift is open, the printer known
    yield till
    till.close()


def _bytes_of_a_sale(till: UsbTill) -> dict[str, int]:
    sent, received = till.usb_port.bytes_sent, till.usb_port.bytes_received
    till.sell(a_receipt())
    return {
        "to_device": till.usb_port.bytes_sent - sent,
        "to_host": till.usb_port.bytes_received - received,
    }


@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_a_cable_pulled_after_any_byte_and_put_back_under_another_name_is_one_document(
    till: UsbTill, direction: str
) -> None:
    sold = []
    size = _bytes_of_a_sale(till)[direction]
    for count in range(0, size + 1, 1 if till.names() else 5):
        names = till.names()
        till.faults.add("printer", "cut_after", 1, bytes=count, direction=direction)
        receipt = a_receipt(a_line(1_00 + count))
        till.sell(receipt, seconds=40)
        till.faults.clear()
        till.run(3)
        if names and count < size:
            assert till.names() != names, "the cable was not pulled"
        sold.append(receipt.id)
    till.check_one_document_each(sold)


def test_a_device_that_hangs_after_any_byte_is_reset_and_the_receipt_is_one_document(
    tmp_path: Path, kind: Kind
) -> None:
    """The reset is a power cut of the till behind it: whatever its memory held is gone."""
    till = UsbTill(tmp_path, kind, reboots=True)
    till.sell(a_receipt())
    sold = []
    for count in range(1, _bytes_of_a_sale(till)["to_device"], STRIDE):
        resets = len(till.gadget.resets)
        till.gadget.hang_in_bytes = count
        receipt = a_receipt(a_line(1_00 + count))
        till.sell(receipt, seconds=40)
        till.run(2 * WORK_MAX_S)
        assert len(till.gadget.resets) == resets + 1
        sold.append(receipt.id)
    offered = [one for one in sold if till.stored(one).held]  # by then too old to print unasked
    marks = {one["mark"] for one in till.fn_receipts()}
    assert not marks & {mark_of(one) for one in offered}
    printed = [one for one in sold if one not in offered]
    assert printed
    assert offered
    till.check_one_document_each(printed)
    till.close()


def test_nothing_is_reset_while_a_command_may_run(till: UsbTill) -> None:
    """A till deaf in the middle of a sale is given all the time its slowest command may take."""
    size = _bytes_of_a_sale(till)["to_device"]
    till.gadget.hang_in_bytes = size - 40  # the last command that acts is under way
    hung_s = till.clock.monotonic_s()
    till.sell(a_receipt(), seconds=10)
    till.run(2 * WORK_MAX_S)
    (reset_s,) = till.gadget.resets
    assert reset_s - hung_s >= WORK_MAX_S


def test_without_that_patience_it_would_be_reset_in_the_middle(
    till: UsbTill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(session, "WORK_MAX_S", 0.0)
    till.gadget.hang_in_bytes = _bytes_of_a_sale(till)["to_device"] - 40
    hung_s = till.clock.monotonic_s()
    till.sell(a_receipt(), seconds=10)
    till.run(2 * WORK_MAX_S)
    assert till.gadget.resets[0] - hung_s < WORK_MAX_S / 2


def test_after_a_start_a_deaf_till_may_still_be_at_work_for_the_one_before(
    till: UsbTill,
) -> None:
    till.run(2 * WORK_MAX_S)
    till.gadget.hang()
    till.crash()
    started_s = till.clock.monotonic_s()
    till.run(WORK_MAX_S + 30)
    (reset_s,) = till.gadget.resets
    assert reset_s - started_s >= WORK_MAX_S
    assert till.lane.health.ready


def test_another_till_at_the_same_cable_gets_nothing(till: UsbTill) -> None:
    """It fits the settings as well as the old one did; its serial number and FN do not."""
    assert till.bus is not None
    other = SimulatedPrinter(
        None, till.faults, clock=till.clock.local, serial="0380490041048486", fn_number="9" * 16
    )
    till.bus.unplug(till.gadget)
    till.bus.plug(Gadget(other, till.gadget.kind))
    receipt = a_receipt()
    till.sell(receipt)
    till.run(20)
    assert till.lane.health.remedy == "fn_changed"
    assert till.stored(receipt.id).state is FiscalState.ACCEPTED
    assert [one for one in other.documents() if one["type"] == "receipt"] == []


def test_an_idle_till_that_hangs_is_back_within_half_a_minute(till: UsbTill) -> None:
    till.run(2 * WORK_MAX_S)
    till.gadget.hang()
    hung_s = till.clock.monotonic_s()
    till.run(30)
    (reset_s,) = till.gadget.resets
    assert till.lane.health.ready
    assert reset_s - hung_s < 25


# A hub waits 100 ms for a connection to be firm ([USB] 7.1.7.3), a hand takes longer.
@pytest.mark.parametrize("away_s", [0.3, 0.5, 1.0, 1.9, 2.5, 7.3, 60.0])
@pytest.mark.parametrize("since_probe_s", [0.0, 0.7, 1.99])
def test_a_till_plugged_in_again_is_ready_within_two_seconds(
    till: UsbTill, away_s: float, since_probe_s: float
) -> None:
    assert till.bus is not None
    till.run(5)
    names = till.names()
    due_s = till.lane.step(till.clock.monotonic_s())  # a probe
    till.clock.advance(since_probe_s)
    till.bus.unplug(till.gadget)
    due_s = _run(till, due_s, away_s)
    till.bus.plug(till.gadget, "1-1.4")
    back_s, back_at_s = till.clock.monotonic_s(), till.clock.wall_s()
    while not till.lane.health.ready or till.lane.health.status_at_s < back_at_s:
        due_s = _run(till, due_s, 0.01)
        assert till.clock.monotonic_s() - back_s <= BACK_S
    assert not names or till.names() != names


def _run(till: UsbTill, due_s: float, seconds: float) -> float:
    """Let the lane work when it is due, no sooner."""
    end_s = till.clock.monotonic_s() + seconds
    while due_s <= end_s:
        till.clock.advance_to(due_s)
        due_s = till.lane.step(till.clock.monotonic_s())
    till.clock.advance_to(end_s)
    return due_s
