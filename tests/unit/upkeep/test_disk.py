"""The disk rule in figures, the ballast in bytes, and what a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.store.space import BALLAST_BYTES, Partition, read_partition
from kktd.store.store import Store
from kktd.upkeep.disk import LOOK_S, STOP_PERCENT, DiskWatch, percent_used
from tests.support.clock import VirtualClock

GIB = 2**30
SMALL = 4 * GIB


class Bench:
    """A store on a partition whose fullness the test sets."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.store = Store(folder / "kktd.db")
        self.left = SMALL
        self.watch = DiskWatch(
            self.clock, self.store, folder, lambda _: Partition(SMALL, self.left)
        )

    def look(self, *, percent: float) -> None:
        """So full without the ballast."""
        self.left = round(SMALL * (100 - percent) / 100) - self.store.ballast.bytes
        self.clock.advance(LOOK_S)
        self.watch.step(self.clock.monotonic_s())

    def events(self) -> list[str]:
        return self.store.read(
            lambda db: [str(row[0]) for row in db.execute("SELECT event_type FROM buffer_events")]
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


@pytest.mark.parametrize(
    ("total", "left", "ballast", "free_pages", "percent"),
    [
        (SMALL, SMALL, 0, 0, 0.0),
        (SMALL, SMALL // 5, 0, 0, 80.0),
        (SMALL, SMALL // 5 - BALLAST_BYTES, BALLAST_BYTES, 0, 80.0),
        (SMALL, SMALL // 5, 0, SMALL // 10, 70.0),
        (SMALL, 0, 0, 0, 100.0),
        (250 * GIB, 50 * GIB, 0, 0, 0.0),  # four fifths of a large disk are no danger
        (250 * GIB, 2 * GIB, 0, 0, 80.0),
    ],
)
def test_fullness_is_what_is_in_use_without_ballast_and_free_pages(
    total: int, left: int, ballast: int, free_pages: int, percent: float
) -> None:
    assert percent_used(Partition(total, left), ballast, free_pages) == percent


def test_sales_stop_at_eighty_percent_and_open_again_by_themselves(bench: Bench) -> None:
    bench.look(percent=79.9)
    assert bench.watch.bar() is None
    bench.look(percent=STOP_PERCENT)
    bar = bench.watch.bar()
    assert bar is not None
    assert bar.code == "DISK_FULL"
    bench.look(percent=79.5)
    assert bench.watch.bar() is not None, "one receipt less opens nothing"
    bench.look(percent=78.9)
    assert bench.watch.bar() is None
    assert bench.events() == ["disk_filled", "disk_has_room"]


def test_the_ballast_lies_there_from_the_first_look_on(bench: Bench) -> None:
    bench.look(percent=10)
    assert bench.store.ballast.bytes == BALLAST_BYTES
    assert bench.watch.seen.ballast_bytes == BALLAST_BYTES


def test_a_small_partition_gives_a_twentieth(bench: Bench, tmp_path: Path) -> None:
    assert bench.store.ballast.make(Partition(100 * 2**20, 90 * 2**20))
    assert bench.store.ballast.bytes == 5 * 2**20


def test_no_ballast_is_made_where_there_is_no_room(bench: Bench) -> None:
    assert not bench.store.ballast.make(Partition(SMALL, BALLAST_BYTES))
    assert bench.store.ballast.bytes == 0


def test_thrown_off_ballast_comes_back_when_there_is_room(bench: Bench) -> None:
    bench.look(percent=10)
    assert bench.store.ballast.release()
    bench.look(percent=95)
    assert bench.store.ballast.bytes == 0
    bench.look(percent=50)
    assert bench.store.ballast.bytes == BALLAST_BYTES


def test_deleted_rows_count_as_room(bench: Bench) -> None:
    bench.store.write(lambda db: db.execute("CREATE TABLE filling (data BLOB)"))
    bench.store.write(lambda db: db.execute("INSERT INTO filling VALUES (zeroblob(50000000))"))
    bench.look(percent=80.1)
    assert bench.watch.bar() is not None
    bench.store.write(lambda db: db.execute("DROP TABLE filling"))
    bench.look(percent=80.1)
    assert bench.watch.seen.percent < 79
    assert bench.watch.bar() is None


def test_the_partition_is_read_as_df_does(tmp_path: Path) -> None:
    found = read_partition(tmp_path)
    assert 0 < found.left <= found.total
