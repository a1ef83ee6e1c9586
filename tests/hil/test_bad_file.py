"""The running daemon and its database on a bad day: shared, locked, damaged, its clock wrong."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from dev_api import ask_as_root

from tests.support.live import LiveDaemon, LiveRig
from tests.support.receipts import a_receipt
from tests.support.shop import Shop

DAY_S = 86_400


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LiveRig]:
    rig = LiveRig(tmp_path)
    yield rig
    rig.stop()


@pytest.fixture
def daemon(tmp_path: Path, rig: LiveRig) -> Iterator[LiveDaemon]:
    daemon = LiveDaemon(tmp_path, rig)
    daemon.start()
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


def test_a_second_daemon_on_the_file_leaves_at_once_and_the_first_sells_on(
    daemon: LiveDaemon,
) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "kktd.daemon", "--config", str(daemon.config)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 78
    assert "ALREADY_RUNNING" in second.stderr
    assert daemon.sell().status_code == 200


def test_a_database_somebody_else_locks_is_waited_for_and_the_sale_is_one_document(
    daemon: LiveDaemon, rig: LiveRig
) -> None:
    assert daemon.sell().status_code == 200
    stranger = apsw.Connection(str(daemon.folder / "till" / "kktd.db"))
    stranger.set_busy_timeout(5_000)
    stranger.execute("BEGIN IMMEDIATE")
    key = str(uuid.uuid4())
    refused = daemon.sell(key=key)
    assert refused.status_code == 503, "it waited for five seconds"
    assert refused.json()["message"]
    stranger.execute("ROLLBACK")
    stranger.close()
    daemon.wait_until(lambda: daemon.sell(key=key).status_code == 200)
    assert len(rig.fn_receipts()) == 2


def test_a_damaged_file_is_set_aside_and_the_till_sells_when_the_fn_was_read(
    daemon: LiveDaemon, rig: LiveRig
) -> None:
    sold = [daemon.sell().json()["receipt_id"] for _ in range(3)]
    assert daemon.stop() == 0
    file = daemon.folder / "till" / "kktd.db"
    with file.open("r+b") as damaged:
        damaged.write(bytes(100))
    daemon.start()
    daemon.wait_until(lambda: daemon.sell().status_code == 200)
    for receipt_id in sold:
        row = daemon.ask("GET", f"/v1/kkt/receipt/{receipt_id}").json()
        assert row["print_state"] == "printed"
    marks = Counter(one["mark"] for one in rig.fn_receipts())
    assert len(marks) == 4
    assert set(marks.values()) == {1}
    status, body = ask_as_root(daemon.socket, "GET", "/v1/salvage")[:2]
    assert status == 200
    assert body["salvage"]["missing"] == {"kkt": []}
    assert (file.parent / body["salvage"]["set_aside"]).exists()


def test_a_receipt_only_the_fn_knows_keeps_sales_shut_until_a_person_has_seen_it(
    daemon: LiveDaemon, rig: LiveRig
) -> None:
    daemon.sell()
    assert daemon.stop() == 0
    file = daemon.folder / "till" / "kktd.db"
    last_night = file.read_bytes()
    daemon.start()
    assert daemon.sell().status_code == 200
    assert daemon.stop() == 0
    file.write_bytes(last_night)
    file.with_name("kktd.db-wal").unlink()
    daemon.start()

    def counted() -> bool:
        body = ask_as_root(daemon.socket, "GET", "/v1/salvage")[1]
        return bool(body["salvage"]["missing"])

    daemon.wait_until(counted)
    refused = daemon.sell()
    assert (refused.status_code, refused.json()["code"]) == (503, "RECORDS_MISSING")
    assert daemon.ask("GET", "/v1/health").json()["obstacle"] == "RECORDS_MISSING"
    status, body = ask_as_root(daemon.socket, "POST", "/v1/salvage/confirm", {})[:2]
    assert status == 200
    assert [len(fds) for fds in body["salvage"]["missing"].values()] == [1]
    assert daemon.sell().status_code == 200
    assert len(rig.fn_receipts()) == 3


@pytest.mark.parametrize(
    "jump_s", [-56 * 365 * DAY_S, 600, -DAY_S], ids=["1970", "+10 min", "-1 d"]
)
def test_a_wrong_clock_sells_in_order_and_once(tmp_path: Path, jump_s: int) -> None:
    shop = Shop(tmp_path)
    ids = [str(shop.sell(a_receipt()).body["receipt_id"]) for _ in range(2)]
    shop.clock.jump_wall(jump_s)
    ids += [str(shop.sell(a_receipt()).body["receipt_id"]) for _ in range(2)]
    shop.restart()
    ids.append(str(shop.sell(a_receipt()).body["receipt_id"]))
    shop.run(30)
    stored = [shop.stored(one) for one in ids]
    assert [one.hlc for one in stored] == sorted(one.hlc for one in stored)
    assert len({one.hlc for one in stored}) == len(ids)
    receipts = [one for one in shop.printer.documents() if one["type"] == "receipt"]
    assert len({one["mark"] for one in receipts}) == len(receipts) == len(ids)
    shop.close()
