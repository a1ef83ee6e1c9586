"""The running daemon on a disk that fills up, turns read-only or breaks."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disk import Disk
from tests.support.live import LiveDaemon, LiveRig
from tests.support.partition import NoMount, SmallPartition

MIB = 2**20


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LiveRig]:
    rig = LiveRig(tmp_path)
    yield rig
    rig.stop()


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[SmallPartition]:
    """The till's data, 64 MiB."""
    made = SmallPartition(tmp_path / "till", 64)
    try:
        made.__enter__()
    except NoMount as error:
        pytest.skip(f"a partition to fill needs root: {error}")
    yield made
    made.__exit__(None, None, None)


@pytest.fixture
def daemon(tmp_path: Path, rig: LiveRig) -> Iterator[LiveDaemon]:
    daemon = LiveDaemon(tmp_path, rig)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


def receipts_begun(daemon: LiveDaemon) -> int:
    return daemon.log.read_text(encoding="utf-8").count('"kkt_print_start"')


def obstacle(daemon: LiveDaemon) -> str | None:
    return daemon.ask("GET", "/v1/health").json()["obstacle"]  # type: ignore[no-any-return]


def test_a_disk_four_fifths_full_closes_sales_and_opens_them_again_by_itself(
    partition: SmallPartition, daemon: LiveDaemon
) -> None:
    daemon.start()
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: (partition.folder / "kktd.ballast").exists())
    partition.fill(leave_bytes=8 * MIB)
    daemon.wait_until(lambda: obstacle(daemon) == "DISK_FULL")
    refused = daemon.sell()
    assert refused.status_code == 503
    assert refused.json()["code"] == "DISK_FULL"
    assert "продажи закрыты: вызовите инженера" in refused.json()["message"]
    assert refused.headers["Retry-After"]
    cashier = {"cashier": {"name": "Петрова А."}}
    closed = daemon.ask("POST", "/v1/kkt/z_report", cashier, role="supervisor")
    assert closed.status_code == 200, "the day can be ended"
    partition.clear()
    daemon.wait_until(lambda: obstacle(daemon) is None)
    assert daemon.sell().status_code == 200
    assert daemon.stop() == 0


def test_a_disk_that_is_full_to_the_last_byte_loses_no_receipt_under_way(
    partition: SmallPartition, daemon: LiveDaemon, rig: LiveRig
) -> None:
    daemon.start()
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: (partition.folder / "kktd.ballast").exists())
    rig.fault("printer", "slow", times=1, ms=3_000, command="close_receipt")
    key, before = str(uuid.uuid4()), len(rig.fn_receipts())
    waiting = daemon.sell_in_background(key)
    daemon.wait_until(lambda: receipts_begun(daemon) == 2)
    # Every write from here on finds the disk full, until the ballast goes.
    partition.fill()
    answer = waiting.result(30)
    assert answer.status_code in (200, 202, 503)
    daemon.wait_until(lambda: len(rig.fn_receipts()) == before + 1)

    def written() -> bool:
        again = daemon.sell(key=key)
        return again.status_code == 200 and again.json()["print_state"] == "printed"

    daemon.wait_until(written)
    assert not (partition.folder / "kktd.ballast").exists()
    assert len(rig.fn_receipts()) == before + 1, "once"
    partition.clear()
    daemon.wait_until(lambda: (partition.folder / "kktd.ballast").exists())
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"flush_errno": errno.EIO},
        {"write_errno": errno.EIO},
        {"write_errno": errno.EROFS},  # what a kernel makes of a file system it no longer trusts
    ],
    ids=["a flush fails", "a write fails", "read-only"],
)
def test_on_a_broken_disk_nothing_is_sold_until_the_next_start_and_then_once(
    tmp_path: Path, daemon: LiveDaemon, rig: LiveRig, fault: dict[str, int]
) -> None:
    disk = Disk(tmp_path)
    daemon.environment = disk.environment()
    daemon.start()
    assert daemon.sell().status_code == 200
    disk.set(**fault)
    key = str(uuid.uuid4())
    assert daemon.sell(key=key).status_code == 503
    disk.set()
    assert obstacle(daemon) == "DISK_FULL"
    health = daemon.ask("GET", "/v1/health").json()
    assert health["components"]["disk"]["status"] == "unhealthy"
    assert daemon.sell(key=key).status_code == 503, "who knows what the disk holds"
    daemon.kill()
    daemon.start()

    def sold() -> bool:
        again = daemon.sell(key=key)
        return again.status_code == 200

    daemon.wait_until(sold)
    marks = [one["mark"] for one in rig.fn_receipts()]
    assert len(marks) == len(set(marks)) == 2
    assert daemon.stop() == 0
