"""The search for a registrar on the USB, its line and its reset, on the rig's bus in real time."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.usb import BRIDGE, BULK, CDC, Bus, Gadget, Kind

from kktd import log
from kktd.clock import Deadline
from kktd.config import PrinterSettings
from kktd.errors import BadConfig, Unreachable
from kktd.printers.shtrih.driver import ShtrihPrinter
from kktd.settings_file import parse
from kktd.wire.address import open_port
from kktd.wire.port import PortGone, PortUnusable
from kktd.wire.usb import BRIDGES, REGISTRARS, UsbBus, UsbId
from kktd.wire.usb_port import RESET_AGAIN_S, SILENT_OPENINGS, UsbPort, Wanted
from tests.support.clock import VirtualClock
from tests.support.usb import virtual_usb_port

KINDS = pytest.mark.parametrize("kind", [CDC, BULK, BRIDGE], ids=["cdc", "bulk", "bridge"])
ENQ, NAK = b"\x05", b"\x15"


class Desk:
    """A bus under a virtual clock, and kktd's port on it."""

    def __init__(self, root: Path) -> None:
        self.clock = VirtualClock()
        self.bus = Bus(root, self.clock)
        self.faults = Faults()

    def till(self, kind: Kind = CDC, *, serial: str | None = "1") -> Gadget:
        device = SimulatedPrinter(None, self.faults, clock=self.clock.local, protocol="1")
        return Gadget(device, kind, serial=serial)

    def port(
        self, id: str | None = None, serial: str | None = None, place: str | None = None
    ) -> UsbPort:
        wanted = Wanted(UsbId.parse(id) if id else None, serial, place)
        return virtual_usb_port(self.bus, self.clock, wanted)

    def port_to(self, gadget: Gadget) -> UsbPort:
        return self.port(str(UsbId(gadget.vendor, gadget.product)), gadget.serial)

    def by(self, ms: float = 1_000) -> Deadline:
        return self.clock.after_ms(ms)

    def ask(self, port: UsbPort) -> bytes:
        """ENQ and what it brings, on a line of its own."""
        port.open(self.by())
        try:
            port.write(ENQ, self.by())
            return port.read(10, self.by(300))
        finally:
            port.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.bus.close()


# ---- finding -----------------------------------------------------------------------------------


@KINDS
def test_a_registrar_is_found_by_its_ids_and_serial_number(desk: Desk, kind: Kind) -> None:
    other = desk.till(kind, serial="2")
    desk.bus.plug(other, "1-1.3")
    till = desk.till(kind, serial="1")
    port = desk.port_to(till)
    with pytest.raises(PortGone):
        port.open(desk.by())  # the other one is not it
    desk.bus.plug(till, "1-1.2")
    assert desk.ask(port) == NAK


@pytest.mark.parametrize("kind", [CDC, BULK], ids=["cdc", "bulk"])
def test_any_registrar_will_do_when_the_settings_name_none(desk: Desk, kind: Kind) -> None:
    desk.bus.plug(desk.till(kind))
    assert desk.ask(desk.port()) == NAK


def test_a_bridge_is_not_taken_for_a_registrar_until_it_is_named(desk: Desk) -> None:
    """Scales and card terminals hang on the same chips."""
    desk.bus.plug(desk.till(BRIDGE))
    with pytest.raises(PortGone):
        desk.port().open(desk.by())
    assert desk.ask(desk.port("0403:6001")) == NAK


def test_of_two_that_fit_none_is_taken(desk: Desk) -> None:
    first, second = desk.till(serial="1"), desk.till(serial="2")
    desk.bus.plug(first, "1-1.2")
    desk.bus.plug(second, "1-1.3")
    with pytest.raises(PortUnusable, match=r"discover.*1-1\.2.*1-1\.3"):
        desk.port("1fc9:0083").open(desk.by())
    driver = ShtrihPrinter(desk.port("1fc9:0083"), desk.clock, PrinterSettings())
    with pytest.raises(Unreachable, match="several devices") as told:
        driver.status(desk.by())
    assert told.value.remedy == "printer_line"
    desk.bus.unplug(second)
    assert desk.ask(desk.port("1fc9:0083")) == NAK


@KINDS
def test_after_a_replug_the_name_is_another_and_the_device_the_same(desk: Desk, kind: Kind) -> None:
    till = desk.till(kind)
    desk.bus.plug(till, "1-1.2")
    port = desk.port_to(till)
    port.open(desk.by())
    before = set(desk.bus.dev.iterdir())
    desk.bus.unplug(till)
    with pytest.raises(PortGone):
        port.write(ENQ, desk.by())
    port.close()
    with pytest.raises(PortGone):
        port.open(desk.by())
    desk.bus.plug(till, "1-1.4")
    assert desk.ask(port) == NAK
    assert not before & set(desk.bus.dev.iterdir())


def test_a_device_without_a_line_yet_is_waited_for(desk: Desk) -> None:
    """It is enumerated before its driver has made the tty."""
    bare = Kind(CDC.vendor, CDC.product, None, (CDC.interfaces[1],))
    till = desk.till(bare)
    desk.bus.plug(till)
    with pytest.raises(PortGone, match="no line"):
        desk.port().open(desk.by())


def test_a_device_says_what_and_where_it_is(desk: Desk) -> None:
    desk.bus.plug(desk.till(CDC, serial=None), "3-2.1")
    (found,) = UsbBus(desk.bus, desk.bus.sysfs, desk.bus.dev).devices()
    assert (str(found.id), found.place, found.serial) == ("1fc9:0083", "3-2.1", None)
    assert found.name == "SHTRIH-M"
    assert found.ttys[0].parent == desk.bus.dev


def test_the_rights_are_given_to_the_devices_of_the_table() -> None:
    rules = Path(__file__).parents[3] / "udev" / "60-kktd.rules"
    pattern = r'ATTR{idVendor}=="(\w{4})", ATTR{idProduct}=="(\w{4})"'
    named = {UsbId.parse(":".join(ids)) for ids in re.findall(pattern, rules.read_text())}
    assert named == REGISTRARS | BRIDGES.keys()


# ---- the raw line ------------------------------------------------------------------------------


def test_an_interface_in_use_is_not_shared(desk: Desk) -> None:
    till = desk.till(BULK)
    desk.bus.plug(till)
    first, second = desk.port_to(till), desk.port_to(till)
    first.open(desk.by())
    with pytest.raises(PortGone, match="EBUSY"):
        second.open(desk.by())
    first.close()
    assert desk.ask(second) == NAK


def test_a_device_nobody_may_open_is_gone_with_the_reason(desk: Desk) -> None:
    desk.bus.plug(desk.till(BULK))
    desk.bus.forbidden = True
    with pytest.raises(PortUnusable, match=errno.errorcode[errno.EACCES]):
        desk.port().open(desk.by())


def test_a_raw_read_ends_at_its_deadline_and_gives_no_more_than_asked(desk: Desk) -> None:
    till = desk.till(BULK)
    desk.bus.plug(till)
    port = desk.port_to(till)
    port.open(desk.by())
    before_s = desk.clock.monotonic_s()
    assert port.read(10, desk.by(250)) == b""
    assert desk.clock.monotonic_s() - before_s == pytest.approx(0.25, abs=0.01)
    for _ in range(3):
        port.write(ENQ, desk.by())
    assert port.read(2, desk.by()) == NAK * 2
    assert port.read(2, desk.by()) == NAK
    port.write(ENQ, desk.by())
    port.drain_input()
    assert port.read(1, desk.by(50)) == b""


# ---- the reset ---------------------------------------------------------------------------------


@KINDS
def test_a_deaf_device_is_reset_and_answers(desk: Desk, kind: Kind) -> None:
    till = desk.till(kind)
    desk.bus.plug(till)
    port = desk.port_to(till)
    assert desk.ask(port) == NAK
    till.hang()
    for _ in range(SILENT_OPENINGS):
        port.shake(desk.by())
        assert not till.resets
        assert desk.ask(port) == b""
    port.shake(desk.by())
    assert len(till.resets) == 1
    assert desk.ask(port) == NAK


def test_a_device_that_stays_deaf_is_reset_ever_less_often(desk: Desk) -> None:
    """A bridge is awake while the till behind it is switched off."""
    till = desk.till(BRIDGE)
    desk.bus.plug(till)
    port = desk.port_to(till)
    end_s = desk.clock.monotonic_s() + 6 * 3_600
    while desk.clock.monotonic_s() < end_s:
        till.hang()
        desk.ask(port)
        port.shake(desk.by())
        desk.clock.advance(20)
    pauses = [after - before for before, after in zip(till.resets, till.resets[1:], strict=False)]
    assert pauses[0] >= RESET_AGAIN_S
    assert len(till.resets) < 15
    assert max(pauses) < 3_700


def test_a_device_that_is_pulled_out_is_not_deaf(desk: Desk) -> None:
    till = desk.till()
    desk.bus.plug(till)
    port = desk.port_to(till)
    assert desk.ask(port) == NAK
    for _ in range(5):
        desk.bus.unplug(till)
        with pytest.raises(PortGone):
            port.open(desk.by())
        port.shake(desk.by())
        desk.bus.plug(till)
    assert not till.resets


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure(stream)
    yield stream
    log.configure()


def test_a_reset_that_is_not_allowed_says_so(desk: Desk, logged: io.StringIO) -> None:
    till = desk.till()
    desk.bus.plug(till)
    port = desk.port_to(till)
    till.hang()
    desk.bus.forbidden = True
    for _ in range(SILENT_OPENINGS):
        desk.ask(port)
    port.shake(desk.by())
    assert not till.resets
    assert '"event": "printer_reset"' in logged.getvalue()
    assert "Access denied" in logged.getvalue()


# ---- the address -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "usb://",
        "usb://1fc9:0083",
        "usb://1FC9:0083/0380490041048485",
        "usb://0403:6001/A%20B?baudrate=4800",
        "usb://0403:6001?place=1-1.2&baudrate=4800",
    ],
)
def test_addresses_of_the_usb_are_taken(url: str) -> None:
    assert isinstance(open_port(url), UsbPort)
    assert parse(f"[printer]\nurl = '{url}'\n").printer.url == url


@pytest.mark.parametrize(
    "url",
    ["usb:///SERIAL", "usb://1fc9", "usb://1fc9:83", "usb://host:port", "usb://1fc9:0083?x=1"],
)
def test_addresses_that_name_no_device_are_refused(url: str) -> None:
    with pytest.raises(BadConfig):
        open_port(url)


def test_a_serial_number_is_taken_as_it_is_written(desk: Desk) -> None:
    assert Wanted(UsbId(1, 2), "A B").serial == "A B"
    port = open_port("usb://0403:6001/A%20B")
    assert isinstance(port, UsbPort)
    assert port._wanted == Wanted(UsbId(0x0403, 0x6001), "A B")


def test_of_twins_the_one_in_the_named_socket_is_taken(desk: Desk) -> None:
    left, right = desk.till(BRIDGE, serial=None), desk.till(BRIDGE, serial=None)
    desk.bus.plug(left, "1-1.1")
    desk.bus.plug(right, "1-1.2")
    right.hang()
    answers = [desk.ask(desk.port("0403:6001", place=place)) for place in ("1-1.1", "1-1.2")]
    assert answers == [NAK, b""]
