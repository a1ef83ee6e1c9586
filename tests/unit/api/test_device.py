"""What engineers ask of the printer through the API and kktctl, and what they may change."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kktd.cli import main as kktctl
from kktd.store.tokens import Role
from tests.support.api import ApiBench, Reply


def _wait(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def _get(bench: ApiBench, path: str) -> Reply:
    return bench.lan("GET", f"/v1/printer/{path}", token=bench.token(Role.ENGINEER))


def _post(bench: ApiBench, path: str, body: Any, key: str | None = None) -> Reply:
    return bench.lan(
        "POST",
        f"/v1/printer/{path}",
        body,
        token=bench.token(Role.ENGINEER),
        key=key or str(uuid.uuid4()),
    )


def test_the_fn_and_its_documents_are_shown(bench: ApiBench) -> None:
    sold = bench.sell().body["fiscal_doc"]
    life = _get(bench, "fn").body
    assert (life["fn"], life["last_fd"]) == (sold["fn"], sold["fd"])
    assert life["documents_left"] > 100
    found = _get(bench, f"documents/{sold['fd']}").body
    assert (found["fp"], found["total"], found["type"]) == (sold["fp"], "199.00", "receipt")
    missing = _get(bench, "documents/100000")
    assert (missing.status, missing.code) == (404, "NOT_FOUND")


def test_registers_and_tables_are_shown_and_passwords_are_not(bench: ApiBench) -> None:
    assert bench.sell().status == 200
    assert int(_get(bench, "registers/operation/148").body["value"]) > 0
    assert "." in _get(bench, "registers/money/242").body["value"]
    assert _get(bench, "tables/17").body["fields"] > 30
    field = _get(bench, "tables/17/1/3").body
    assert (field["is_text"], field["value"].isdigit()) == (False, True)
    for refused in (_get(bench, "tables/2/30/1"), _post(bench, "tables/2/30/1", {"value": "1"})):
        assert (refused.status, refused.code) == (422, "PRINTER_REFUSED")
        assert "Пароли" in refused.body["message"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("tables/0", "table"),
        ("tables/256/1/1", "table"),
        ("tables/1/x/1", "row"),
        ("registers/other/1", "kind"),
        ("registers/money/70000", "number"),
        ("documents/0", "fd"),
        ("fn?printers=x", "printers"),
    ],
)
def test_what_is_no_place_names_its_field(bench: ApiBench, path: str, field: str) -> None:
    reply = _get(bench, path)
    assert (reply.status, reply.body["details"]["field"]) == (422, field)


def test_a_field_is_written_once_and_who_did_it_is_kept(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    first = _post(bench, "tables/2/1/2", {"value": "Петрова"}, key)
    assert (first.status, first.body["value"]) == (200, "Петрова")
    again = _post(bench, "tables/2/1/2", {"value": "Петрова"}, key)
    assert (again.body, again.headers["Idempotency-Replayed"]) == (first.body, "true")
    assert _get(bench, "tables/2/1/2").body["value"] == "Петрова"
    wrong = _post(bench, "tables/17/1/3", {"value": "много"})
    assert (wrong.status, wrong.code) == (422, "PRINTER_REFUSED")
    logs = bench.root("GET", "/v1/kkt/buffer/logs?limit=500").body["items"]
    (kept,) = [one for one in logs if one["event"] == "printer_table_written"]
    assert "user: test engineer" in kept["message"]


def test_the_clock_is_set_while_the_shift_is_closed(own_bench: ApiBench) -> None:
    assert own_bench.sell().status == 200
    assert abs(_get(own_bench, "clock").body["drift_seconds"]) < 4 * 3_600
    refused = _post(own_bench, "clock", {})
    assert (refused.status, refused.code) == (409, "SHIFT_OPEN")
    assert "закройте" in refused.body["message"]
    closed = own_bench.root("POST", "/v1/kkt/z_report", {"cashier": {"name": "Иванова"}})
    assert closed.status == 200
    before = own_bench._count("SELECT count(*) FROM pos_sessions")
    done = _post(own_bench, "clock", {})
    assert done.status == 200, done.body
    assert done.body["clock"][:10] == "2026-03-02"
    assert abs(_get(own_bench, "clock").body["drift_seconds"]) <= 2
    assert own_bench._count("SELECT count(*) FROM pos_sessions") == before, "no shift begins by it"


def test_a_busy_lane_is_not_waited_for(bench: ApiBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kktd.api.device.ANSWER_S", 0.05)
    with bench.paused():
        reply = _get(bench, "fn")
    assert (reply.status, reply.code) == (503, "PRINTER_UNAVAILABLE")
    assert reply.headers["Retry-After"]


def test_no_cashier_asks_the_device(bench: ApiBench) -> None:
    for role in (Role.CASHIER, Role.SUPERVISOR):
        for path in ("fn", "clock", "tables/1"):
            reply = bench.lan("GET", f"/v1/printer/{path}", token=bench.token(role))
            assert reply.status == 403


def test_health_and_metrics_show_the_fn_and_the_clock(bench: ApiBench) -> None:
    assert bench.sell().status == 200

    def fn() -> dict[str, Any]:
        part: dict[str, Any] = bench.lan("GET", "/v1/health").body["components"]["fn"]
        return part

    _wait(lambda: fn()["documents_left"] is not None)
    assert set(fn()) == {
        "serial",
        "documents_left",
        "expires",
        "days_left",
        "oldest_unsent",
        "oldest_unsent_seconds",
        "unsent_documents",
    }
    device = bench.lan("GET", "/v1/health").body["components"]["kkt_device"]
    assert isinstance(device["clock_drift_seconds"], float)
    text = bench.lan("GET", "/metrics").raw.decode()
    for name in (
        "kkt_fn_documents_left",
        "kkt_fn_expires_timestamp_seconds",
        "kkt_printer_clock_drift_seconds",
        "kkt_shift_age_seconds",
    ):
        assert f'{name}{{pos_id="POS-001"}}' in text


def test_kktctl_asks_and_sets(
    own_bench: ApiBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def run(*arguments: str) -> int:
        return kktctl.main(["printer", *arguments, "--socket", str(own_bench.socket_path)])

    assert run("fn", "--json") == 0
    assert json.loads(capsys.readouterr().out)["fn"]
    assert run("table", "2", "1", "2", "Сидорова") == 0
    assert run("table", "2", "1", "2") == 0
    assert "Сидорова" in capsys.readouterr().out
    assert run("table", "17") == 0
    assert run("register", "operation", "148") == 0
    assert run("document", "1") == 0
    assert run("document", "99999") == 1
    assert run("clock", "set") == 0
    assert run("clock") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert run("table", "2", "1") == 2
    assert run("register", "colour", "1") == 2


def test_the_paper_is_cut_once_for_a_key_and_makes_no_document(own_bench: ApiBench) -> None:
    bench, till, key = own_bench, own_bench.till, str(uuid.uuid4())
    assert till is not None
    bench.sell()
    before = till.printer.documents()
    heard = till.faults.add("printer", "slow", ms=1, command="cut")
    assert _post(bench, "cut", {}, key).body == {"printer": "kkt"}
    assert _post(bench, "cut", {}, key).status == 200
    assert heard.bitten == 1
    assert till.printer.documents() == before
    assert bench.lan("POST", "/v1/printer/cut", {}, token=bench.token(Role.CASHIER)).status == 403
    till.faults.add("printer", "unplug")
    away = _post(bench, "cut", {})
    assert (away.status, away.code) == (503, "PRINTER_UNAVAILABLE")


def test_a_probe_while_the_daemon_runs_asks_through_it(
    own_bench: ApiBench,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    sold = own_bench.sell().body["fiscal_doc"]
    config = tmp_path / "kktd.toml"
    config.write_text(f'[till]\nstate_dir = "{tmp_path}"\n[printer]\nurl = "tcp://127.0.0.1:9"\n')
    # The bench holds the lock of that folder, as the daemon does.
    command = ["printer", "probe", "--config", str(config), "--json"]
    assert kktctl.main([*command, "--socket", str(own_bench.socket_path)]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["fn"], seen["last_fd"], seen["shift"]) == (sold["fn"], sold["fd"], "open")
    assert kktctl.main([*command, "--socket", str(tmp_path / "none")]) == 3, (
        "the port is left alone"
    )
