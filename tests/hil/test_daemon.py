"""The daemon as systemd and an engineer meet it: READY, watchdog, stop, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.support.live import ENVIRONMENT, LiveDaemon, LiveRig
from tests.support.systemd import Systemd


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig)
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def _run(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kktd.daemon", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **ENVIRONMENT},
        check=False,
    )


def _refusal(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    assert line["event"] == "daemon_refused"
    return line


def test_systemd_hears_ready_the_watchdog_and_the_stop(
    shop: tuple[LiveDaemon, LiveRig], tmp_path: Path
) -> None:
    daemon, _ = shop
    systemd = Systemd(tmp_path / "notify")
    daemon.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    daemon.start()
    assert systemd.listen(10, "READY=1")
    assert systemd.listen(10, "WATCHDOG=1")
    assert systemd.listen(10, "STATUS=printer ready, buffer 0/200")
    daemon_ended = threading.Thread(target=daemon.stop)
    daemon_ended.start()
    assert systemd.listen(10, "STOPPING=1")
    daemon_ended.join(30)
    assert daemon.process is not None
    assert daemon.process.returncode == 0
    systemd.close()


def test_a_slow_printer_does_not_stop_the_petting(
    shop: tuple[LiveDaemon, LiveRig], tmp_path: Path
) -> None:
    daemon, rig = shop
    systemd = Systemd(tmp_path / "notify")
    daemon.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    daemon.start()
    assert daemon.sell().status_code == 200
    rig.fault("printer", "slow", ms=2_000, command="close_receipt", times=1)
    answers: list[requests.Response] = []
    cashier = threading.Thread(target=lambda: answers.append(daemon.sell()))
    cashier.start()
    petted = 0
    while cashier.is_alive():
        systemd.heard.clear()
        petted += systemd.listen(2, "WATCHDOG=1")
        assert not [line for line in systemd.heard if "late" in line]
    assert answers[0].status_code == 200
    assert petted >= 5  # of the ten that fit; a loaded machine may be slower
    systemd.close()


def test_sigterm_finishes_the_receipt_in_hand_and_answers_its_cashier(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, rig = shop
    daemon.start()
    assert daemon.sell().status_code == 200
    rig.fault("printer", "slow", ms=2_000, command="close_receipt", times=1)
    answers: list[requests.Response] = []
    cashier = threading.Thread(target=lambda: answers.append(daemon.sell("55.00")))
    cashier.start()
    time.sleep(0.8)
    assert daemon.stop() == 0
    cashier.join(20)
    assert answers[0].status_code == 200
    assert rig.fn_receipts()[-1]["total_kopecks"] == 55_00
    daemon.start()
    fd = answers[0].json()["fiscal_doc"]["fd"]
    assert fd == rig.fn_receipts()[-1]["fd"]
    assert len(rig.fn_receipts()) == 2


def test_a_daemon_that_is_stopping_takes_no_sale(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, rig = shop
    daemon.start()
    assert daemon.sell().status_code == 200
    rig.fault("printer", "slow", ms=2_500, command="close_receipt", times=1)
    cashier = threading.Thread(target=daemon.sell)
    cashier.start()
    time.sleep(0.5)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    late = daemon.sell("77.00")
    assert (late.status_code, late.json()["code"]) == (503, "SHUTTING_DOWN")
    assert late.headers["Retry-After"]
    cashier.join(20)
    assert daemon.process.wait(20) == 0
    assert len(rig.fn_receipts()) == 2


def test_a_second_daemon_on_the_same_database_is_refused(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, _ = shop
    daemon.start()
    done = _run(daemon.config)
    assert done.returncode == 78
    assert _refusal(done)["code"] == "ALREADY_RUNNING"
    assert daemon.sell().status_code == 200


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("[till\n", "line 1"),
        ("[buffer]\ncapacity = 0\n", "buffer.capacity"),
        ("[bufer]\n", "bufer"),
        ('[till]\ntimezone = "Mars/Base"\n', "timezone"),
        ("", "ofd.url"),
    ],
)
def test_a_bad_settings_file_is_refused_with_its_place(
    tmp_path: Path, wrong: str, said: str
) -> None:
    config = tmp_path / "kktd.toml"
    config.write_text(wrong)
    done = _run(config)
    assert done.returncode == 78
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken_is_named(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    with socket.create_server(("127.0.0.1", daemon.port)):
        done = _run(daemon.config)
    assert done.returncode == 1
    assert "Address already in use" in str(_refusal(done)["reason"])


def _open_files(pid: int) -> Iterator[str]:
    """Where its descriptors lead; one that is closed while we look leads nowhere."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(entry.readlink())


def test_nothing_listens_beyond_loopback(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    daemon.start()
    assert daemon.process is not None
    links = list(_open_files(daemon.process.pid))
    inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:")}
    listening = [
        line.split()
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[9] in inodes
    ]
    assert listening
    assert all(row[1].startswith("0100007F:") for row in listening)
