"""`kktctl power`: apcupsd's scripts end soon, whatever the daemon does."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from kktd.cli import main as kktctl
from kktd.cli import power
from kktd.cli.command import FINE, UNREACHABLE, WRONG_USE
from kktd.power.table import UpsEvent
from tests.support.api import ApiBench


def test_the_mains_are_shown(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = ApiBench(tmp_path, tmp_path_factory.mktemp("tls"))
    capsys.readouterr()
    asked = ["power", "status", "--json", "--socket", str(bench.socket_path)]
    assert kktctl.main(asked) == FINE
    assert json.loads(capsys.readouterr().out) == {
        "state": "mains",
        "since": None,
        "troubles": [],
        "closed": False,
    }
    assert bench.root("POST", "/v1/power/coffee", {}).code == "NOT_FOUND"
    bench.close()


@pytest.mark.parametrize("event", UpsEvent)
def test_a_daemon_that_hangs_holds_no_script_up(
    event: UpsEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "QUICK_S", 0.05)
    monkeypatch.setattr(power, "WAIT_S", 0.05)
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        assert kktctl.main(["power", event, "--socket", str(path)]) == UNREACHABLE


def test_an_event_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        kktctl.main(["power", "coffee", "--socket", str(tmp_path / "api.sock")])
    assert ended.value.code == WRONG_USE
