"""A command's payload cut into fields, an answer's fields put together.  Source: [SHTRIH] 4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rig.shtrih_tables import Command


@dataclass(frozen=True, slots=True)
class Request:
    """Offsets of `number` and `rest` count from the code byte, as the vendor's lists do."""

    command: Command
    payload: bytes
    operator: int  # 0 when the command carries no password

    def number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.payload[offset : offset + size], "little")

    def rest(self, offset: int) -> bytes:
        return self.payload[offset:]

    def text(self, offset: int) -> str:
        """CP1251 up to the first 00, without unprintable codes."""
        raw = self.payload[offset:].split(b"\0")[0]
        return bytes(byte for byte in raw if byte > 31).decode("cp1251", "replace")


def le(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def dmy(moment: datetime) -> bytes:
    return bytes([moment.day, moment.month, moment.year - 2000])


def hms(moment: datetime) -> bytes:
    return bytes([moment.hour, moment.minute, moment.second])


def date_time(moment: datetime) -> bytes:
    """DATE_TIME of the FN: YY MM DD hh mm."""
    return bytes([moment.year - 2000, moment.month, moment.day, moment.hour, moment.minute])


def fixed(value: str, size: int) -> bytes:
    """ASCII/CP1251 padded with 00."""
    return value.strip().encode("cp1251", "replace")[:size].ljust(size, b"\0")
