"""What may be a registrar, and the address that finds it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.usb import BRIDGE, BULK, CDC, Bus, Gadget, Kind

from kktd.wire.address import open_port
from kktd.wire.candidates import RATES, Candidate, find_candidates
from kktd.wire.usb import UsbBus
from tests.support.clock import VirtualClock


class Machine:
    """With nothing connected yet."""

    def __init__(self, root: Path) -> None:
        self.bus = Bus(root, VirtualClock())

    def plug(
        self, kind: Kind, socket: str, serial: str | None = None, vendor: int | None = None
    ) -> None:
        device = SimulatedPrinter(None, Faults())
        self.bus.plug(Gadget(device, kind, serial=serial, vendor=vendor), socket)

    def found(self) -> list[Candidate]:
        sysfs, dev = self.bus.sysfs, self.bus.dev
        return find_candidates(UsbBus(self.bus, sysfs, dev), sysfs, dev)

    def addresses(self) -> list[str]:
        return [one.address for one in self.found()]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.bus.close()


def test_registrars_come_first_then_bridges_then_the_rest(machine: Machine) -> None:
    machine.plug(CDC, "1-1.1", vendor=0x1234)  # a scanner, perhaps
    machine.plug(BRIDGE, "1-1.2")
    machine.plug(BULK, "1-1.3")
    uart = machine.bus.sysfs / "class" / "tty" / "ttyS0" / "type"
    uart.parent.mkdir(parents=True)
    uart.write_text("4\n")
    assert [one.kind for one in machine.found()] == ["registrar", "bridge", "serial", "rs232"]


def test_a_port_without_hardware_is_none(machine: Machine) -> None:
    for number, type in ((0, "0\n"), (1, "4\n")):
        file = machine.bus.sysfs / "class" / "tty" / f"ttyS{number}" / "type"
        file.parent.mkdir(parents=True)
        file.write_text(type)
    assert machine.addresses() == [f"serial://{machine.bus.dev}/ttyS1"]


def test_a_serial_number_goes_into_the_address_as_an_address_needs_it(machine: Machine) -> None:
    machine.plug(CDC, "1-1.1", serial="A B/7")
    assert machine.addresses() == ["usb://1fc9:0083/A%20B%2F7"]
    open_port(machine.addresses()[0])


def test_without_a_serial_number_the_ids_do_if_they_are_alone(machine: Machine) -> None:
    machine.plug(BRIDGE, "1-1.1")
    assert machine.addresses() == ["usb://0403:6001"]


def test_of_twins_without_serial_numbers_the_socket_tells(machine: Machine) -> None:
    machine.plug(BRIDGE, "1-1.1")
    machine.plug(BRIDGE, "1-1.2")
    assert machine.addresses() == ["usb://0403:6001?place=1-1.1", "usb://0403:6001?place=1-1.2"]
    for candidate in machine.found():
        assert next(candidate.addresses()) == f"{candidate.address}&baudrate=115200"


def test_only_lines_that_have_a_rate_are_asked_at_several(machine: Machine) -> None:
    machine.plug(CDC, "1-1.1")
    machine.plug(BRIDGE, "1-1.2")
    cdc, bridge = machine.found()
    assert list(cdc.addresses()) == ["usb://1fc9:0083"]
    assert list(bridge.addresses()) == [f"usb://0403:6001?baudrate={rate}" for rate in RATES]


def test_a_raw_interface_of_a_stranger_is_left_alone(machine: Machine) -> None:
    machine.plug(BULK, "1-1.1", vendor=0x1234)
    assert machine.found() == []
