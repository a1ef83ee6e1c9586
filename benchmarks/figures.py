"""What is made of many timings, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

BLOCK: Final = 20  # timings whose second largest is their P95


def p95_s(seconds: Sequence[float]) -> float:
    """Median of the P95s of blocks: one burst of a busy machine spoils one block."""
    blocks = [sorted(seconds[at : at + BLOCK]) for at in range(0, len(seconds), BLOCK)]
    return median(block[max(0, round(0.95 * len(block)) - 1)] for block in blocks)


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
