"""Opening the database of an old till that was not closed: the full check of 10⁵ receipts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from benchmarks.harness import Row, timed_s
from kktd.store import receipts
from kktd.store.store import Store
from tests.support.stores import Numbers, accept, fill_history

HISTORY: Final = 100_000
LIMIT_S: Final = 2.5  # of the whole daemon


def after_a_cut(folder: Path) -> Row:
    """The files as a cut leaves them, WAL and all; recovery included."""
    running = Store(folder / "kktd.db")
    fill_history(running, HISTORY)
    numbers = Numbers()
    for _ in range(100):
        accept(running, numbers)
    for name in ("kktd.db", "kktd.db-wal"):
        shutil.copy(folder / name, folder / f"cut-{name}")
    running.close()
    opened: list[Store] = []

    def start() -> None:
        opened.append(Store(folder / "cut-kktd.db"))
        opened[0].write(receipts.recover)

    seconds = timed_s(start)
    opened[0].close()
    size = (folder / "cut-kktd.db").stat().st_size
    return Row(
        f"database opened after a cut, {HISTORY} receipts",
        f"{seconds:.2f} s",
        f"{LIMIT_S} s, the whole start",
        seconds / LIMIT_S,
        at_most=0.6,
        note=f"file of {size / 1e6:.0f} MB",
    )


ROWS = [after_a_cut]
