"""Resident memory of the daemon: idle, and what a day's receipts leave behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from benchmarks.harness import Row, is_long
from benchmarks.process import Process
from benchmarks.rows.start import PACKAGES
from benchmarks.till import Till, a_rig, a_till, resident_mib

IDLE_S: Final = 3.0
IDLE_MIB: Final = 66.0
GROWTH_MIB: Final = 3.0
RECEIPTS: Final = 10_000
SHORT: Final = 1_000
WARM_UP: Final = 300  # pools and caches are as full as they get


def idle(folder: Path) -> Row:
    """The printer connected, nothing sold."""
    with a_rig(folder / "rig") as rig, a_till(folder / "till", rig) as till:
        time.sleep(IDLE_S)
        rss_mib = resident_mib(till.pid)
    imports_mib = _imports_mib(folder)
    return Row(
        "RSS, idle",
        f"{rss_mib:.1f} MiB",
        f"{IDLE_MIB:.0f} MiB",
        rss_mib / IDLE_MIB,
        at_most=1,
        note=f"the imports alone {imports_mib:.1f} MiB, {rss_mib / imports_mib:.2f} ×",
    )


def after_a_day(folder: Path) -> Row:
    """Sold, printed, delivered.  SQLite's caches fill in the first thousand, and then it stands."""
    sales = RECEIPTS if is_long() else SHORT
    with a_rig(folder / "rig") as rig, a_till(folder / "till", rig) as till:
        _sell(till, WARM_UP)
        before_mib = resident_mib(till.pid)
        _sell(till, sales // 2)
        half_mib = resident_mib(till.pid)
        _sell(till, sales // 2)
        after_mib = resident_mib(till.pid)
    return Row(
        f"RSS, growth over {sales} receipts",
        f"{after_mib - before_mib:.1f} MiB",
        f"{GROWTH_MIB:.0f} MiB",
        (after_mib - before_mib) / GROWTH_MIB,
        at_most=1,
        note=f"{before_mib:.1f}, {half_mib:.1f}, {after_mib:.1f} MiB after {WARM_UP}, "
        f"{WARM_UP + sales // 2}, {WARM_UP + sales}"
        + ("" if is_long() else f"; {RECEIPTS} with --long"),
    )


def _sell(till: Till, count: int) -> None:
    client = till.client()
    for _ in range(count):
        client.sell()
    client.close()
    till.wait_delivered()


def _imports_mib(folder: Path) -> float:
    command = ["-c", f"import {PACKAGES}, time; print(flush=True); time.sleep(60)"]
    process = Process(command, folder / "imports.log", announces=True)
    process.first_line(60.0)
    rss_mib = resident_mib(process.pid)
    process.kill()
    return rss_mib


ROWS = [idle, after_a_day]
