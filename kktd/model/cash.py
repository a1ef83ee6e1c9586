"""Cash that moves without a receipt, as the device counts it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CashCounters:
    """One reading.  Counts and sums are of the shift and start anew with it; money in kopecks."""

    through: int  # number of the device's last document, fiscal or not
    ins: int
    outs: int
    in_kopecks: int
    out_kopecks: int
    cash_kopecks: int  # what the device believes is in the drawer
