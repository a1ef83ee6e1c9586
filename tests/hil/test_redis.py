"""Two daemons of one till share a real Redis: one sends; without a Redis each has its own lease."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.clock import Clock
from kktd.errors import LeaseHeld
from kktd.ofd.redis_lock import AWAY_S, RedisLock
from kktd.store.leases import TTL_MS, Lease
from tests.support.clock import VirtualClock
from tests.support.live import ENVIRONMENT, LiveDaemon, LiveRig
from tests.support.ofd import DeliveryBench
from tests.support.redis import RedisServer

KEY = "sync:POS-001"
TIMEOUT_MS = 300
FROZEN_S = 3.0  # a loaded machine; by itself one question of 0.3 s


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tills(tmp_path: Path, server: RedisServer) -> Iterator[tuple[DeliveryBench, DeliveryBench]]:
    """Two daemons with one `pos_id`, a file each.  Their log is one."""

    def lock(clock: Clock) -> RedisLock:
        return RedisLock(server.url, clock, timeout_ms=TIMEOUT_MS)

    benches = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        benches.append(DeliveryBench(tmp_path / name, shared_lock=lock))
    yield benches[0], benches[1]
    for bench in benches:
        bench.close()


def events(bench: DeliveryBench, *names: str) -> list[str]:
    return [line["event"] for line in bench.lines(*names)]


# ---- two daemons of one till ------------------------------------------------------------------


def test_while_one_daemon_sends_the_other_waits_and_then_sends(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, second = tills
    first.sell(5)
    first.step()
    assert len(first.ofd.stored) == 1
    lock_id = server.find(KEY).split(" ")[1]
    second.sell(5)
    second.step()
    assert second.ofd.stored == {}
    [conflict] = second.lines("sync_lock_conflict")
    assert (conflict["lock_id"], conflict["held_by"]) == (lock_id, "online")
    first.run(1)
    assert len(first.ofd.stored) == 5
    assert server.find(KEY) is None
    second.run(10)
    assert len(second.ofd.stored) == 5


def test_a_manual_sync_is_refused_while_another_daemon_sends(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, second = tills
    first.sell(5)
    first.step()
    held = server.find(KEY)
    second.sell(2)
    with pytest.raises(LeaseHeld) as refused:
        second.delivery.request_sync("admin", force=True)
    assert refused.value.details == {"lock_id": held.split(" ")[1], "held_by": "online"}
    assert events(second, "sync_lock_conflict", "sync_rejected") == [
        "sync_lock_conflict",
        "sync_rejected",
    ]
    assert server.find(KEY) == held
    first.run(1)
    second.delivery.request_sync("admin", force=True)
    second.run(1)
    assert len(second.ofd.stored) == 2


def test_a_sync_longer_than_the_ttl_keeps_the_lock(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, _ = tills
    first.ofd.latency_s = 8.0
    first.sell(10)
    first.step()
    server.client().pexpire(KEY, 5_000)
    for _ in range(3):
        first.step()
    assert server.client().pttl(KEY) > 20_000


def test_a_lock_that_ran_out_in_the_middle_and_went_to_another_ends_the_sync(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, second = tills
    first.ofd.latency_s = second.ofd.latency_s = 8.0
    first.sell(5)
    first.step()
    server.expire(KEY)
    second.sell(5)
    second.step()
    for _ in range(3):
        first.step()
    sent = len(first.ofd.stored)
    assert sent < 5
    assert first.pending() == 5 - sent
    second.run(60)
    first.run(60)
    assert len(first.ofd.stored) == len(second.ofd.stored) == 5


def test_a_lock_that_ran_out_and_went_to_nobody_is_taken_again(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, _ = tills
    first.ofd.latency_s = 8.0
    first.sell(5)
    first.step()
    server.expire(KEY)
    first.run(60)
    assert len(first.ofd.stored) == 5
    assert "sync_lock_conflict" not in events(first, "sync_lock_conflict")


def test_nothing_waits_for_a_dead_owner_longer_than_its_ttl(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, second = tills
    first.sell(3)
    first.step()  # and never again: kill -9
    assert 0 < server.client().pttl(KEY) <= TTL_MS
    second.sell(3)
    second.step()
    assert second.ofd.stored == {}
    server.expire(KEY)
    second.run(10)
    assert len(second.ofd.stored) == 3


def test_a_stop_lets_the_lock_go(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    first, _ = tills
    first.sell(3)
    first.step()
    assert server.find(KEY) is not None
    first.delivery.close()
    assert server.find(KEY) is None


def test_tills_of_other_names_do_not_wait_for_one_another(server: RedisServer) -> None:
    clock = VirtualClock()
    for number in (1, 2):
        name = f"sync:POS-00{number}"
        lock = RedisLock(server.url, clock, timeout_ms=5_000)
        lock.hold(Lease(name, f"{name}:1", "me", "manual"), TTL_MS)
    with pytest.raises(LeaseHeld):
        RedisLock(server.url, clock, timeout_ms=5_000).hold(
            Lease("sync:POS-001", "sync:POS-001:2", "you", "manual"), TTL_MS
        )


def test_a_key_that_another_program_wrote_is_respected(server: RedisServer) -> None:
    server.client().set(KEY, "1", px=TTL_MS)
    lock = RedisLock(server.url, VirtualClock(), timeout_ms=5_000)
    mine = Lease(KEY, f"{KEY}:1", "me", "manual")
    with pytest.raises(LeaseHeld) as held:
        lock.hold(mine, TTL_MS)
    assert held.value.details == {"lock_id": KEY, "held_by": "another"}
    lock.release(mine)
    assert server.find(KEY) == "1"


# ---- Redis away -------------------------------------------------------------------------------


def test_redis_killed_in_the_middle_leaves_the_lease_and_is_logged_once(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    _, bench = tills
    bench.ofd.latency_s = 4.0
    bench.sell(30)
    bench.step()
    server.kill()
    bench.run(300)
    assert len(bench.ofd.stored) == 30
    assert events(bench, "redis_lost", "redis_restored") == ["redis_lost"]
    server.start()
    bench.run(AWAY_S)
    bench.sell(3)
    bench.step()
    assert server.find(KEY) is not None
    bench.run(60)
    assert len(bench.ofd.stored) == 33
    assert events(bench, "redis_lost", "redis_restored") == ["redis_lost", "redis_restored"]


def test_a_frozen_redis_costs_one_question_in_half_a_minute(
    tills: tuple[DeliveryBench, DeliveryBench], server: RedisServer
) -> None:
    _, bench = tills
    bench.sell()
    bench.run(1)
    server.freeze()
    began_s = time.monotonic()
    for _ in range(20):
        bench.sell()
        bench.run(1)
    assert time.monotonic() - began_s < FROZEN_S
    assert len(bench.ofd.stored) == 21
    assert len(events(bench, "redis_lost")) == 1
    server.thaw()
    bench.run(AWAY_S)
    bench.sell()
    bench.run(1)
    assert len(events(bench, "redis_restored")) == 1


def test_redis_that_was_never_there_costs_no_receipt(tmp_path: Path) -> None:
    bench = DeliveryBench(
        tmp_path,
        shared_lock=lambda clock: RedisLock("redis://127.0.0.1:1/0", clock, timeout_ms=TIMEOUT_MS),
    )
    bench.sell(3)
    bench.run(1)
    assert len(bench.ofd.stored) == 3
    bench.close()


def test_a_wrong_password_is_redis_away_and_a_right_one_is_read_anew(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, password="right-one")
    file = tmp_path / "password"
    file.write_text("wrong-one")
    bench = DeliveryBench(
        tmp_path,
        shared_lock=lambda clock: RedisLock(
            server.url, clock, timeout_ms=5_000, password=file.read_text
        ),
    )
    try:
        bench.sell()
        bench.run(1)
        assert len(events(bench, "redis_lost")) == 1
        assert "wrong-one" not in json.dumps(bench.lines("redis_lost"))
        file.write_text("right-one")
        bench.run(AWAY_S)
        bench.sell()
        bench.run(1)
        assert len(bench.ofd.stored) == 2
        assert len(events(bench, "redis_restored")) == 1
    finally:
        bench.close()
        server.close()


# ---- the daemon itself ------------------------------------------------------------------------


def lines(daemon: LiveDaemon, *names: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in daemon.log.read_text().splitlines() if "{" in line]
    return [line for line in found if line["event"] in names]


def test_two_daemons_of_one_till_and_a_manual_sync_between_them(tmp_path: Path) -> None:
    """§5.6: the second gets 409 and says by whom the lock is held."""
    server = RedisServer(tmp_path, password="sesame")
    url = server.url.replace("//", "//:sesame@")
    shops: list[tuple[LiveDaemon, LiveRig]] = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        rig = LiveRig(folder)
        shops.append((LiveDaemon(folder, rig, extra=f'[redis]\nurl = "{url}"\n'), rig))
    (first, first_rig), (second, _) = shops
    try:
        first.start()
        second.start()
        first_rig.fault("ofd", "latency", ms=6_000, path="/receipts")
        assert first.sell().status_code == 200
        first.wait_until(lambda: server.find(KEY) is not None)
        refused = second.ask("POST", "/v1/kkt/buffer/sync?force=true", role="supervisor")
        assert (refused.status_code, refused.json()["code"]) == (409, "SYNC_IN_PROGRESS")
        assert refused.json()["details"]["lock_id"].startswith(f"{KEY}:")
        told = lines(second, "sync_start", "sync_lock_conflict", "sync_rejected")
        assert [line["event"] for line in told] == [
            "sync_start",
            "sync_lock_conflict",
            "sync_rejected",
        ]
        assert told[1]["lock_id"] == refused.json()["details"]["lock_id"]
        first_rig.mend()
        second.wait_until(lambda: server.find(KEY) is None)
        taken = second.ask("POST", "/v1/kkt/buffer/sync?force=true", role="supervisor")
        assert taken.status_code == 202
        for daemon in (first, second):
            assert daemon.stop() == 0
            assert "sesame" not in daemon.log.read_text()
        assert server.find(KEY) is None
    finally:
        for daemon, rig in shops:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            rig.stop()
        server.close()


def test_a_till_without_redis_does_not_load_its_library(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.support.shop import Shop;"
        "Shop(Path(sys.argv[1])).run(60); sys.exit('redis' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**ENVIRONMENT, "PATH": "/usr/bin:/bin"},
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
