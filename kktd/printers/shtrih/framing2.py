"""Frames of protocol 2: bytes in, tokens out.  Opens nothing.  Source: [SHTRIH] 3.

    8F | LEN, 2 bytes | NUM, 2 bytes | data, LEN - 2 bytes | CRC-16 of LEN, NUM and data, 2 bytes

Numbers go least significant byte first.  LEN 0 has neither number nor data: the host's sync.  LEN 2
has no data: a device that has executed nothing since its power came.  Behind the head 8F is sent as
9F 81 and 9F as 9F 83, so that a bare 8F begins a frame wherever it stands: whatever noise came
before, the next whole frame is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from kktd.wire.checksum import crc16

HEAD: Final = 0x8F
ESCAPE: Final = 0x9F
NUMBERS: Final = 0x1_0000  # they are counted modulo this
NUMBER_BYTES: Final = 2
DATA_BYTES_MAX: Final = 0xFFFF - NUMBER_BYTES

_LENGTH_BYTES: Final = 2
_CRC_BYTES: Final = 2
_ESCAPED: Final = {0x81: HEAD, 0x83: ESCAPE}


class Kind(Enum):
    """What a stretch of the stream means."""

    FRAME = auto()  # whole, and its CRC fits
    DAMAGED = (
        auto()
    )  # a frame with a wrong CRC, length or escape, or one that another one cut short
    TORN = auto()  # a frame that ended in silence
    NOISE = auto()  # bytes outside a frame


@dataclass(frozen=True, slots=True)
class Token:
    """One of them; only frames have a number, unless they are the host's sync, and data."""

    kind: Kind
    number: int | None = None
    data: bytes = b""


TORN: Final = Token(Kind.TORN)
_DAMAGED: Final = Token(Kind.DAMAGED)
_NOISE: Final = Token(Kind.NOISE)


def following(number: int) -> int:
    """The number after this one; 0 follows 65535."""
    return (number + 1) % NUMBERS


def encode(number: int, data: bytes) -> bytes:
    """A frame around `data`; raises ValueError for what fits none."""
    if not 0 <= number < NUMBERS:
        raise ValueError(f"number {number}")
    if len(data) > DATA_BYTES_MAX:
        raise ValueError(f"data of {len(data)} bytes")
    return _framed(_two_bytes(NUMBER_BYTES + len(data)) + _two_bytes(number) + data)


def _two_bytes(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _framed(body: bytes) -> bytes:
    plain = body + _two_bytes(crc16(body))
    stuffed = plain.replace(b"\x9f", b"\x9f\x83").replace(b"\x8f", b"\x9f\x81")
    return bytes((HEAD,)) + stuffed


SYNC: Final = _framed(_two_bytes(0))  # makes the device repeat its last answer


class Deframer:
    """Cuts a stream into tokens, however it arrives."""

    def __init__(self) -> None:
        self._body = bytearray()  # behind the head, unstuffed
        self._inside = False
        self._escaped = False

    @property
    def inside(self) -> bool:
        """A frame has begun and is not complete."""
        return self._inside

    def feed(self, data: bytes) -> list[Token]:
        """Tokens that end within `data`, in their order."""
        tokens: list[Token] = []
        for byte in data:
            if byte == HEAD:
                if self._inside:
                    tokens.append(_DAMAGED)
                self._begin(inside=True)
                continue
            token = self._take(byte) if self._inside else _NOISE
            if token is not None:
                self._begin(inside=False)
                tokens.append(token)
        return tokens

    def give_up(self) -> bool:
        """Forget an unfinished frame; True if there was one."""
        torn = self._inside
        self._begin(inside=False)
        return torn

    def _begin(self, *, inside: bool) -> None:
        self._body.clear()
        self._inside = inside
        self._escaped = False

    def _take(self, byte: int) -> Token | None:
        """One byte of a frame; what it completes or spoils."""
        if byte == ESCAPE and not self._escaped:
            self._escaped = True
            return None
        if self._escaped:
            if byte not in _ESCAPED:
                return _DAMAGED
            byte, self._escaped = _ESCAPED[byte], False
        self._body.append(byte)
        return self._finished()

    def _finished(self) -> Token | None:
        body = self._body
        if len(body) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(body[:_LENGTH_BYTES], "little")
        if 0 < length < NUMBER_BYTES:
            return _DAMAGED
        end = _LENGTH_BYTES + length
        if len(body) < end + _CRC_BYTES:
            return None
        if crc16(bytes(body[:end])) != int.from_bytes(body[end:], "little"):
            return _DAMAGED
        if length == 0:
            return Token(Kind.FRAME)
        number = int.from_bytes(body[_LENGTH_BYTES : _LENGTH_BYTES + NUMBER_BYTES], "little")
        return Token(Kind.FRAME, number, bytes(body[_LENGTH_BYTES + NUMBER_BYTES : end]))
