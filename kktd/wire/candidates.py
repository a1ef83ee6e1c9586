"""Where a registrar may be connected to this machine, and the address that says so in the settings.

Nothing is opened and nothing is sent.  Sources: [LINUX] sysfs; [SHTRIH] 1 (rates).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kktd.wire.usb import BRIDGES, REGISTRARS, UsbBus, UsbDevice

RATES: Final = (115_200, 4_800, 9_600, 19_200, 38_400, 57_600, 2_400)  # [SHTRIH] 1: this order
NO_UART: Final = "0"  # [LINUX] sysfs: `type` of a ttyS that has no chip behind it


class Kind(StrEnum):
    REGISTRAR = "registrar"  # by its ids
    BRIDGE = "bridge"  # a chip that anything may hang behind
    SERIAL = "serial"  # a USB device of unknown ids with a tty
    RS232 = "rs232"


@dataclass(frozen=True, slots=True)
class Candidate:
    """`address` without a rate; `rates` are those worth trying, none where the line has no rate."""

    kind: Kind
    address: str
    name: str
    place: str
    rates: tuple[int, ...] = ()

    def addresses(self) -> Iterator[str]:
        """What to try, one after the other."""
        if not self.rates:
            yield self.address
        join = "&" if "?" in self.address else "?"
        for rate in self.rates:
            yield f"{self.address}{join}baudrate={rate}"


def find_candidates(
    bus: UsbBus, sysfs: Path = Path("/sys"), dev: Path = Path("/dev")
) -> list[Candidate]:
    """The likely ones first.  Raises PortGone where the USB cannot be listed."""
    devices = bus.devices()
    on_usb = (_usb(device, devices) for device in devices if device.ttys or device.bulk)
    found = [one for one in on_usb if one is not None]
    found += [
        Candidate(Kind.RS232, f"serial://{dev / name}", "RS-232", name, RATES)
        for name in _uarts(sysfs)
    ]
    order = list(Kind)
    return sorted(found, key=lambda one: order.index(one.kind))


def _usb(device: UsbDevice, all_devices: list[UsbDevice]) -> Candidate | None:
    if device.id in REGISTRARS:
        kind = Kind.REGISTRAR
    elif device.ttys:
        kind = Kind.BRIDGE if device.id in BRIDGES else Kind.SERIAL
    else:
        return None  # a raw interface of who knows what
    rates = RATES if kind is Kind.BRIDGE else ()  # a CDC tty has no rate, [SHTRIH] 1
    name = " ".join(part for part in (str(device.id), device.name, device.serial) if part)
    return Candidate(kind, _address(device, all_devices), name, device.place, rates)


def _address(device: UsbDevice, all_devices: list[UsbDevice]) -> str:
    """By serial number if there is one, by ids if those suffice, else by the socket it is in."""
    twins = [one for one in all_devices if one.id == device.id]
    if device.serial and [one.serial for one in twins].count(device.serial) == 1:
        return f"usb://{device.id}/{quote(device.serial, safe='')}"
    alone = len(twins) == 1
    return f"usb://{device.id}" if alone else f"usb://{device.id}?place={device.place}"


def _uarts(sysfs: Path) -> list[str]:
    """RS-232 ports with hardware behind them."""
    found = []
    for file in sorted((sysfs / "class" / "tty").glob("ttyS*/type")):
        try:
            if file.read_text(encoding="ascii").strip() != NO_UART:
                found.append(file.parent.name)
        except OSError:
            continue
    return found
