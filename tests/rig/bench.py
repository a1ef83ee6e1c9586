"""A host for tests of the simulated registrar: speaks level 1 in virtual time, knows no kktd."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rig.faults import Faults
from rig.link import frame, lrc
from rig.printer import SimulatedPrinter

ENQ, STX, ACK, NAK = b"\x05", b"\x02", b"\x06", b"\x15"
OPENING = datetime(2026, 3, 2, 9, 30)  # noqa: DTZ001 - a till's local clock
SYSTEM = struct.pack("<I", 30)
NOT_GIVEN = b"\xff" * 5


class NoAnswer(Exception):
    """The device stayed silent."""


@dataclass
class Bench:
    """A printer, its board of faults and a host, on one virtual clock."""

    state_dir: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
    now_s: float = 0.0
    wall: datetime = OPENING
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Power the same till up anew (another process, as far as it can tell)."""
        self.printer = SimulatedPrinter(
            self.state_dir, self.faults, clock=lambda: self.wall, fsync=False, **self.options
        )

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall += timedelta(seconds=seconds)

    def hear(self, seconds: float = 0.0) -> bytes:
        self.wait(seconds)
        return self.printer.transmit(self.now_s)

    def say(self, data: bytes) -> bytes:
        """Send bytes and hear what comes at once."""
        self.printer.receive(data, self.now_s)
        return self.hear()

    def ask(self, payload: bytes) -> bytes:
        """One clean exchange; the answer's payload."""
        if self.say(ENQ) != NAK:
            raise NoAnswer(payload.hex())
        heard = self.say(frame(payload))
        if len(heard) < 5 or heard[:2] != ACK + STX:
            raise NoAnswer(f"{payload.hex()}: {heard.hex()}")
        assert lrc(heard[2:]) == 0
        self.say(ACK)
        return heard[3:-1]

    def code(self, payload: bytes) -> int:
        """The error byte of the answer."""
        answer = self.ask(payload)
        return answer[2 if payload[:1] == b"\xff" else 1]

    def mode(self) -> tuple[int, int]:
        answer = self.ask(STATUS)
        return answer[5], answer[6]

    def last_fd(self) -> int:
        return int(str(self.printer.fn_status()["last_fd"]))

    def open_shift(self) -> None:
        assert self.code(OPEN_SHIFT) == 0

    def sell(self, kopecks: int = 10_000) -> bytes:
        """A whole cash receipt; the answer to FF45."""
        assert self.code(open_receipt(0)) == 0
        assert self.code(operation(price=kopecks)) == 0
        return self.ask(close(cash=kopecks))


def plain(code: int, rest: bytes = b"") -> bytes:
    return bytes([code]) + SYSTEM + rest


def storage(code: int, rest: bytes = b"") -> bytes:
    return bytes([0xFF, code]) + SYSTEM + rest


def money(kopecks: int) -> bytes:
    return kopecks.to_bytes(5, "little")


def open_receipt(kind: int) -> bytes:
    return plain(0x8D, bytes([kind]))


def operation(
    price: int = 10_000,
    quantity: int = 1_000_000,
    total: int | None = None,
    tax: int = 1,
    sign: int = 1,
    name: str = "Позиция",
) -> bytes:
    """FF46h; quantity in millionths."""
    return storage(
        0x46,
        bytes([sign])
        + quantity.to_bytes(6, "little")
        + money(price)
        + (NOT_GIVEN if total is None else money(total))
        + NOT_GIVEN
        + bytes([tax, 1, 4, 1])
        + name.encode("cp1251"),
    )


def close(
    cash: int = 0,
    card: int = 0,
    rounding: int = 0,
    tax_system: int = 1,
    others: dict[int, int] | None = None,
) -> bytes:
    """FF45h; `others` by payment type 1..16."""
    payments = {1: cash, 2: card, **(others or {})}
    return storage(
        0x45,
        b"".join(money(payments.get(kind, 0)) for kind in range(1, 17))
        + bytes([rounding])
        + bytes(30)
        + bytes([tax_system]),
    )


def tag(number: int, value: bytes) -> bytes:
    return struct.pack("<HH", number, len(value)) + value


def mark(text: str) -> bytes:
    """FF0Ch with tag 1084 whose value 1086 names the receipt."""
    inside = tag(1085, b"key") + tag(1086, text.encode("cp866"))
    return storage(0x0C, tag(1084, inside))


STATUS = plain(0x10)
FULL_STATUS = plain(0x11)
OPEN_SHIFT = plain(0xE0)
Z_REPORT = plain(0x41)
X_REPORT = plain(0x40)
CANCEL = plain(0x88)
SUBTOTAL = plain(0x89)
REPEAT = plain(0x8C)
CONTINUE = plain(0xB0)
FN_STATUS = storage(0x01)
SHIFT_PARAMS = storage(0x40)
