"""A sale on a serial line of real speed, against the line and the registrar themselves."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import ms
from benchmarks.harness import Row
from benchmarks.rows.post import spoken_sale
from benchmarks.till import a_rig, a_till
from benchmarks.wire import Conversation

BAUD: Final = 115_200
SALES: Final = 9


def sale_at_115200(folder: Path) -> Row:
    """Bytes paced as the line would, commands as long as the registrar's table says."""
    with a_rig(folder / "spoken") as rig:
        spoken = spoken_sale(folder / "spoken", rig)
    with (
        a_rig(folder / "till", "--baud", str(BAUD), "--real-time") as rig,
        a_till(folder / "till", rig) as till,
    ):
        client = till.client()
        client.sell()
        sale_s = median(client.sell() for _ in range(SALES))
    line_s, device_s = spoken.line_s(BAUD), _device_s(spoken)
    limit_s = line_s + device_s
    return Row(
        f"sale at {BAUD} baud",
        ms(sale_s),
        f"{ms(limit_s)}, {spoken.bytes_both} bytes {ms(line_s)} and commands {ms(device_s)}",
        sale_s / limit_s,
        at_most=1.15,
        note=f"{len(spoken.questions)} questions",
    )


def _device_s(spoken: Conversation) -> float:
    from rig.shtrih_tables import find_command  # the path is set by benchmarks.till

    found = [find_command(question) for question in spoken.questions]
    return sum(command.run_ms for command in found if command is not None) / 1000


ROWS = [sale_at_115200]
