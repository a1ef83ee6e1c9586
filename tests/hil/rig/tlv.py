"""TLV of fiscal documents as the FN keeps them.  Source: [FFD] 1; [SHTRIH] 7.6."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime


class BadTlv(ValueError):
    """Bytes that are no list of whole TLVs."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One requisite: tag and the bytes of its value."""

    tag: int
    value: bytes

    def encode(self) -> bytes:
        return struct.pack("<HH", self.tag, len(self.value)) + self.value

    def number(self) -> int:
        """The value read as unsigned little endian (byte, u16, u32, VLN)."""
        return int.from_bytes(self.value, "little")

    def text(self) -> str:
        return self.value.decode("cp866", "replace")


def encode_all(tlvs: Iterable[Tlv]) -> bytes:
    return b"".join(tlv.encode() for tlv in tlvs)


def decode_all(data: bytes) -> list[Tlv]:
    """A list of whole TLVs; BadTlv when a length points past the end."""
    found: list[Tlv] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise BadTlv(f"{len(data) - at} bytes left, no head")
        tag, size = struct.unpack_from("<HH", data, at)
        if at + 4 + size > len(data):
            raise BadTlv(f"tag {tag}: {size} bytes promised, {len(data) - at - 4} there")
        found.append(Tlv(tag, data[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def text(tag: int, value: str, width: int = 0) -> Tlv:
    """A CP866 string; `width` pads fixed fields with spaces on the right."""
    return Tlv(tag, value.encode("cp866", "replace").ljust(width))


def number(tag: int, value: int, size: int) -> Tlv:
    return Tlv(tag, value.to_bytes(size, "little"))


def vln(tag: int, value: int) -> Tlv:
    """Money in kopecks, shortest form; zero is one byte 00 as real tills send it."""
    return Tlv(tag, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "little"))


def fvln(tag: int, mantissa: int, digits: int) -> Tlv:
    size = max(1, (mantissa.bit_length() + 7) // 8)
    return Tlv(tag, bytes([digits]) + mantissa.to_bytes(size, "little"))


def moment(tag: int, local: datetime) -> Tlv:
    """Local wall clock written as if it were UTC, 4 bytes."""
    return number(tag, int(local.replace(tzinfo=UTC).timestamp()), 4)


def nested(tag: int, tlvs: Iterable[Tlv]) -> Tlv:
    return Tlv(tag, encode_all(tlvs))


def find(tlvs: Iterable[Tlv], tag: int) -> Tlv | None:
    return next((tlv for tlv in tlvs if tlv.tag == tag), None)
