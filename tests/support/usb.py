"""The USB port of kktd on the rig's bus: its ttys are memory under a virtual clock."""

from __future__ import annotations

from pathlib import Path

from rig.usb import Bus, Gadget

from kktd.clock import Deadline
from kktd.wire.port import Port, PortGone
from kktd.wire.usb import UsbBus
from kktd.wire.usb_port import UsbPort, Wanted
from tests.support.clock import VirtualClock
from tests.support.port import MemoryPort


class VirtualTty(MemoryPort):
    """Is there as long as its name is; bytes are counted where the test can see them."""

    def __init__(self, gadget: Gadget, clock: VirtualClock, file: Path) -> None:
        super().__init__(gadget, clock, hangs_up=True)
        self._file = file

    def open(self, by: Deadline) -> None:
        if not self._file.exists():
            raise PortGone(f"cannot open {self._file}")
        super().open(by)

    def _check(self) -> None:
        super()._check()
        if not self._file.exists():
            raise PortGone("line failed: EIO")


class NoTty(MemoryPort):
    """Of a name that leads nowhere any more."""

    def __init__(self) -> None:
        """There is no device."""

    def open(self, by: Deadline) -> None:
        raise PortGone("cannot open: ENOENT")


class CountedUsbPort(UsbPort):
    """As MemoryPort counts."""

    bytes_sent = bytes_received = 0

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        data = super().read(max_bytes, by)
        self.bytes_received += len(data)
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        super().write(data, by)
        self.bytes_sent += len(data)


def virtual_usb_port(bus: Bus, clock: VirtualClock, wanted: Wanted) -> CountedUsbPort:
    """kktd's own search and port on that bus; only the tty's bytes do not pass a kernel."""

    def open_tty(device: str, baudrate: int) -> Port:
        gadget = bus.gadget_at(device)
        return VirtualTty(gadget, clock, Path(device)) if gadget is not None else NoTty()

    return CountedUsbPort(wanted, UsbBus(bus, bus.sysfs, bus.dev), open_tty=open_tty)


def real_usb_port(bus: Bus) -> UsbPort:
    """To any registrar on it, by its real ttys."""
    return UsbPort(Wanted(), UsbBus(bus, bus.sysfs, bus.dev))
