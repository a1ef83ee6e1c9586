"""The webhook and Alertmanager's API over real HTTP, and what a bad receiver costs: little."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rig.duty import RESOLVE_TIMEOUT_S, SimulatedDuty
from rig.faults import Faults

from kktd import log
from kktd.alerts import channels
from kktd.alerts.channels import Alertmanager, Poster, Webhook
from kktd.alerts.outbox import Channel, Raised
from kktd.alerts.table import ALERTS
from kktd.alerts.watch import TEST
from kktd.clock import SystemClock

TOKEN = "tell-nobody"
NOW_S = 1_790_000_000.0
FIRING = Raised(ALERTS[0], NOW_S)
ENDED = Raised(ALERTS[0], NOW_S, NOW_S + 60)


class Bench:
    """Both channels, at a duty desk of memory whose clock a test sets."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.wall_s = NOW_S
        self.duty = SimulatedDuty(self.faults, TOKEN, lambda: self.wall_s)
        self.token = TOKEN
        self.log = io.StringIO()
        log.configure(self.log)
        self.webhook = Webhook(self.poster(self.duty.hook_url), "POS-001")
        self.alertmanager = Alertmanager(
            self.poster(f"{self.duty.alertmanager_url}/api/v2/alerts"), "POS-001"
        )

    def poster(self, url: str) -> Poster:
        return Poster(url, lambda: self.token, SystemClock())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.webhook.close()
    made.alertmanager.close()
    made.duty.close()
    log.configure()


def test_the_webhook_gets_one_post_with_all_the_news(bench: Bench) -> None:
    assert bench.webhook.send([FIRING, Raised(TEST, NOW_S, NOW_S)], [FIRING])
    (body,) = bench.duty.posts()
    assert body["pos_id"] == "POS-001"
    first, second = body["alerts"]
    assert first == {
        "name": "OfflineBufferFull",
        "level": "P1",
        "status": "firing",
        "message": ALERTS[0].ru,
        "procedure": "A.1",
        "since": "2026-09-21T14:13:20.000Z",
    }
    assert (second["name"], second["status"]) == ("TestAlert", "resolved")


def test_the_webhook_hears_no_repeats(bench: Bench) -> None:
    assert bench.webhook.send([], [FIRING])
    assert bench.duty.posts() == []


@pytest.mark.parametrize("till_ahead_s", [0, 600, -600, -NOW_S])
def test_alertmanager_holds_an_alert_while_it_is_repeated_whatever_our_clock_says(
    bench: Bench, till_ahead_s: float
) -> None:
    raised = Raised(ALERTS[0], NOW_S + till_ahead_s)
    for _ in range(10):
        assert bench.alertmanager.send([], [raised])
        assert bench.duty.active() == ["OfflineBufferFull"]
        bench.wall_s += 60
    (row,) = bench.duty.alerts()
    assert row["starts_s"] == NOW_S  # the first beginning is kept
    assert row["labels"] == {
        "alertname": "OfflineBufferFull",
        "severity": "P1",
        "pos_id": "POS-001",
    }
    assert row["annotations"]["procedure"] == "A.1"


def test_alertmanager_hears_of_the_end(bench: Bench) -> None:
    assert bench.alertmanager.send([FIRING], [FIRING])
    bench.wall_s += 60
    assert bench.alertmanager.send([ENDED], [])
    assert bench.duty.active() == []


def test_the_alerts_of_a_dead_till_end(bench: Bench) -> None:
    assert bench.alertmanager.send([FIRING], [FIRING])
    bench.wall_s += RESOLVE_TIMEOUT_S + 1
    assert bench.duty.active() == []


def broken(faults: Faults, fault: str) -> None:
    settings = {"status": {"code": 500}, "latency": {"ms": 60_000}}.get(fault, {})
    faults.add("duty", fault, None, **settings)


@pytest.mark.parametrize("which", ["webhook", "alertmanager"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("refuse_connection", "ConnectionRefused"),
        ("status", "500 Internal Server Error"),
        ("lose_answer", "ConnectionClosed"),
        ("hang", "Timeout"),  # of the answer; on a loaded machine even of the connection
        ("latency", "Timeout"),
    ],
)
def test_a_bad_receiver_costs_one_timeout_and_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, which: str, fault: str, error: str
) -> None:
    patience_ms = channels.TIMEOUT_MS
    monkeypatch.setattr(channels, "TIMEOUT_MS", 300)
    channel: Channel = getattr(bench, which)
    broken(bench.faults, fault)
    many = [Raised(alert, NOW_S) for alert in ALERTS]
    began_s = time.monotonic()
    assert not channel.send(many, many)
    assert time.monotonic() - began_s < 0.3 * len(many)  # one call for all, not a time-out each
    assert not channel.send(many, many)
    (line,) = bench.lines()
    assert (line["event"], line["channel"]) == ("alert_unsent", which)
    assert line["error"].endswith(error)
    bench.faults.clear()
    monkeypatch.setattr(channels, "TIMEOUT_MS", patience_ms)
    assert channel.send(many, many)
    assert len(bench.lines()) == 1


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("another-token", "401 Unauthorized"),
        ("", "token: none, or no text a header can carry"),
        ("bad\ntoken-text", "token: none, or no text a header can carry"),
    ],
)
def test_a_token_is_never_logged(bench: Bench, token: str, error: str) -> None:
    bench.token = token
    assert not bench.webhook.send([FIRING], [FIRING])
    assert bench.lines()[0]["error"] == error
    assert "token-text" not in bench.log.getvalue()
    assert "another-token" not in bench.log.getvalue()
    bench.token = TOKEN  # it was renewed: read anew at each call
    assert bench.webhook.send([FIRING], [FIRING])


# ---- the real one -------------------------------------------------------------------------------


@pytest.fixture
def real_alertmanager(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("apt-get install prometheus-alertmanager: the stand-in was compared with it")
    (tmp_path / "am.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    child = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: bool(fetch(f"{url}/api/v2/status")))
        yield url
    finally:
        child.terminate()
        child.wait(20)


def fetch(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a port of ours
            return json.load(answer)
    except OSError:
        return None


def until(so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.parametrize("till_ahead_s", [0, 600, -NOW_S])
def test_the_real_alertmanager_takes_holds_and_ends_them(
    real_alertmanager: str, till_ahead_s: float
) -> None:
    poster = Poster(f"{real_alertmanager}/api/v2/alerts", None, SystemClock())
    channel = Alertmanager(poster, "POS-001")
    since_s = SystemClock().wall_s() + till_ahead_s if till_ahead_s > -NOW_S else 0.0
    standing = [Raised(alert, since_s) for alert in ALERTS]
    assert channel.send(standing, standing)
    assert channel.send([], standing)

    def active() -> dict[str, Any]:
        found = fetch(f"{real_alertmanager}/api/v2/alerts?active=true") or []
        return {row["labels"]["alertname"]: row for row in found}

    until(lambda: len(active()) == len(ALERTS))
    row = active()["OfflineBufferFull"]
    assert row["labels"]["severity"] == "P1"
    assert row["annotations"]["description"] == ALERTS[0].ru
    if till_ahead_s <= 0:  # of a clock ahead it waits for that moment
        ended = [Raised(one.alert, one.since_s, one.since_s + 0.001) for one in standing]
        assert channel.send(ended, [])
        until(lambda: not active())
    channel.close()
