"""A raw pair of bulk endpoints as a line of bytes, for devices the kernel makes no tty of.

Waits in libusb, so in real time.  Source: [USB] 5.8 (bulk transfers), pyusb.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import usb.core
import usb.util

from kktd.clock import Deadline
from kktd.wire.port import DRAIN_CHUNKS_MAX, PortGone, PortUnusable

CHUNK_BYTES: Final = 4_096  # whole packets: a shorter buffer may overflow
LEAST_MS: Final = 1  # libusb takes 0 for ever

_FAILURES: Final = (usb.core.USBError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Bulk:
    """Where the pair is."""

    interface: int
    endpoint_in: int
    endpoint_out: int


class BulkPort:
    """Implements `kktd.wire.port.Port` for one device as it is plugged in; claims the interface."""

    def __init__(self, handle: Any, pair: Bulk) -> None:
        """`handle`: pyusb's."""
        self._handle = handle
        self._pair = pair
        self._open = False
        self._arrived = b""

    @property
    def is_open(self) -> bool:
        return self._open

    def open(self, by: Deadline) -> None:
        if self._open:
            return
        try:
            usb.util.claim_interface(self._handle, self._pair.interface)
            for endpoint in (self._pair.endpoint_in, self._pair.endpoint_out):
                self._handle.clear_halt(endpoint)  # both sides count packets from 0 again
        except _FAILURES as error:
            usb.util.dispose_resources(self._handle)
            raise _gone(error) from error
        self._open, self._arrived = True, b""

    def close(self) -> None:
        self._open = False
        with suppress(*_FAILURES):
            usb.util.dispose_resources(self._handle)

    def read(self, max_bytes: int, by: Deadline) -> bytes:
        while not self._arrived:
            self._fetch(_ms(by))
            if by.passed():
                break
        data, self._arrived = self._arrived[:max_bytes], self._arrived[max_bytes:]
        return data

    def write(self, data: bytes, by: Deadline) -> None:
        self._require_open()
        while data:
            try:
                taken = self._handle.write(self._pair.endpoint_out, data, _ms(by))
            except usb.core.USBTimeoutError as error:
                raise PortGone("the line takes no bytes") from error
            except _FAILURES as error:
                raise _gone(error) from error
            data = data[taken:]
            if data and by.passed():
                raise PortGone("the line takes no bytes")

    def drain_input(self) -> None:
        for _ in range(DRAIN_CHUNKS_MAX):
            self._arrived = b""
            self._fetch(LEAST_MS)
            if not self._arrived:
                return

    def shake(self, by: Deadline) -> None:
        """The bus resets, not the line: usb_port.py."""

    def _fetch(self, timeout_ms: int) -> None:
        """One transfer; an empty packet and silence bring nothing."""
        self._require_open()
        try:
            data = self._handle.read(self._pair.endpoint_in, CHUNK_BYTES, timeout_ms)
        except usb.core.USBTimeoutError:
            return
        except _FAILURES as error:
            raise _gone(error) from error
        self._arrived += bytes(data)

    def _require_open(self) -> None:
        if not self._open:
            raise PortGone("the port is not open")


def _ms(by: Deadline) -> int:
    return max(LEAST_MS, int(by.left_s() * 1000))


def _gone(error: Exception) -> PortGone:
    number = getattr(error, "errno", None) or 0
    kind = PortUnusable if number == errno.EACCES else PortGone
    return kind(f"line failed: {errno.errorcode.get(number, error)}")
