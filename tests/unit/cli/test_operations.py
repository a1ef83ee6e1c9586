"""`kktctl shift` and `kktctl cash` against a till that listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.cli import main as kktctl
from tests.support.api import ApiBench


@pytest.fixture
def bench(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiBench]:
    made = ApiBench(tmp_path, tmp_path_factory.mktemp("tls"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "KKTD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def _run(bench: ApiBench, *arguments: str) -> int:
    return kktctl.main([*arguments, "--socket", str(bench.socket_path)])


def test_a_day_at_the_drawer(bench: ApiBench, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(bench, "shift", "open", "--cashier", "Иванова А. П.") == 0
    assert _run(bench, "cash", "in", "5000.07", "размен") == 0
    assert "in the drawer  5000.07" in capsys.readouterr().out
    assert _run(bench, "cash", "out", "5000.08", "инкассация") == 1
    assert "NOT_ENOUGH_CASH: Not enough cash" in capsys.readouterr().err
    assert _run(bench, "cash", "out", "5000.00", "инкассация", "--json") == 0
    assert json.loads(capsys.readouterr().out)["cash_balance"] == "0.07"
    assert _run(bench, "shift", "x") == 0
    assert "cash      0.07" in capsys.readouterr().out
    assert _run(bench, "shift", "z") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next      closed: hand over the cash"
    assert _run(bench, "shift", "z") == 1
    assert "SHIFT_CLOSED" in capsys.readouterr().err


def test_what_is_no_sum_is_refused_with_the_reason(
    bench: ApiBench, capsys: pytest.CaptureFixture[str]
) -> None:
    for amount in ("0", "1.234", "1e3", "-5"):
        assert (
            kktctl.main(["cash", "in", "--socket", str(bench.socket_path), "--", amount, "размен"])
            == 1
        )
        assert "INVALID" in capsys.readouterr().err
