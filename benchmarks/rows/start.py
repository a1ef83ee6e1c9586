"""From starting the process to READY=1, in seconds of this machine.

Beside it: a Python that only imports the same packages, in turn with it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.harness import Row
from benchmarks.seed import fill_past, fill_queue
from benchmarks.till import Till, a_rig

STARTS: Final = 3
PAST: Final = 100_000
UNCLEAN_SALES: Final = 20
PACKAGES: Final = (
    "fastapi, uvicorn, pydantic, apsw, requests, structlog, prometheus_client, pybreaker, serial, "
    "sdnotify"
)


def start_empty(folder: Path) -> Row:
    """No receipt yet; its certificates are made already."""
    with a_rig(folder / "rig") as rig:
        till = Till(folder / "till", rig)
        till.start()
        till.stop()

        def forget() -> None:
            for file in till.database.parent.glob("kktd.db*"):
                file.unlink()

        return _row("empty database", 0.8, till, forget)


def start_with_a_queue(folder: Path) -> Row:
    """200 receipts wait, and the ОФД takes connections and says nothing."""
    with a_rig(folder / "rig") as rig:
        rig.fault("ofd", "hang")
        till = Till(folder / "till", rig)
        fill_queue(till.database, 200)
        return _row("200 queued, ОФД silent", 0.8, till)


def start_after_a_kill(folder: Path) -> Row:
    """Killed in the middle of its work, with a WAL to read and a long past to check."""
    with a_rig(folder / "rig") as rig:
        till = Till(folder / "till", rig)
        fill_past(till.database, PAST)
        till.start()
        client = till.client()
        for _ in range(UNCLEAN_SALES):
            client.sell()
        return _row(f"{PAST} receipts, after kill -9", 2.5, till)


def _row(name: str, aim_s: float, till: Till, before: Callable[[], None] = lambda: None) -> Row:
    pairs = []
    try:
        for _ in range(STARTS):
            till.kill()
            before()
            pairs.append((till.start(), _import_s()))
    finally:
        till.kill()
    starts, imports = ([pair[side] for pair in pairs] for side in (0, 1))
    return Row(
        f"start to READY, {name}",
        f"{median(starts):.2f} s",
        f"{aim_s} s",
        median(starts) / aim_s,
        at_most=1,
        note=f"the imports alone {median(imports):.2f} s, "
        f"{median(starts) / median(imports):.2f} ×; fastest {min(starts):.2f} s of {STARTS}, "
        f"imports {min(imports):.2f} s",
    )


def _import_s() -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {PACKAGES}"], check=True)
    return time.perf_counter() - began_s


ROWS = [start_empty, start_with_a_queue, start_after_a_kill]
