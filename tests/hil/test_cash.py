"""Cash, X-report and drawer over HTTPS: daemon and registrar in processes of their own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.live import LiveDaemon, LiveRig

CASHIER = {"cashier": {"name": "Петрова А."}}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig)
    daemon.start()
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def _move(daemon: LiveDaemon, way: str, rubles: str, key: str | None = None) -> requests.Response:
    body = {"amount": rubles, "reason": "размен", **CASHIER}
    return daemon.ask("POST", f"/v1/kkt/cash_{way}", body, role="supervisor", key=key)


def _device_cash(rig: LiveRig) -> Any:
    return rig.get("/fn/status")["cash_kopecks"]


def test_a_day_s_cash_agrees_with_the_device_to_the_kopeck(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, rig = shop
    assert daemon.ask("POST", "/v1/kkt/shift/open", CASHIER).status_code == 200
    assert _move(daemon, "in", "5000.07").json()["cash_balance"] == "5000.07"
    assert daemon.sell("199.00").status_code == 200
    short = _move(daemon, "out", "5199.08")
    assert (short.status_code, short.json()["code"]) == (409, "NOT_ENOUGH_CASH")
    assert _move(daemon, "out", "5000.00").json()["cash_balance"] == "199.07"
    assert _device_cash(rig) == 199_07
    x_report = daemon.ask("POST", "/v1/kkt/x_report", CASHIER).json()
    assert (x_report["report_type"], x_report["cash_total"]) == (1, "199.07")
    assert daemon.ask("POST", "/v1/kkt/drawer", {}).status_code == 200
    z_report = daemon.ask("POST", "/v1/kkt/z_report", CASHIER, role="supervisor").json()
    assert (z_report["report_type"], z_report["cash_total"]) == (2, "199.07")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_registrar_that_loses_power_in_a_cash_in_has_counted_what_the_till_says(
    shop: tuple[LiveDaemon, LiveRig], when: str
) -> None:
    daemon, rig = shop
    assert daemon.ask("POST", "/v1/kkt/shift/open", CASHIER).status_code == 200
    rig.fault("printer", "power_cut", 1, command="cash_in", when=when)
    key = str(uuid.uuid4())
    daemon.wait_until(lambda: _move(daemon, "in", "77.00", key).status_code != 202)
    answer = _move(daemon, "in", "77.00", key)
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.status_code == (200 if when == "after" else 422)
    if when == "before":
        assert _move(daemon, "in", "77.00").status_code == 200
    assert _device_cash(rig) == 77_00
    session = daemon.ask("GET", "/v1/kkt/session/POS-001", role="supervisor").json()
    assert session["balances"]["cash"] == "77.00"


def test_a_kill_in_the_middle_of_a_cash_out_pays_once(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, rig = shop
    assert daemon.ask("POST", "/v1/kkt/shift/open", CASHIER).status_code == 200
    assert _move(daemon, "in", "100.00").status_code == 200
    rig.fault("printer", "slow", 1, ms=1_500, command="cash_out")
    key = str(uuid.uuid4())
    with pytest.raises(requests.RequestException):
        _ask_and_kill(daemon, key)
    daemon.start()
    daemon.wait_until(lambda: _move(daemon, "out", "30.00", key).status_code != 202)
    if _move(daemon, "out", "30.00", key).status_code == 422:
        assert _move(daemon, "out", "30.00").status_code == 200
    assert _device_cash(rig) == 70_00
    session = daemon.ask("GET", "/v1/kkt/session/POS-001", role="supervisor").json()
    assert session["balances"]["cash"] == "70.00"


def _ask_and_kill(daemon: LiveDaemon, key: str) -> None:
    killer = threading.Timer(0.7, daemon.kill)
    killer.start()
    try:
        _move(daemon, "out", "30.00", key)
    finally:
        killer.join()
