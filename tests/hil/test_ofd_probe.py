"""Procedure A.5, diagnosis, step 3: a direct test of the ОФД that touches no receipt."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.cli import main as kktctl
from kktd.clock import Deadline, SystemClock
from kktd.ofd.probe import Probe, Verdict
from tests.support.live import LiveDaemon, LiveRig

Shop = tuple[LiveDaemon, LiveRig]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("shop")
    rig = LiveRig(folder)
    daemon = LiveDaemon(folder, rig, ofd="recheck_s = 3600\n")
    daemon.start()
    yield daemon, rig
    daemon.kill()
    rig.stop()


@pytest.fixture(autouse=True)
def mended(shop: Shop) -> Iterator[None]:
    daemon, rig = shop
    yield
    rig.mend()
    (daemon.folder / "ofd.token").write_text(rig.ofd_token)


def probe(shop: Shop, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """As an engineer at the till; the exit status and what `--json` says."""
    daemon, _ = shop
    exit_code = kktctl.main(["ofd", "probe", "--json", "--socket", str(daemon.socket)])
    return exit_code, json.loads(capsys.readouterr().out)


def stages(seen: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(one["stage"], one["ok"]) for one in seen["stages"]]


def test_an_ofd_that_works_is_fine_at_every_stage(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rig = shop
    before = rig.get("/ofd/receipts")
    exit_code, seen = probe(shop, capsys)
    assert (exit_code, seen["verdict"], seen["status"]) == (0, "fine", 404)
    assert stages(seen) == [(name, True) for name in ("name", "connection", "answer", "key")]
    assert seen["host"] in rig.addresses["ofd"]
    assert rig.get("/ofd/receipts") == before


@pytest.mark.parametrize(
    ("fault", "verdict", "last"),
    [
        ({"fault": "refuse_connection"}, "no_connection", "connection"),
        ({"fault": "status", "code": 503}, "busy", "answer"),
        ({"fault": "status", "code": 429, "retry_after": 120}, "throttled", "answer"),
        ({"fault": "status", "code": 500}, "failing", "answer"),
        ({"fault": "status", "code": 403, "path": "/receipts"}, "key_refused", "key"),
    ],
)
def test_what_stands_in_the_way_is_named_with_its_stage(
    shop: Shop,
    capsys: pytest.CaptureFixture[str],
    fault: dict[str, Any],
    verdict: str,
    last: str,
) -> None:
    _, rig = shop
    rig.fault("ofd", **fault)
    exit_code, seen = probe(shop, capsys)
    assert (exit_code, seen["verdict"]) == (1, verdict)
    assert stages(seen)[-1] == (last, False)
    assert seen["message"]
    if verdict == "throttled":
        assert seen["retry_after"] == "120"


def test_a_key_that_expired_is_told_from_one_that_cannot_be_read(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon, _ = shop
    token = daemon.folder / "ofd.token"
    token.write_text("expired")
    assert probe(shop, capsys)[1]["verdict"] == "key_refused"
    token.unlink()
    assert probe(shop, capsys)[1]["verdict"] == "no_key"


def test_the_breaker_and_the_queue_do_not_notice(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon, rig = shop
    rig.fault("ofd", "status", code=503)
    assert daemon.sell().status_code == 200
    before = daemon.ask("GET", "/v1/health").json()["components"]["circuit_breaker"]
    for _ in range(6):
        assert probe(shop, capsys)[1]["verdict"] == "busy"
    after = daemon.ask("GET", "/v1/health").json()["components"]["circuit_breaker"]
    assert after["failure_count"] - before["failure_count"] <= 1  # the receipt's own
    assert after["state"] == "CLOSED"
    assert daemon.ask("POST", "/v1/ofd/probe", role="engineer").status_code == 404


def test_a_table_for_eyes_ends_with_what_to_do(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon, rig = shop
    assert kktctl.main(["ofd", "probe", "--socket", str(daemon.socket)]) == 0
    shown = capsys.readouterr().out
    assert rig.ofd_token not in shown
    assert "key" in shown
    assert shown.splitlines()[-1].startswith(("дальше", "next"))


def probe_within(url: str, ms: int) -> tuple[Verdict, float]:
    """The probe itself under a deadline of its own; how long it took (s)."""
    clock = SystemClock()
    began_s = clock.monotonic_s()
    seen = Probe(url, lambda: "key", None, clock, Deadline.after_ms(clock, ms)).run()
    return seen.verdict, clock.monotonic_s() - began_s


def test_a_name_that_nobody_has() -> None:
    assert probe_within("https://no-such-host.invalid/v1", 10_000)[0] is Verdict.NO_NAME


def test_what_never_answers_is_given_up_in_time(shop: Shop) -> None:
    _, rig = shop
    rig.fault("ofd", "hang", path="/receipts")
    verdict, took_s = probe_within(rig.addresses["ofd"], 500)
    assert verdict is Verdict.NO_ANSWER
    assert took_s < 5
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        verdict, took_s = probe_within(f"https://127.0.0.1:{deaf.getsockname()[1]}", 500)
    assert verdict is Verdict.NO_TLS
    assert took_s < 5
