"""A sale while the ОФД hangs or is far away: the cashier must not notice.

Two tills sell in turn, one with a healthy ОФД.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import BLOCK, ms, p95_s
from benchmarks.harness import Row
from benchmarks.till import a_rig, a_till

BLOCKS: Final = 5
WARM_UP: Final = 10


def p95_while_the_ofd_hangs(folder: Path) -> Row:
    """Connected, and never an answer."""
    return _beside_a_healthy_one(folder, "hanging", "hang")


def p95_at_350_ms(folder: Path) -> Row:
    """Slower than the sales come."""
    return _beside_a_healthy_one(folder, "at 350 ms", "latency", ms=350)


def _beside_a_healthy_one(folder: Path, name: str, fault: str, **how: int) -> Row:
    with (
        a_rig(folder / "ill") as ill_rig,
        a_rig(folder / "well") as well_rig,
        a_till(folder / "ill", ill_rig) as ill_till,
        a_till(folder / "well", well_rig) as well_till,
    ):
        ill_rig.fault("ofd", fault, **how)
        ill, well = ill_till.client(), well_till.client()
        for _ in range(WARM_UP):
            ill.sell(), well.sell()
        pairs = [(ill.sell(), well.sell()) for _ in range(BLOCKS * BLOCK)]
    ills, wells = ([pair[side] for pair in pairs] for side in (0, 1))
    return Row(
        f"sale P95, ОФД {name}",
        ms(p95_s(ills)),
        f"{ms(p95_s(wells))}, ОФД healthy",
        p95_s(ills) / p95_s(wells),
        at_most=1.1,
        note=f"medians {ms(median(ills))} and {ms(median(wells))}; "
        f"P95 is the median of {BLOCKS} blocks of {BLOCK} sales",
    )


ROWS = [p95_while_the_ofd_hangs, p95_at_350_ms]
