"""Check sums of the wire protocols, as pure functions of bytes."""

from __future__ import annotations

from functools import reduce
from operator import xor


def lrc(data: bytes) -> int:
    """XOR of all bytes.  Weak: two errors in one bit column cancel out.  Source: [SHTRIH] 2.1."""
    return reduce(xor, data, 0)
