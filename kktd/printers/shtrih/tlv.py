"""Tags as the FN takes and shows them.  Source: [FFD] 1, [SHTRIH] 7.6.

tag u16 | length u16 | value        least significant byte first
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

HEAD: Final = struct.Struct("<HH")
VLN_BYTES_MAX: Final = 8
FVLN_DECIMALS_MAX: Final = 20  # far over what any tag carries; a guard against rubbish


class BadTlv(ValueError):
    """Not a list of tags, or a value that its type does not hold."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One tag."""

    tag: int
    value: bytes

    def encoded(self) -> bytes:
        """Raises BadTlv if tag or length need more than two bytes."""
        try:
            return HEAD.pack(self.tag, len(self.value)) + self.value
        except struct.error as error:
            raise BadTlv(f"tag {self.tag}: {len(self.value)} bytes") from error


def printable(text: str, codepage: str, length_max: int) -> bytes:
    """`text` in `codepage`, at most `length_max` bytes of it (both pages have one byte a letter).

    Letters the page lacks become "?", control characters and line ends a space: a till refuses
    them ([SHTRIH] 7.6: error 33h).
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain.encode(codepage, "replace")[:length_max]


def string(tag: int, text: str, length_max: int) -> Tlv:
    return Tlv(tag, printable(text, "cp866", length_max))


def fixed_string(tag: int, text: str, length: int) -> Tlv:
    """Padded on the right with spaces ([FFD] 1)."""
    return Tlv(tag, printable(text, "cp866", length).ljust(length))


def byte(tag: int, value: int) -> Tlv:
    return Tlv(tag, vln_bytes(value, 1).ljust(1, b"\0"))


def u32(tag: int, value: int) -> Tlv:
    return Tlv(tag, vln_bytes(value, 4).ljust(4, b"\0"))


def vln(tag: int, value: int) -> Tlv:
    """Minimal length; zero is one byte, as real tills write it ([FFD] 1)."""
    return Tlv(tag, vln_bytes(value))


def fvln(tag: int, value: Decimal) -> Tlv:
    return Tlv(tag, fvln_bytes(value))


def stlv(tag: int, parts: Iterable[Tlv]) -> Tlv:
    return Tlv(tag, b"".join(part.encoded() for part in parts))


def vln_bytes(value: int, bytes_max: int = VLN_BYTES_MAX) -> bytes:
    """Raises BadTlv for a negative number or one that needs more bytes."""
    if value < 0 or value.bit_length() > bytes_max * 8:
        raise BadTlv(f"{value} does not fit {bytes_max} bytes")
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "little")


def fvln_bytes(value: Decimal) -> bytes:
    """Decimals after the point in one byte, then the digits as a VLN; keeps the given scale."""
    sign, digits, exponent = value.as_tuple()
    if sign or not isinstance(exponent, int) or not -FVLN_DECIMALS_MAX <= exponent <= 0:
        raise BadTlv(f"{value} is not a plain decimal")
    mantissa = int("".join(map(str, digits)))
    return bytes((-exponent,)) + vln_bytes(mantissa, VLN_BYTES_MAX - 1)


def read_vln(value: bytes) -> int:
    """Also empty (zero) and padded ones, which occur ([FFD] 1); raises BadTlv over 8 bytes."""
    if len(value) > VLN_BYTES_MAX:
        raise BadTlv(f"number of {len(value)} bytes")
    return int.from_bytes(value, "little")


def read_fvln(value: bytes) -> Decimal:
    """Raises BadTlv."""
    if not value or value[0] > FVLN_DECIMALS_MAX:
        raise BadTlv(f"not a decimal: {value.hex()}")
    return Decimal(read_vln(value[1:])).scaleb(-value[0])


def read_string(value: bytes) -> str:
    return value.decode("cp866").rstrip(" \0")


def decode(data: bytes) -> Iterator[Tlv]:
    """Tags in their order; raises BadTlv at the first that is cut short."""
    at = 0
    while at < len(data):
        if len(data) - at < HEAD.size:
            raise BadTlv(f"{len(data) - at} bytes left over")
        tag, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if len(data) - at < length:
            raise BadTlv(f"tag {tag} is cut short")
        yield Tlv(tag, data[at : at + length])
        at += length


def find(data: bytes, tag: int) -> bytes | None:
    """Value of the first such tag, or None; raises BadTlv."""
    return next((item.value for item in decode(data) if item.tag == tag), None)
