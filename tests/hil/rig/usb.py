"""A USB as pyusb and sysfs show it, with simulated registrars plugged into it.

    bus = Bus(tmp_path)
    till = Gadget(printer, CDC)
    bus.plug(till)
    usb.core.find(backend=bus, idVendor=till.vendor)

`Bus` is a pyusb backend.  Beside it stands a tree like /sys and one like /dev, in which the tty of
a device leads to a pseudo terminal; each time a device comes, its tty has another name.  A line
that drops (rig.faults) is a cable pulled: the device comes back when the line does.
Sources: [USB] 9 (descriptors), [LINUX] sysfs of cdc_acm, usb-serial.
"""

from __future__ import annotations

import array
import errno
import shutil
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Protocol

import usb.backend
from usb.core import USBError, USBTimeoutError

from rig.transport import TICK_S, PtyTransport

PACKET: Final = 64  # full speed
BULK_TYPE: Final = 2


class Printer(Protocol):
    """What `rig.printer.SimulatedPrinter` shows to a cable."""

    def receive(self, data: bytes, now_s: float) -> None: ...

    def transmit(self, now_s: float) -> bytes: ...

    def next_due_s(self) -> float | None: ...

    def is_up(self, now_s: float) -> bool: ...

    def reconnect(self, now_s: float) -> int: ...

    def drops(self) -> int: ...

    def cut_power(self, now_s: float, back_s: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Interface:
    klass: int
    endpoints: tuple[int, ...] = ()  # addresses; all of them bulk
    tty: str | None = None  # where in sysfs, {} is the name


@dataclass(frozen=True, slots=True)
class Kind:
    """How a device shows itself; its ids are those of [SHTRIH] 1."""

    vendor: int
    product: int
    tty: str | None
    interfaces: tuple[Interface, ...]


CDC: Final = Kind(
    0x1FC9, 0x0083, "ttyACM", (Interface(0x02, tty="tty/{}"), Interface(0x0A, (0x82, 0x01)))
)
BRIDGE: Final = Kind(0x0403, 0x6001, "ttyUSB", (Interface(0xFF, (0x81, 0x02), tty="{0}/tty/{0}"),))
BULK: Final = Kind(0xABCD, 0x1980, None, (Interface(0xFF, (0x81, 0x01)),))


class Clock(Protocol):
    """A test's."""

    def monotonic_s(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


def _doze(seconds: float) -> None:
    """In real time other threads pull cables."""
    time.sleep(min(seconds, TICK_S))


class Gadget:
    """A registrar behind its USB chip.  `hang` makes the chip deaf and dumb until it is reset.

    `reboots`: a reset of the chip is a power cut of the registrar behind it.
    """

    def __init__(
        self,
        printer: Printer,
        kind: Kind,
        *,
        serial: str | None = "0380490041048485",
        vendor: int | None = None,
        reboots: bool = False,
    ) -> None:
        self.printer = printer
        self.kind = kind
        self.serial = serial
        self.vendor = kind.vendor if vendor is None else vendor
        self.product = kind.product
        self.reboots = reboots
        self.hung = False
        self.hang_in_bytes: int | None = None  # to the device
        self.resets: list[float] = []

    def hang(self) -> None:
        self.hung = True

    def receive(self, data: bytes, now_s: float) -> None:
        if self.hang_in_bytes is not None:
            data, self.hang_in_bytes = data[: self.hang_in_bytes], self.hang_in_bytes - len(data)
        if not self.hung:
            self.printer.receive(data, now_s)
        if self.hang_in_bytes is not None and self.hang_in_bytes <= 0:
            self.hung, self.hang_in_bytes = True, None

    def transmit(self, now_s: float) -> bytes:
        said = self.printer.transmit(now_s)
        return b"" if self.hung else said

    def next_due_s(self) -> float | None:
        return self.printer.next_due_s()

    def is_up(self, now_s: float) -> bool:
        return self.printer.is_up(now_s)

    def reconnect(self, now_s: float) -> int:
        """A host opens the tty: the device does not notice."""
        return self.printer.drops()

    def drops(self) -> int:
        return self.printer.drops()

    def reset(self, now_s: float) -> None:
        self.resets.append(now_s)
        self.hung = False
        if self.reboots:
            self.printer.cut_power(now_s)


@dataclass(slots=True)
class Seat:
    """A gadget as it is enumerated now; gone with the cable, and another one afterwards."""

    gadget: Gadget
    socket: str
    address: int
    drops: int
    tty: Path | None = None
    transport: PtyTransport | None = None
    claimed: bool = False


class Bus(usb.backend.IBackend):  # type: ignore[misc]
    """In real time its ttys are served; under a test's `clock` each is a file, there or not."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.sysfs, self.dev = root / "sys", root / "dev"
        for folder in (self.sysfs, self.dev):
            folder.mkdir(parents=True, exist_ok=True)
        self.forbidden = False  # to open a device: no udev rule
        self._now_s = time.monotonic if clock is None else clock.monotonic_s
        self._wait = _doze if clock is None else clock.sleep
        self._ptys = clock is None
        self._gadgets: dict[str, Gadget] = {}
        self._seats: dict[str, Seat] = {}
        self._addresses, self._tty_numbers = count(2), count(0)

    # --- hands at the till ---------------------------------------------------------------------

    def plug(self, gadget: Gadget, socket: str = "1-1.2") -> None:
        self._gadgets[socket] = gadget
        self._look()

    def unplug(self, gadget: Gadget) -> None:
        for socket in [one for one, held in self._gadgets.items() if held is gadget]:
            del self._gadgets[socket]
            self._leave(socket)

    def close(self) -> None:
        for socket in list(self._seats):
            self._leave(socket)

    def gadget_at(self, tty: str) -> Gadget | None:
        """Whose tty that is at this moment."""
        self._look()
        return next((one.gadget for one in self._seats.values() if str(one.tty) == tty), None)

    # --- the cables ----------------------------------------------------------------------------

    def _look(self) -> None:
        """Which cables are pulled, and which are back."""
        for socket, seat in list(self._seats.items()):
            if seat.gadget.drops() != seat.drops:
                self._leave(socket)
        for socket, gadget in self._gadgets.items():
            if socket not in self._seats and gadget.is_up(self._now_s()):
                self._enter(socket, gadget)

    def _enter(self, socket: str, gadget: Gadget) -> None:
        drops = gadget.printer.reconnect(self._now_s())
        seat = Seat(gadget, socket, next(self._addresses), drops)
        folder = self.sysfs / "bus" / "usb" / "devices" / socket
        folder.mkdir(parents=True)
        if gadget.serial is not None:
            (folder / "serial").write_text(f"{gadget.serial}\n")
        (folder / "product").write_text("SHTRIH-M\n")
        kind = gadget.kind
        tty = f"{kind.tty}{next(self._tty_numbers)}" if kind.tty else ""
        for number, interface in enumerate(kind.interfaces):
            shown = folder / f"{socket}:1.{number}"
            shown.mkdir()
            if interface.tty is not None:
                (shown / "driver").mkdir()
                (shown / interface.tty.format(tty)).mkdir(parents=True)
        if tty:
            seat.tty = self.dev / tty
            if self._ptys:
                seat.transport = PtyTransport(gadget, seat.tty)
            else:
                seat.tty.touch()
        self._seats[socket] = seat

    def _leave(self, socket: str) -> None:
        seat = self._seats.pop(socket, None)
        if seat is None:
            return
        if seat.transport is not None:
            seat.transport.close()
        if seat.tty is not None:
            seat.tty.unlink(missing_ok=True)
        shutil.rmtree(self.sysfs / "bus" / "usb" / "devices" / socket)

    def _here(self, seat: Seat) -> Gadget:
        if self._seats.get(seat.socket) is not seat or seat.gadget.drops() != seat.drops:
            raise USBError("No such device", errno=errno.ENODEV)
        return seat.gadget

    # --- pyusb's backend -----------------------------------------------------------------------

    def enumerate_devices(self) -> list[Seat]:
        self._look()
        return [seat for _, seat in sorted(self._seats.items())]

    def get_parent(self, dev: Seat) -> None:
        return None

    def get_device_descriptor(self, dev: Seat) -> SimpleNamespace:
        bus, _, ports = dev.socket.partition("-")
        numbers = tuple(int(port) for port in ports.split("."))
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0,
            bDeviceProtocol=0, bMaxPacketSize0=PACKET, idVendor=dev.gadget.vendor,
            idProduct=dev.gadget.product, bcdDevice=0x100, iManufacturer=0, iProduct=0,
            iSerialNumber=0, bNumConfigurations=1, address=dev.address, bus=int(bus),
            port_number=numbers[-1], port_numbers=numbers, speed=2,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: Seat, config: int) -> SimpleNamespace:
        if config:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32,
            bNumInterfaces=len(dev.gadget.kind.interfaces), bConfigurationValue=1,
            iConfiguration=0, bmAttributes=0x80, bMaxPower=50, extra_descriptors=[],
        )  # fmt: skip

    def get_interface_descriptor(
        self, dev: Seat, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        if alt:
            raise IndexError(alt)
        interface = dev.gadget.kind.interfaces[intf]
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=intf, bAlternateSetting=0,
            bNumEndpoints=len(interface.endpoints), bInterfaceClass=interface.klass,
            bInterfaceSubClass=0, bInterfaceProtocol=0, iInterface=0, extra_descriptors=[],
        )  # fmt: skip

    def get_endpoint_descriptor(
        self, dev: Seat, ep: int, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        return SimpleNamespace(
            bLength=7, bDescriptorType=5,
            bEndpointAddress=dev.gadget.kind.interfaces[intf].endpoints[ep],
            bmAttributes=BULK_TYPE, wMaxPacketSize=PACKET, bInterval=0, bRefresh=0,
            bSynchAddress=0, extra_descriptors=[],
        )  # fmt: skip

    def open_device(self, dev: Seat) -> Seat:
        if self.forbidden:
            raise USBError("Access denied", errno=errno.EACCES)
        self._here(dev)
        return dev

    def close_device(self, dev_handle: Seat) -> None:
        dev_handle.claimed = False

    def get_configuration(self, dev_handle: Seat) -> int:
        self._here(dev_handle)
        return 1

    def claim_interface(self, dev_handle: Seat, intf: int) -> None:
        self._here(dev_handle)
        if dev_handle.claimed or dev_handle.gadget.kind.interfaces[intf].tty is not None:
            raise USBError("Resource busy", errno=errno.EBUSY)
        dev_handle.claimed = True

    def release_interface(self, dev_handle: Seat, intf: int) -> None:
        dev_handle.claimed = False

    def clear_halt(self, dev_handle: Seat, ep: int) -> None:
        self._here(dev_handle)

    def reset_device(self, dev_handle: Seat) -> None:
        """The device is enumerated anew; whoever held its tty is hung up on."""
        self._here(dev_handle).reset(self._now_s())
        self._leave(dev_handle.socket)
        self._look()

    def bulk_write(self, dev_handle: Seat, ep: int, intf: int, data: Any, timeout: int) -> int:
        gadget = self._here(dev_handle)
        gadget.receive(data.tobytes(), self._now_s())
        return len(data)

    def bulk_read(
        self, dev_handle: Seat, ep: int, intf: int, buff: array.array[int], timeout: int
    ) -> int:
        until_s = self._now_s() + timeout / 1000
        while True:
            now_s = self._now_s()
            said = dev_handle.gadget.transmit(now_s)  # what made it before the cable was pulled
            if said:
                break
            gadget = self._here(dev_handle)
            if now_s >= until_s:
                raise USBTimeoutError("Operation timed out", errno=errno.ETIMEDOUT)
            due_s = gadget.next_due_s()
            next_s = until_s if due_s is None else min(until_s, due_s)
            self._wait(max(0.0005, next_s - now_s))
        if len(said) > len(buff):
            raise USBError("Overflow", errno=errno.EOVERFLOW)
        buff[: len(said)] = array.array("B", said)
        return len(said)
