"""The registrar wherever it is plugged in: looked for at each opening, reset when it is deaf.

What the settings name is the device, never a port: after a re-plug its tty has another name.  When
a reset may be tried is decided in docs/decisions/013.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kktd import log
from kktd.clock import Deadline
from kktd.events import Event
from kktd.wire.bulk import BulkPort
from kktd.wire.port import BAUDRATE_DEFAULT, Port, PortGone, PortUnusable, SerialPort
from kktd.wire.usb import REGISTRARS, UsbBus, UsbDevice, UsbId

SILENT_OPENINGS: Final = 3  # in a row: bytes went out and none came back
RESET_AGAIN_S: Final = 60.0  # then doubled: a bridge whose till is switched off stays deaf
RESET_AGAIN_MAX_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a setting says of the device; `id` None: any registrar.

    `place` is for twins that nothing else tells apart, as bridges without a serial number are.
    """

    id: UsbId | None = None
    serial: str | None = None
    place: str | None = None

    def fits(self, device: UsbDevice) -> bool:
        same_id = device.id in REGISTRARS if self.id is None else device.id == self.id
        same_serial = self.serial in (None, device.serial)
        return same_id and same_serial and self.place in (None, device.place)

    def one_of(self, devices: Sequence[UsbDevice]) -> UsbDevice:
        """The one that fits; raises PortGone for none, PortUnusable for several."""
        fitting = [device for device in devices if self.fits(device)]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise PortGone("no such device on the USB")
        seen = ", ".join(f"{one.id} at {one.place}" for one in fitting)
        raise PortUnusable(
            f"several devices fit: kktctl printer discover says how to choose ({seen})"
        )


class UsbPort:
    """Implements `kktd.wire.port.Port`."""

    def __init__(
        self,
        wanted: Wanted,
        bus: UsbBus,
        baudrate: int = BAUDRATE_DEFAULT,
        open_tty: Callable[[str, int], Port] = SerialPort,
    ) -> None:
        self._wanted = wanted
        self._bus = bus
        self._baudrate = baudrate
        self._open_tty = open_tty
        self._line: Port | None = None
        self._written = self._heard = False  # since it was opened
        self._silent = 0  # openings
        self._resets = 0  # since a byte was heard
        self._reset_again_s = float("-inf")  # monotonic

    @property
    def is_open(self) -> bool:
        return self._line is not None

    def open(self, by: Deadline) -> None:
        if self._line is not None:
            return
        line = self._line_to(self._wanted.one_of(self._bus.devices()))
        line.open(by)
        self._line = line
        self._written = self._heard = False

    def close(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        line.close()
        if self._written and not self._heard:
            self._silent += 1

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        data = self._opened().read(max_bytes, by)
        if data:
            self._heard = True
            self._silent = self._resets = 0
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        self._written = True
        self._opened().write(data, by)

    def drain_input(self) -> None:
        self._opened().drain_input()

    def shake(self, by: Deadline) -> None:
        now_s = by.clock.monotonic_s()
        if self._silent < SILENT_OPENINGS or now_s < self._reset_again_s:
            return
        self._reset_again_s = now_s + min(RESET_AGAIN_S * 2**self._resets, RESET_AGAIN_MAX_S)
        self._resets += 1
        self._silent = 0
        try:
            device = self._wanted.one_of(self._bus.devices())
            self._bus.reset(device)
        except PortGone as error:
            log.event(Event.PRINTER_RESET, device=str(self._wanted.id), failed=str(error))
        else:
            log.event(Event.PRINTER_RESET, device=str(device.id), place=device.place)

    def _opened(self) -> Port:
        if self._line is None:
            raise PortGone("the port is not open")
        return self._line

    def _line_to(self, device: UsbDevice) -> Port:
        if device.ttys:
            return self._open_tty(str(device.ttys[0]), self._baudrate)
        if device.bulk is not None:
            return BulkPort(device.handle, device.bulk)
        raise PortGone(f"{device.id} has no line: no driver of the kernel's took it (yet)")
