"""A real apcupsd between a simulated UPS and the real daemon: battery, low battery, mains back."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
import requests
from dev_api import ask_as_root

from kktd.power.table import DYING, POWER_OFF, UpsEvent
from tests.support.apcupsd import Apcupsd
from tests.support.live import LiveDaemon, LiveRig

OFF_S = 10.0  # from doshutdown to the power-off


@dataclass
class Bench:
    daemon: LiveDaemon
    rig: LiveRig
    apcupsd: Apcupsd

    def ups(self, **knobs: object) -> Any:
        return self.rig.tell("/ups", knobs)

    def mains_fail(self) -> None:
        self.ups(mains=False)
        self.apcupsd.wait("onbattery ended 0")

    @property
    def state(self) -> str:
        state: str = self.health()["components"]["power"]["state"]
        return state

    def health(self) -> Any:
        return self.daemon.session().get(f"{self.daemon.api}/v1/health", timeout=20).json()

    def metric(self, name: str) -> float:
        answer = self.daemon.session().get(f"{self.daemon.api}/metrics", timeout=20)
        line = next(one for one in answer.text.splitlines() if one.startswith(f"{name}{{"))
        return float(line.rpartition(" ")[2])

    def power(self) -> Any:
        return ask_as_root(self.daemon.socket, "GET", "/v1/power")[1]

    def turned_off(self) -> bool:
        return any(one.startswith("poweroff -h") for one in self.apcupsd.events())

    def ended(self, event: str) -> bool:
        return any(one.startswith(f"{event} ended") for one in self.apcupsd.events())

    def told(self) -> list[Any]:
        """What the daemon logged of power and UPS."""
        lines = map(json.loads, self.daemon.log.read_text(encoding="utf-8").splitlines())
        return [one for one in lines if one["event"].startswith(("power_", "ups_"))]

    def check_file(self) -> None:
        """Closed clean, the daemon still running: nothing in the WAL, every page whole."""
        file = self.daemon.folder / "till" / "kktd.db"
        wal = file.with_name("kktd.db-wal")
        assert not wal.exists() or wal.stat().st_size == 0
        db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        printed = db.execute(
            "SELECT fd FROM receipts WHERE print_state = 'printed' ORDER BY fd"
        ).fetchall()
        db.close()
        assert [fd for (fd,) in printed] == [one["fd"] for one in self.rig.fn_receipts()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    rig = LiveRig(tmp_path, "--ups-pty", str(tmp_path / "ups.tty"))
    daemon = LiveDaemon(tmp_path, rig)
    folder = tmp_path / "apcupsd"
    folder.mkdir()
    apcupsd = Apcupsd(folder, str(tmp_path / "ups.tty"), daemon.socket)
    with daemon.config.open("a", encoding="utf-8") as settings:
        settings.write(f'[power]\napcupsd = "127.0.0.1:{apcupsd.port}"\n')
    daemon.start()
    apcupsd.start()
    yield Bench(daemon, rig, apcupsd)
    apcupsd.close()
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def test_mains_fail_and_come_back_while_the_till_sells(bench: Bench) -> None:
    assert bench.daemon.sell().status_code == 200
    assert (bench.state, bench.metric("kkt_power_on_battery")) == ("mains", 0)
    bench.mains_fail()
    assert (bench.state, bench.metric("kkt_power_on_battery")) == ("on_battery", 1)
    assert bench.health()["status"] == "degraded"
    assert bench.daemon.sell().status_code == 200
    assert bench.daemon.stop() == 0
    bench.daemon.start()  # it asks apcupsd
    bench.daemon.wait_until(lambda: bench.state == "on_battery")
    bench.ups(mains=True)
    bench.apcupsd.wait("mainsback ended 0")
    assert (bench.state, bench.metric("kkt_power_on_battery")) == ("mains", 0)


def test_a_low_battery_ends_with_everything_on_disk_and_the_power_cut(bench: Bench) -> None:
    """The sale in hand is finished, the next refused; the UPS cuts; with the mains it goes on."""
    assert bench.daemon.sell().status_code == 200
    bench.mains_fail()
    bench.rig.fault("printer", "slow", ms=7_000, command="close_receipt", times=1)
    in_hand = bench.daemon.sell_in_background(str(uuid.uuid4()))
    bench.ups(charge_percent=19)
    bench.apcupsd.wait("loadlimit ended 0")
    began_s = time.monotonic()
    refused = bench.daemon.sell("77.00")
    assert (refused.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")
    assert refused.json()["message"].startswith("Питание от батареи: завершаем работу")
    bench.apcupsd.wait(bench.turned_off)
    assert time.monotonic() - began_s < OFF_S
    assert "doshutdown ended 0" in bench.apcupsd.events()
    bench.daemon.wait_until(lambda: bench.power()["closed"])
    bench.check_file()
    sold = in_hand.result(20)
    assert (sold.status_code, sold.json()["status"]) == (200, "printed")
    assert sold.json()["fiscal_doc"]["fd"] == bench.rig.fn_receipts()[-1]["fd"]
    late = bench.daemon.sell()
    assert (late.status_code, late.json()["code"]) == (503, "SHUTTING_DOWN")
    assert bench.daemon.stop() == 0
    bench.apcupsd.stop()
    assert bench.apcupsd.flag.exists()
    assert bench.apcupsd.call("killpower") == 0
    assert [one["command"] for one in bench.rig.get("/ups")["kills"]] == ["S"]
    bench.ups(mains=True, charge_percent=100)
    bench.daemon.start()
    assert bench.power()["state"] == "mains"
    assert bench.daemon.sell().status_code == 200


def test_mains_back_before_the_end_undo_it_and_apcupsd_watches_again(bench: Bench) -> None:
    """Paper that does not come keeps the till from closing for some seconds."""
    assert bench.daemon.sell().status_code == 200
    bench.rig.fault("printer", "paper_out", command="close_receipt", when="after", times=1)
    assert bench.daemon.sell().json()["paper"] == "pending"
    bench.mains_fail()
    bench.ups(charge_percent=19)
    bench.apcupsd.wait("doshutdown")
    bench.daemon.wait_until(lambda: bench.power()["state"] == "low")
    assert bench.apcupsd.call("mainsback") == 0  # apcupsd itself may be later than 5 s here
    bench.apcupsd.wait("doshutdown ended 99")
    bench.apcupsd.wait("systemctl --no-block try-restart apcupsd.service")
    bench.ups(mains=True, charge_percent=100)
    assert not bench.turned_off()
    bench.rig.mend()
    bench.apcupsd.stop()
    bench.apcupsd.start()
    assert not bench.apcupsd.flag.exists()
    bench.daemon.wait_until(lambda: bench.daemon.sell().status_code == 200)
    bench.ups(mains=False, charge_percent=19)
    bench.apcupsd.wait(bench.turned_off)
    bench.daemon.wait_until(lambda: bench.power()["closed"])
    bench.check_file()


@pytest.mark.parametrize("after_s", [0.3, 2.5])
def test_mains_back_at_any_moment_leave_nothing_half_done(bench: Bench, after_s: float) -> None:
    assert bench.daemon.sell().status_code == 200
    bench.mains_fail()
    bench.rig.fault("printer", "slow", ms=1_500, command="close_receipt", times=1)
    in_hand = bench.daemon.sell_in_background(str(uuid.uuid4()))
    bench.ups(charge_percent=19)
    bench.apcupsd.wait("loadlimit")
    time.sleep(after_s)  # the moment itself is what is tried
    bench.ups(mains=True, charge_percent=100)
    bench.apcupsd.wait("mainsback ended 0")
    bench.apcupsd.wait(lambda: bench.ended("doshutdown"))
    assert in_hand.result(20).json()["status"] == "printed"
    if "doshutdown ended 99" in bench.apcupsd.events():
        assert bench.power()["state"] == "mains"
        assert not bench.turned_off()
    else:
        bench.daemon.wait_until(lambda: bench.power()["closed"])
        bench.apcupsd.wait(bench.turned_off)
        bench.check_file()
        bench.daemon.stop()
        bench.apcupsd.stop()
        bench.daemon.start()
    assert bench.daemon.sell().status_code == 200


def test_the_ups_cuts_and_comes_back_when_the_mains_are_there_already(bench: Bench) -> None:
    """Else a till that went down for nothing would stay down."""
    bench.apcupsd.stop()
    assert bench.apcupsd.call("killpower") == 0
    assert bench.rig.get("/ups")["kills"] == []  # no shutdown of apcupsd's: an engineer's own
    bench.apcupsd.flag.touch()
    assert bench.apcupsd.call("killpower") == 0
    assert [one["command"] for one in bench.rig.get("/ups")["kills"]] == ["@000"]


def test_a_daemon_killed_while_it_closes_sells_after_the_next_start(bench: Bench) -> None:
    assert bench.daemon.sell().status_code == 200
    bench.rig.fault("printer", "slow", ms=1_500, command="close_receipt", times=1)
    in_hand = bench.daemon.sell_in_background(key := str(uuid.uuid4()))
    bench.daemon.wait_until(lambda: bench.health()["components"]["buffer"]["current_queued"])
    assert ask_as_root(bench.daemon.socket, "POST", "/v1/power/loadlimit")[0] == 200
    bench.daemon.kill()
    assert isinstance(in_hand.exception(20), requests.ConnectionError)
    bench.daemon.start()
    assert bench.power()["state"] == "mains"
    bench.daemon.wait_until(lambda: bench.daemon.sell("199.00", key=key).status_code == 200)
    assert bench.daemon.sell().status_code == 200
    assert bench.daemon.stop() == 0
    bench.check_file()


def test_every_event_of_apccontrol_reaches_the_till_and_goes_on(bench: Bench) -> None:
    for event in UpsEvent:
        if event not in (UpsEvent.KILLPOWER, *DYING):
            assert bench.apcupsd.call(event) == 0
            assert f"{event} ended 0" in bench.apcupsd.events()
    told = {line["facts"]["ups"] for line in bench.told() if line["facts"].get("ups")}
    assert told == set(UpsEvent) - {UpsEvent.KILLPOWER, *DYING}
    assert bench.power() == {**bench.power(), "state": "mains", "troubles": []}
    for event in DYING:
        if event not in (*POWER_OFF, UpsEvent.KILLPOWER):
            assert bench.apcupsd.call(event) == 0
    for event in POWER_OFF:
        assert bench.apcupsd.call(event) == 0
        assert f"{event} ended 0" in bench.apcupsd.events()
    assert bench.power()["closed"]
    assert len([one for one in bench.apcupsd.events() if one.startswith("poweroff")]) == 2


def test_a_silent_ups_is_a_warning_and_no_shutdown(bench: Bench) -> None:
    bench.ups(silent=True)
    bench.apcupsd.wait("commfailure ended 0")
    assert bench.health()["components"]["power"]["troubles"] == ["ups_silent"]
    assert bench.daemon.sell().status_code == 200
    bench.ups(silent=False)
    bench.apcupsd.wait("commok ended 0")
    assert bench.health()["components"]["power"]["troubles"] == []


def test_without_the_daemon_the_machine_goes_down_all_the_same(bench: Bench) -> None:
    bench.daemon.kill()
    assert bench.apcupsd.call("onbattery") == 0
    began_s = time.monotonic()
    assert bench.apcupsd.call("doshutdown") == 0
    assert bench.turned_off()
    assert time.monotonic() - began_s < OFF_S
    assert "doshutdown ended 3" in bench.apcupsd.events()


def test_the_ups_of_another_machine_is_heard_over_the_network(bench: Bench, tmp_path: Path) -> None:
    """This till's apcupsd asks the one with the cable; that one's scripts are not its own."""
    folder = tmp_path / "client"
    folder.mkdir()
    other = LiveDaemon(folder, bench.rig)
    other.start()
    client = Apcupsd(folder, f"127.0.0.1:{bench.apcupsd.port}", other.socket, "net")
    client.start()
    try:
        bench.ups(mains=False)
        client.wait("onbattery ended 0")
        bench.ups(charge_percent=19)
        client.wait(lambda: any(one.startswith("poweroff") for one in client.events()))
        assert "doshutdown ended 0" in client.events()
    finally:
        client.close()
        other.kill()
