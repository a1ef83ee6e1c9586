"""`kktctl` against a till that listens: what it prints, what to do, how it exits."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kktd.cli import main as kktctl
from kktd.store.tokens import Role
from tests.support.api import ApiBench
from tests.unit.api.test_support import give_up


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiBench]:
    made = ApiBench(tmp_path_factory.mktemp("till"), tmp_path_factory.mktemp("tls"))
    made.sell()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "KKTD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def _run(bench: ApiBench, *arguments: str) -> int:
    return kktctl.main([*arguments, "--socket", str(bench.socket_path)])


def _last(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_status_is_three_lines_and_the_last_is_what_to_do(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bench, "status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("POS-001   shift 1 open   printer ready   FN 9999")
    assert re.fullmatch(r"buffer    \d+/200 \(\d+ %\)   OFD online   breaker CLOSED", lines[1])
    assert lines[2] == "next      all is well, nothing to do"


def test_status_speaks_russian(
    bench: ApiBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert _run(bench, "status") == 0
    assert _last(capsys.readouterr().out) == "дальше    всё в порядке, делать ничего не нужно"


def test_status_exits_1_and_says_why_when_the_till_cannot_sell(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    before = bench.settings
    bench.settings = replace(before, buffer=replace(before.buffer, capacity=1))
    try:
        assert _run(bench, "status") == 1
        assert "the offline buffer is full" in _last(capsys.readouterr().out)
        assert _run(bench, "buffer", "status") == 1
    finally:
        bench.settings = before


def test_json_is_one_value_and_nothing_else(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["status"], ["buffer", "status"], ["token", "list"], ["sync", "--force"]):
        assert _run(bench, *arguments, "--json") == 0
        assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_a_receipt_is_shown_cancelled_and_printed(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    sold = bench.sell().body["receipt_id"]
    assert _run(bench, "receipt", "show", sold) == 0
    shown = capsys.readouterr().out
    assert "199.00" in shown
    assert _last(shown) == "next      done, nothing to do"
    assert _run(bench, "receipt", "cancel", sold) == 1
    assert "TOO_LATE" in capsys.readouterr().err
    assert _run(bench, "receipt", "print", sold) == 0
    assert _run(bench, "receipt", "show", "nobody") == 1
    with bench.paused():
        bench.sell()  # the lane is about to print this one; the next waits behind it
        waiting = bench.sell().body["receipt_id"]
        assert _run(bench, "receipt", "show", waiting) == 0
        assert "Do not ring it up again" in _last(capsys.readouterr().out)
        assert _run(bench, "receipt", "cancel", waiting) == 0
        assert "cancelled" in _last(capsys.readouterr().out)


def test_a_token_is_made_listed_and_revoked(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bench, "token", "create", "engineer", "Petrov") == 0
    token = capsys.readouterr().out.splitlines()[0]
    assert bench.lan("GET", "/v1/kkt/session/POS-001", token=token).status == 200
    assert _run(bench, "token", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["tokens"]
    made = next(one for one in listed if one["name"] == "Petrov")
    assert _run(bench, "token", "revoke", made["id"]) == 0
    assert bench.lan("GET", "/v1/kkt/session/POS-001", token=token).status == 401


def test_sync_and_breaker_reset_ask_the_daemon(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bench, "buffer", "sync") == 0
    assert bench.delivery.asked[-1] == (False, "root")
    assert _run(bench, "sync", "--force") == 0
    assert bench.delivery.asked[-1] == (True, "root")
    assert _run(bench, "breaker", "reset") == 0
    assert "CLOSED" in capsys.readouterr().out


def test_from_afar_it_needs_the_ca_and_a_token(
    bench: ApiBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ["--url", f"https://localhost:{bench.lan_port}"]
    ca = ["--cacert", str(bench.certificates / "ca.pem")]
    assert kktctl.main(["status", *url]) == 3
    assert kktctl.main(["status", *url, *ca]) == 0
    assert kktctl.main(["sync", *url, *ca]) == 1
    assert "UNAUTHORIZED" in capsys.readouterr().err
    secret = tmp_path / "token"
    secret.write_text(bench.token(Role.SUPERVISOR) + "\n")
    assert kktctl.main(["sync", *url, *ca, "--token-file", str(secret)]) == 0
    assert kktctl.main(["sync", *url, *ca, "--token-file", str(tmp_path / "none")]) == 2


def test_the_socket_comes_from_the_settings(bench: ApiBench, tmp_path: Path) -> None:
    config = tmp_path / "kktd.toml"
    config.write_text(f'[api]\nsocket = "{bench.socket_path}"\n')
    assert kktctl.main(["status", "--config", str(config)]) == 0


def test_exit_codes_for_wrong_use_and_a_daemon_that_is_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kktctl.main(["status", "--socket", str(tmp_path / "none")]) == 3
    assert _last(capsys.readouterr().out).startswith("next      kktd does not answer")
    assert kktctl.main(["token", "create", "king", "x"]) == 2
    for wrong in ([], ["dance"], ["receipt", "eat", "1"]):
        with pytest.raises(SystemExit) as stopped:
            kktctl.main(wrong)
        assert stopped.value.code == 2


def test_a_probe_of_another_port_stays_away_while_the_daemon_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "kktd.toml"
    config.write_text(f'[till]\nstate_dir = "{tmp_path}"\n[printer]\nurl = "tcp://127.0.0.1:9"\n')
    lock = os.open(tmp_path / "kktd.db.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = ["--port", "tcp://127.0.0.1:9"]
        assert kktctl.main(["printer", "probe", "--config", str(config), *other]) == 1
        assert "systemctl stop kktd" in _last(capsys.readouterr().out)
    finally:
        os.close(lock)
    assert kktctl.main(["printer", "probe", "--config", str(config)]) == 1
    assert _last(capsys.readouterr().out) == "next      Check the printer's cable and power."
    config.write_text("[printer]\ncolour = 1\n")
    assert kktctl.main(["printer", "probe", "--config", str(config)]) == 2


def test_maintenance_is_switched_on_and_off(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bench, "maintenance", "on", "replacing", "the FN", "--minutes", "45") == 0
    shown = capsys.readouterr().out
    assert "no sales: replacing the FN" in shown
    assert "kktctl maintenance off" in _last(shown)
    assert bench.sell().code == "MAINTENANCE"
    assert _run(bench, "status") == 1
    assert "replacing the FN" in _last(capsys.readouterr().out)
    assert _run(bench, "maintenance", "off") == 0
    assert _last(capsys.readouterr().out) == "next      sales are open, check: kktctl status"
    assert _run(bench, "maintenance", "on") == 2
    assert _run(bench, "maintenance", "on", "x", "--minutes", "0") == 1


def test_the_dlq_is_listed_shown_and_closed(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bench, "dlq", "list") == 0
    assert _last(capsys.readouterr().out) == "next      nothing to do"
    _, first = give_up(bench)
    _, second = give_up(bench)
    capsys.readouterr()
    assert _run(bench, "dlq", "list") == 1
    listed = capsys.readouterr().out
    assert first in listed
    assert "422 wrong tag" in listed
    assert _last(listed) == "next      mend the cause, then: kktctl dlq retry ID"
    assert _run(bench, "dlq", "show", first) == 1
    assert f"retry {first}" in _last(capsys.readouterr().out)
    assert _run(bench, "dlq", "retry", first) == 0
    assert "kktctl receipt show" in _last(capsys.readouterr().out)
    assert _run(bench, "dlq", "resolve", second, "sent", "by hand", "--by", "Petrov") == 0
    capsys.readouterr()
    assert _run(bench, "dlq", "show", second, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["resolved_by"], shown["note"]) == ("Petrov", "sent by hand")
    assert _run(bench, "dlq", "retry", second) == 1
    assert "was closed before" in capsys.readouterr().err
    assert _run(bench, "dlq", "show", "nobody") == 1
    assert _run(bench, "dlq", "resolve", second) == 2


def test_logs_end_with_the_newest(
    bench: ApiBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sell()
    capsys.readouterr()
    assert _run(bench, "logs", "--limit", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "A receipt is registered, the FN holds it." in lines[1]
    assert lines[2].startswith("next      2 of ")
    assert _run(bench, "logs", "--level", "LOUD") == 1
    assert "INVALID" in capsys.readouterr().err
    assert _run(bench, "logs", "--level", "critical", "--since", "2099-01-01", "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"] == []
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert _run(bench, "logs", "--limit", "500") == 0
    assert _last(capsys.readouterr().out) == "дальше    это всё; следить: kktctl logs -f"


def test_logs_are_followed_until_ctrl_c(bench: ApiBench) -> None:
    command = [sys.executable, "-m", "kktd.cli.main", "logs", "-f", "--json", "--limit", "1"]
    command += ["--socket", str(bench.socket_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        first = json.loads(following.stdout.readline())
        sold = bench.sell().body["receipt_id"]
        found = [json.loads(following.stdout.readline()) for _ in range(2)]
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 0
    assert [one["receipt_id"] for one in found] == [sold, sold]
    assert first["id"] < found[0]["id"] < found[1]["id"]


def test_every_command_has_a_line_of_help_in_both_languages() -> None:
    commands = kktctl.find_commands()
    assert commands.keys() >= {"breaker", "buffer", "dlq", "logs", "maintenance", "printer"}
    assert commands.keys() >= {"receipt", "status", "sync", "token"}
    for command in commands.values():
        russian, english = command.HELP
        assert english.isascii()
        assert not russian.isascii()
