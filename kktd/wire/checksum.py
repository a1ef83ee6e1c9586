"""Check sums of the wire protocols, as pure functions of bytes."""

from __future__ import annotations

from binascii import crc_hqx
from functools import reduce
from operator import xor
from typing import Final

CRC16_INIT: Final = 0xFFFF  # [SHTRIH] 3


def lrc(data: bytes) -> int:
    """XOR of all bytes.  Weak: two errors in one bit column cancel out.  Source: [SHTRIH] 2.1."""
    return reduce(xor, data, 0)


def crc16(data: bytes) -> int:
    """CRC-16 CCITT: polynomial 1021h, nothing reflected, no final XOR.  Source: [SHTRIH] 3."""
    return crc_hqx(data, CRC16_INIT)
