"""What is plugged into the USB: which are registrars, what line each offers, how one is reset.

pyusb lists the devices and resets one.  Names, serial numbers and ttys are read from sysfs, where
the kernel keeps them: asking a device for a text needs the right to open it, and one that hangs
would not answer.  Sources: [SHTRIH] 1 (ids), [LINUX] sysfs, [USB] 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import usb.core
import usb.util

from kktd.wire.bulk import Bulk
from kktd.wire.port import PortGone, PortUnusable

HUB: Final = 0x09  # [USB] 9: classes
VENDOR: Final = 0xFF


class UsbId(NamedTuple):
    """Vendor and product, as `lsusb` shows them."""

    vendor: int
    product: int

    @classmethod
    def parse(cls, text: str) -> UsbId:
        """Of `1fc9:0083`; raises ValueError."""
        vendor, _, product = text.partition(":")
        if len(vendor) != 4 or len(product) != 4:
            raise ValueError(text)
        return cls(int(vendor, 16), int(product, 16))

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}"


# [SHTRIH] 1.  `usb://` takes these alone.
REGISTRARS: Final = frozenset({UsbId(0xABCD, 0x1980), UsbId(0x1FC9, 0x0083), UsbId(0x04D9, 0xB534)})
# [SHTRIH] 1, [LINUX] usb-serial: what hangs behind such a chip its id does not say, so that one is
# taken only where the settings name it.  Their bulk endpoints carry a protocol of the chip's own.
BRIDGES: Final = {
    UsbId(0x0403, 0x6001): "FTDI FT232R",
    UsbId(0x0403, 0x6015): "FTDI FT-X",
    UsbId(0x10C4, 0xEA60): "CP210x",
    UsbId(0x10C4, 0xEA70): "CP2105",
    UsbId(0x10C4, 0xEA71): "CP2108",
    UsbId(0x10C4, 0xEA80): "CP210x",
    UsbId(0x067B, 0x2303): "PL2303",
    UsbId(0x067B, 0x2551): "PL2303",
    UsbId(0x1A86, 0x7523): "CH340",
}


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One device as it is plugged in at this moment."""

    id: UsbId
    place: str  # bus and ports, "1-1.2": the same socket keeps it
    serial: str | None
    name: str
    ttys: tuple[Path, ...]  # by interface
    bulk: Bulk | None  # a pair of endpoints that no kernel driver holds
    handle: Any  # pyusb's


class UsbBus:
    """All of it.  `backend`, `sysfs` and `dev` are the machine's unless a test has its own."""

    def __init__(
        self, backend: Any = None, sysfs: Path = Path("/sys"), dev: Path = Path("/dev")
    ) -> None:
        self._backend = backend
        self._sysfs = sysfs
        self._dev = dev

    def devices(self) -> list[UsbDevice]:
        """Everything but hubs, in the order of the sockets; raises PortGone without libusb."""
        try:
            handles = list(usb.core.find(find_all=True, backend=self._backend))
        except usb.core.NoBackendError as error:
            raise PortUnusable("the library libusb-1.0 is missing: install it") from error
        except usb.core.USBError as error:
            raise PortGone(f"the USB cannot be listed: {error}") from error
        found = [self._device(handle) for handle in handles if handle.bDeviceClass != HUB]
        return sorted(found, key=lambda one: one.place)

    def reset(self, device: UsbDevice) -> None:
        """As if it were pulled out and put back.  Its ttys may have other names afterwards.

        Raises PortGone where that is not allowed, or it is not there any more.
        """
        try:
            device.handle.reset()
        except (usb.core.USBError, NotImplementedError) as error:
            raise PortGone(f"{device.id} cannot be reset: {error}") from error
        finally:
            usb.util.dispose_resources(device.handle)

    def _device(self, handle: Any) -> UsbDevice:
        ports = ".".join(str(port) for port in handle.port_numbers or (0,))
        place = f"{handle.bus}-{ports}"
        folder = self._sysfs / "bus" / "usb" / "devices" / place
        id = UsbId(handle.idVendor, handle.idProduct)
        ttys = tuple(self._dev / name for name in _ttys(folder))
        name = _text(folder / "product") or BRIDGES.get(id, "")
        raw = not ttys and id not in BRIDGES
        bulk = next(_raw_pairs(handle, folder), None) if raw else None
        return UsbDevice(id, place, _text(folder / "serial"), name, ttys, bulk, handle)


def _ttys(folder: Path) -> Iterator[str]:
    """Names under /dev, by interface: cdc_acm shows `tty/ttyACM0`, usb-serial `ttyUSB0`."""
    interfaces = folder.glob(f"{folder.name}:*")
    for interface in sorted(interfaces, key=lambda one: (len(one.name), one.name)):
        yield from sorted(one.name for one in interface.glob("tty/tty*"))
        yield from sorted(one.name for one in interface.glob("ttyUSB*"))


def _raw_pairs(handle: Any, folder: Path) -> Iterator[Bulk]:
    """Pairs of bulk endpoints on interfaces of the vendor's own class without a kernel driver.

    Not of a CDC interface: its driver may be about to come, and would find it taken.
    """
    try:
        for configuration in handle:
            for interface in configuration:
                number = interface.bInterfaceNumber
                shown = folder / f"{folder.name}:{configuration.bConfigurationValue}.{number}"
                if interface.bInterfaceClass != VENDOR or (shown / "driver").exists():
                    continue
                bulks = [
                    one.bEndpointAddress
                    for one in interface
                    if usb.util.endpoint_type(one.bmAttributes) == usb.util.ENDPOINT_TYPE_BULK
                ]
                into = [one for one in bulks if one & usb.util.ENDPOINT_IN]
                out = [one for one in bulks if not one & usb.util.ENDPOINT_IN]
                if into and out:
                    yield Bulk(number, into[0], out[0])
    except (usb.core.USBError, NotImplementedError):
        return  # it went while it was looked at


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None
