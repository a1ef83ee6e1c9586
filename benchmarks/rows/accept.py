"""Accepting a receipt, as the desk stores it, against the disk and against commits one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.harness import Row, interleaved_s
from kktd.model.receipt import PaymentMethod, Receipt
from kktd.receipts.desk import Desk
from kktd.store.store import Store
from tests.support.desk import roomy_desk
from tests.support.disk import Disk
from tests.support.receipts import a_line, a_receipt

ROUNDS: Final = 150
FRAME_BYTES: Final = 4_096 + 24  # a page of the WAL with its header
CALLERS: Final = 16
FLUSH_US: Final = 10_000  # a slow eMMC
SALES: Final = 320


def a_sale() -> Receipt:
    """Three lines, paid in cash with change."""
    lines = [a_line(199_00), a_line(36_99, "0.7"), a_line(89_90, "2")]
    return a_receipt(*lines, payments={PaymentMethod.CASH: 500_00})


def selling(desk: Desk) -> Callable[[], None]:
    """Accepts the next of many receipts that are made already."""
    sales = [(a_sale(), str(uuid.uuid4())) for _ in range(ROUNDS + 1)]

    def sell() -> None:
        receipt, key = sales.pop()
        desk.leave(desk.accept(receipt, key, uuid.UUID(key).bytes * 2))

    return sell


def one_caller(folder: Path) -> Row:
    """Each in turn: a receipt accepted, and as many bytes appended to a file and flushed."""
    store = Store(folder / "kktd.db")
    sell = selling(roomy_desk(store))
    sell()
    store.checkpoint(truncate=True)
    per_sale = _bytes_of_a_sale(store, sell)
    file = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    data = os.urandom(per_sale)

    def append() -> None:
        os.write(file, data)
        os.fdatasync(file)

    accept_s, bare_s = interleaved_s(ROUNDS - 20, sell, append)
    os.close(file)
    store.close()
    return Row(
        "receipt accepted, 1 caller",
        f"{accept_s * 1000:.2f} ms",
        f"{bare_s * 1000:.2f} ms, append and fdatasync",
        accept_s / bare_s,
        at_most=2,
        note=f"{per_sale} bytes to the WAL a receipt, {per_sale // FRAME_BYTES} pages",
    )


def _bytes_of_a_sale(store: Store, sell: Callable[[], None]) -> int:
    for _ in range(20):
        sell()
    return round(store.wal_pages / 20) * FRAME_BYTES


def sixteen_callers(folder: Path) -> Row:
    """On a disk whose flush costs 10 ms, where commits one by one are 100 a second."""
    disk = Disk(folder)
    disk.set(flush_us=FLUSH_US)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rows.accept", str(folder / "kktd.db")],
        env=disk.environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result = json.loads(done.stdout)
    one_by_one = 1_000_000 / FLUSH_US
    rate = result["sales"] / result["seconds"]
    return Row(
        f"receipts accepted, {CALLERS} callers, flush of {FLUSH_US // 1000} ms",
        f"{rate:.0f} a second",
        f"{one_by_one:.0f} a second, one flush each",
        rate / one_by_one,
        at_least=5,
        note=f"{result['sales'] / result['commits']:.1f} receipts a commit",
    )


def _sell_together(path: Path) -> None:
    """The child of `sixteen_callers`: prints what it took."""
    store = Store(path)
    desk = roomy_desk(store)
    sales = [(a_sale(), str(uuid.uuid4())) for _ in range(SALES)]

    def sell(sale: tuple[Receipt, str]) -> None:
        receipt, key = sale
        desk.leave(desk.accept(receipt, key, uuid.UUID(key).bytes * 2))

    before, commits = perf_counter(), store.commits
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(sell, sales))
    seconds = perf_counter() - before
    print(json.dumps({"sales": SALES, "seconds": seconds, "commits": store.commits - commits}))
    store.close()


ROWS = [one_caller, sixteen_callers]

if __name__ == "__main__":
    import io

    from kktd import log

    log.configure(io.StringIO())
    _sell_together(Path(sys.argv[1]))
