"""Procedure A.5 of the guide, case by case, and A.1 case 4, with the running daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.cli import main as kktctl
from tests.support.live import LiveDaemon, LiveRig

QUICK = """
sync_interval_s = 5
recheck_s = 3600
backoff_initial_ms = 100
backoff_max_ms = 500
breaker_open_s = 2
probe_interval_s = 1
"""
Shop = tuple[LiveDaemon, LiveRig]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig, extra="[buffer]\ncapacity = 3\n", ofd=QUICK)
    daemon.start()
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def lines(daemon: LiveDaemon, *events: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in daemon.log.read_text().splitlines() if "{" in line]
    return [line for line in found if line["event"] in events]


def alerts(daemon: LiveDaemon) -> set[str]:
    status = daemon.ask("GET", "/v1/kkt/buffer/status").json()
    return {alert["name"] for alert in status["alerts"]}


def health(daemon: LiveDaemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.ask("GET", "/v1/health").json()["components"]
    return found


def pings(rig: LiveRig) -> int:
    return sum(1 for one in rig.get("/ofd/receipts") if one.get("outcome") == "ping")


def test_case_1_an_ofd_in_maintenance_comes_back_by_itself(shop: Shop) -> None:
    daemon, rig = shop
    rig.fault("ofd", "status", code=503)
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: health(daemon)["circuit_breaker"]["state"] == "OPEN")
    assert "CircuitBreakerOpen" in alerts(daemon)
    rig.mend()
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 1)
    daemon.wait_until(lambda: health(daemon)["circuit_breaker"]["state"] == "CLOSED")
    told = [line["event"] for line in lines(daemon, "circuit_breaker_opened", "ofd_send_success")]
    assert told[0] == "circuit_breaker_opened"
    assert told[-1] == "ofd_send_success"


@pytest.mark.parametrize("code", [401, 403])
def test_case_2_a_refused_key_stops_the_queue_with_an_alarm_until_it_is_renewed(
    shop: Shop, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon, rig = shop
    rig.fault("ofd", "status", code=code, path="/receipts")
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: lines(daemon, "ofd_stopped"))
    assert "OfdKeyRefused" in alerts(daemon)
    assert health(daemon)["ofd_connection"]["stopped_reason"].startswith(str(code))
    assert daemon.sell().status_code == 200
    assert len(lines(daemon, "ofd_send_failed")) == 1  # nobody knocks with a dead key
    root = ["--socket", str(daemon.socket)]
    assert kktctl.main(["ofd", "probe", *root]) == 1
    rig.mend()
    assert kktctl.main(["ofd", "probe", *root]) == 0
    # 3 and 4 of the guide: the breaker by hand, then a sync by hand.
    assert kktctl.main(["breaker", "reset", *root]) == 0
    assert kktctl.main(["sync", "--force", *root]) in (0, 1)  # 1: the reset has begun one
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 2)
    daemon.wait_until(lambda: "OfdKeyRefused" not in alerts(daemon))
    capsys.readouterr()


def test_case_2_a_new_key_in_its_file_is_enough(shop: Shop) -> None:
    daemon, rig = shop
    (daemon.folder / "ofd.token").write_text("expired")
    daemon.wait_until(lambda: lines(daemon, "ofd_token_changed"))
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: lines(daemon, "ofd_stopped"))
    (daemon.folder / "ofd.token").write_text(rig.ofd_token)
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 1)
    assert "OfdKeyRefused" not in alerts(daemon)
    for secret in ("expired", rig.ofd_token):
        assert secret not in daemon.log.read_text()


def test_case_3_an_overloaded_ofd_is_asked_less_and_the_till_says_so(shop: Shop) -> None:
    daemon, rig = shop
    rig.fault("ofd", "status", code=429, retry_after=2, path="/receipts", times=1)
    assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: lines(daemon, "ofd_throttled"))
    told = lines(daemon, "ofd_throttled")[0]
    assert (told["level"], told["retry_after_seconds"]) == ("WARN", 2)
    assert "OfdThrottled" in alerts(daemon)
    assert health(daemon)["ofd_connection"]["throttled"] is True
    assert health(daemon)["circuit_breaker"]["state"] == "CLOSED"
    logged = daemon.ask("GET", "/v1/kkt/buffer/logs", role="supervisor").json()["items"]
    assert "ofd_throttled" in [one["event"] for one in logged]
    for _ in range(2):
        assert daemon.sell().status_code == 200
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 3)
    metrics = daemon.ask("GET", "/metrics").text
    assert 'kkt_ofd_errors_total{error_code="429"' in metrics or 'error_code="429"' in metrics


def test_a_1_case_4_a_buffer_raised_from_200_to_300_sells_at_once(shop: Shop) -> None:
    daemon, rig = shop
    rig.fault("ofd", "refuse_connection")
    for _ in range(3):
        assert daemon.sell().status_code == 200
    assert daemon.sell().json()["code"] == "BUFFER_FULL"
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("capacity = 3", "capacity = 300"))
    daemon.wait_until(lambda: lines(daemon, "settings_applied"))
    assert daemon.sell().status_code == 200
    status = daemon.ask("GET", "/v1/kkt/buffer/status").json()
    assert (status["current_queued"], status["total_capacity"]) == (4, 300)
    rig.mend()
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 4)
