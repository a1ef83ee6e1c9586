"""Frames of protocol 1: bytes in, tokens out.  Opens nothing.  Source: [SHTRIH] 2.1.

    02 | N | payload, N bytes | LRC of N and payload

Outside a frame every byte stands for itself: ACK and NAK answer us, anything else is noise (an FF
follows each exchange over RNDIS, [SHTRIH] 2.6).  A frame that the line cut short ends only by
silence, which its reader has to tell with `give_up`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from kktd.wire.checksum import lrc

STX: Final = 0x02
ENQ: Final = 0x05
ACK: Final = 0x06
NAK: Final = 0x15
RNDIS_FILLER: Final = 0xFF
PAYLOAD_BYTES_MAX: Final = 255


class Kind(Enum):
    """What a stretch of the stream means."""

    FRAME = auto()  # whole, and its LRC fits
    DAMAGED = auto()  # a frame with a wrong LRC or length
    TORN = auto()  # a frame that ended in silence
    ACK = auto()
    NAK = auto()
    FILLER = auto()
    NOISE = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One of them; only frames have a payload."""

    kind: Kind
    payload: bytes = b""


_SINGLE: Final = {
    ACK: Token(Kind.ACK),
    NAK: Token(Kind.NAK),
    RNDIS_FILLER: Token(Kind.FILLER),
}
_NOISE: Final = Token(Kind.NOISE)
_DAMAGED: Final = Token(Kind.DAMAGED)
TORN: Final = Token(Kind.TORN)


def encode(payload: bytes) -> bytes:
    """A frame around `payload`; raises ValueError outside 1..255 bytes."""
    if not 1 <= len(payload) <= PAYLOAD_BYTES_MAX:
        raise ValueError(f"payload of {len(payload)} bytes")
    body = bytes((len(payload),)) + payload
    return bytes((STX,)) + body + bytes((lrc(body),))


class Deframer:
    """Cuts a stream into tokens, however it arrives."""

    def __init__(self) -> None:
        self._frame = bytearray()  # from STX on, empty outside a frame

    @property
    def inside(self) -> bool:
        """A frame has begun and is not complete."""
        return bool(self._frame)

    def feed(self, data: bytes) -> list[Token]:
        """Tokens that end within `data`, in their order."""
        tokens: list[Token] = []
        for byte in data:
            if not self._frame and byte != STX:
                tokens.append(_SINGLE.get(byte, _NOISE))
                continue
            self._frame.append(byte)
            token = self._finished()
            if token is not None:
                self._frame.clear()
                tokens.append(token)
        return tokens

    def give_up(self) -> bool:
        """Forget an unfinished frame; True if there was one."""
        torn = self.inside
        self._frame.clear()
        return torn

    def _finished(self) -> Token | None:
        frame = self._frame
        if len(frame) < 2:
            return None
        length = frame[1]
        if length == 0:
            return _DAMAGED
        if len(frame) < length + 3:
            return None
        # XOR over a body and its own LRC is zero
        return Token(Kind.FRAME, bytes(frame[2:-1])) if lrc(bytes(frame[1:])) == 0 else _DAMAGED
