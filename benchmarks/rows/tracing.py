"""A sale while the collector of traces hangs: the cashier must not notice.

Two tills sell in turn, one of which makes no spans.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import BLOCK, ms, p95_s
from benchmarks.harness import Row
from benchmarks.till import a_rig, a_till, resident_mib

BLOCKS: Final = 5
WARM_UP: Final = 10


def p95_while_the_collector_hangs(folder: Path) -> Row:
    """Connected, and never an answer; the queue of spans is as full as it gets."""
    from rig.collector import SimulatedCollector
    from rig.faults import Faults

    faults = Faults()
    faults.add("collector", "hang")
    collector = SimulatedCollector(faults)
    extra = f'\n[tracing]\notlp_url = "{collector.url}"\n'
    with (
        a_rig(folder / "ill") as ill_rig,
        a_rig(folder / "well") as well_rig,
        a_till(folder / "ill", ill_rig, extra=extra) as ill_till,
        a_till(folder / "well", well_rig) as well_till,
    ):
        ill, well = ill_till.client(), well_till.client()
        for _ in range(WARM_UP):
            ill.sell(), well.sell()
        pairs = [(ill.sell(), well.sell()) for _ in range(BLOCKS * BLOCK)]
        more_mib = resident_mib(ill_till.pid) - resident_mib(well_till.pid)
    collector.close()
    ills, wells = ([pair[side] for pair in pairs] for side in (0, 1))
    return Row(
        "sale P95, collector of traces hanging",
        ms(p95_s(ills)),
        f"{ms(p95_s(wells))}, no tracing",
        p95_s(ills) / p95_s(wells),
        at_most=1.1,
        note=f"medians {ms(median(ills))} and {ms(median(wells))}; "
        f"tracing costs {more_mib:.1f} MiB of RSS",
    )


ROWS = [p95_while_the_collector_hangs]
