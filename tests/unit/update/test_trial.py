"""The check of a new version: what fails it, and what does not."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kktd.config import PrinterSettings, Settings
from kktd.update.dry_run import dry_run
from kktd.update.reasons import FAILURES
from kktd.update.trial import Failed, Trial, is_absent
from tests.support.clock import VirtualClock


class Daemon:
    """What the till answers on root's socket; silent without `health`."""

    def __init__(self, *, model: str | None = "ШТРИХ", disk: str = "healthy") -> None:
        self.ready = 200
        self.salvage: dict[str, Any] | None = None
        self.health: dict[str, Any] = {
            "components": {"disk": {"status": disk}, "printers": {"kkt": {"model": model}}}
        }

    def ask(self, path: str) -> tuple[int, Mapping[str, Any]]:
        if path == "/v1/ready":
            return self.ready, {}
        if path == "/v1/salvage":
            return 200, {"salvage": self.salvage}
        return 200, self.health


def silent(_: str) -> tuple[int, Mapping[str, Any]]:
    raise OSError("nobody")


class Hasty(VirtualClock):
    """Each look at it is ten seconds later."""

    def monotonic_s(self) -> float:
        self.advance(10.0)
        return super().monotonic_s()


def a_trial(daemon: Daemon, url: str = "serial:///dev/null") -> Trial:
    settings = Settings(printer=PrinterSettings(url=url))
    daemon.health["components"]["printers"] = {
        name: {"model": daemon.health["components"]["printers"]["kkt"]["model"]}
        for name in settings.lanes
    }
    return Trial(daemon.ask, settings, Hasty())


def reason_of(trial: Trial) -> str:
    with pytest.raises(Failed) as failed:
        trial.run()
    assert failed.value.reason in FAILURES
    return failed.value.reason


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kktd.update.trial.LOOK_S", 0.0)


def test_a_till_that_sells_passes() -> None:
    a_trial(Daemon()).run()


def test_a_silent_daemon_fails() -> None:
    assert reason_of(Trial(silent, Settings(), Hasty())) == "not_ready"


def test_a_daemon_that_never_gets_ready_fails() -> None:
    daemon = Daemon()
    daemon.ready = 503
    assert reason_of(a_trial(daemon)) == "not_ready"


def test_a_daemon_that_dies_again_and_again_is_not_waited_for() -> None:
    clock = VirtualClock()
    assert reason_of(Trial(silent, Settings(), clock, deaths=lambda: 5)) == "not_ready"


def test_a_failing_disk_and_a_salvaged_database_fail() -> None:
    assert reason_of(a_trial(Daemon(disk="unhealthy"))) == "database"
    daemon = Daemon()
    daemon.salvage = {"confirmed_by": None}
    assert reason_of(a_trial(daemon)) == "database"
    daemon.salvage = {"confirmed_by": "Иванов"}
    a_trial(daemon).run()


def test_a_printer_that_is_there_and_silent_fails_one_that_is_absent_does_not(
    tmp_path: Path,
) -> None:
    there = tmp_path / "kkt"
    assert reason_of(a_trial(Daemon(model=None), f"serial://{there.parent}")) == "printer"
    a_trial(Daemon(model=None), f"serial://{there}").run()


def test_a_till_with_nothing_to_go_back_to_does_not_ask_for_its_printer() -> None:
    daemon = Daemon(model=None)
    trial = a_trial(daemon)
    Trial(trial.ask, trial.settings, Hasty(), printer_counts=False).run()


def test_a_till_nobody_provisioned_proves_its_store_alone() -> None:
    Trial(silent, None, Hasty()).run()


def test_the_trial_receipt_goes_through_the_real_store(tmp_path: Path) -> None:
    dry_run(tmp_path, VirtualClock())
    assert (tmp_path / "trial.db").exists()


def test_a_store_that_cannot_write_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    assert reason_of(a_trial(Daemon())) == "dry_run"


def test_absent_is_no_device_or_nobody_at_the_address(tmp_path: Path) -> None:
    device = tmp_path / "1-1"
    device.mkdir()
    (device / "idVendor").write_text("0403\n")
    (device / "idProduct").write_text("6001\n")
    assert not is_absent("usb://0403:6001", tmp_path)
    assert not is_absent("usb://0403:6001/A1B2", tmp_path)
    assert is_absent("usb://1fc9:0089", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_absent(f"tcp://127.0.0.1:{port}")
    assert is_absent(f"tcp://127.0.0.1:{port}")
