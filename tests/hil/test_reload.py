"""Settings change under a running till: an edit holds at once, a mistake changes nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import LiveDaemon, LiveRig
from tests.support.systemd import Systemd

SMALL = "[buffer]\ncapacity = 3\n"
QUICK = "sync_interval_s = 5\nrecheck_s = 3600\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig, extra=SMALL, ofd=QUICK)
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def edit(daemon: LiveDaemon, was: str, becomes: str) -> None:
    """As an editor saves: a new file, renamed over the old one."""
    text = daemon.config.read_text()
    assert was in text
    new = daemon.config.with_suffix(".new")
    new.write_text(text.replace(was, becomes))
    new.replace(daemon.config)


def lines(daemon: LiveDaemon, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in daemon.log.read_text().splitlines() if "{" in line]
    return [line for line in found if line["event"] == event]


def fill(daemon: LiveDaemon) -> None:
    for _ in range(3):
        assert daemon.sell().status_code == 200
    full = daemon.sell()
    assert (full.status_code, full.json()["code"]) == (503, "BUFFER_FULL")


def test_a_larger_capacity_opens_a_full_till_at_once(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, rig = shop
    daemon.start()
    rig.fault("ofd", "status", code=503)
    fill(daemon)
    edit(daemon, "capacity = 3", "capacity = 5")
    daemon.wait_until(lambda: lines(daemon, "settings_applied"))
    assert daemon.sell().status_code == 200
    status = daemon.ask("GET", "/v1/kkt/buffer/status").json()
    assert (status["total_capacity"], status["current_queued"]) == (5, 4)
    assert lines(daemon, "settings_applied")[0]["changed"] == {"buffer.capacity": 5}


def test_a_bad_file_is_refused_with_its_line_and_the_till_sells_on(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, _ = shop
    daemon.start()
    edit(daemon, "capacity = 3", "capacity = many")
    daemon.wait_until(lambda: lines(daemon, "settings_refused"))
    assert "line" in lines(daemon, "settings_refused")[0]["facts"]["reason"]
    assert daemon.sell().status_code == 200
    assert daemon.ask("GET", "/v1/kkt/buffer/status").json()["total_capacity"] == 3
    edit(daemon, "capacity = many", "capacity = 4")
    daemon.wait_until(lambda: lines(daemon, "settings_applied"))
    assert daemon.ask("GET", "/v1/kkt/buffer/status").json()["total_capacity"] == 4


def test_what_needs_a_restart_is_named_and_not_applied(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    daemon.start()
    edit(daemon, "[printer]", 'origins = ["https://shop.example"]\nnames = ["pos-9"]\n[printer]')
    daemon.wait_until(lambda: lines(daemon, "settings_need_restart"))
    assert lines(daemon, "settings_need_restart")[0]["keys"] == ["api.names"]
    assert lines(daemon, "settings_applied")[0]["changed"] == {
        "api.origins": ["https://shop.example"]
    }
    assert daemon.sell().status_code == 200


def test_a_new_token_makes_delivery_go_on_at_once(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, rig = shop
    token = daemon.folder / "ofd.token"
    token.write_text("expired")
    daemon.start()
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: lines(daemon, "ofd_stopped"))
    assert rig.delivered_keys() == []
    token.write_text(rig.ofd_token)
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 1)
    assert lines(daemon, "ofd_token_changed")
    assert rig.ofd_token not in daemon.log.read_text()


def test_systemd_hears_the_beginning_and_the_end_of_a_reload_good_or_bad(
    shop: tuple[LiveDaemon, LiveRig], tmp_path: Path
) -> None:
    daemon, _ = shop
    systemd = Systemd(tmp_path / "notify")
    daemon.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    daemon.start()
    assert systemd.listen(10, "READY=1")
    assert daemon.process is not None
    for text in (daemon.config.read_text(), "[bufer]\n"):
        systemd.heard.clear()
        daemon.config.write_text(text)
        os.kill(daemon.process.pid, signal.SIGHUP)
        assert systemd.listen(10, "RELOADING=1")
        assert systemd.listen(10, "MONOTONIC_USEC=")
        assert systemd.listen(10, "READY=1")
    assert systemd.listen(10, "settings refused: line 1, key bufer")
    assert daemon.sell().status_code == 200
    systemd.close()


def test_sighup_reads_a_file_that_did_not_change(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    daemon.start()
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_until(lambda: lines(daemon, "settings_applied"))
    assert lines(daemon, "settings_applied")[0]["changed"] == {}
    assert daemon.process.poll() is None


def test_systemd_hears_that_a_receipt_is_being_finished(
    shop: tuple[LiveDaemon, LiveRig], tmp_path: Path
) -> None:
    daemon, rig = shop
    systemd = Systemd(tmp_path / "notify")
    daemon.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    daemon.start()
    assert daemon.sell().status_code == 200
    rig.fault("printer", "slow", ms=4_000, command="close_receipt", times=1)
    cashier = threading.Thread(target=daemon.sell)
    cashier.start()
    time.sleep(0.8)
    daemon_ended = threading.Thread(target=daemon.stop)
    daemon_ended.start()
    assert systemd.listen(10, "EXTEND_TIMEOUT_USEC=15000000")
    daemon_ended.join(30)
    cashier.join(30)
    assert len(rig.fn_receipts()) == 2
    systemd.close()
