"""What is made of many timings: medians, percentiles, and how they are written."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000


def p95_ms(seconds: Sequence[float]) -> float:
    """The value nineteen of twenty stay under; the largest of fewer than twenty."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] * 1000


def ms(value: float) -> str:
    return f"{value:.1f} ms"
