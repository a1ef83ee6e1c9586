"""`kktctl config`: a settings file tried before it goes to a till."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kktd.cli import main as kktctl

GOOD = """
[printer]
password = 4711
[buffer]
capacity = 300
[ofd]
url = "https://ofd.example"
token_file = "/run/credentials/kktd.service/ofd"
[organisation]
inn = "7707083893"
address = "Москва, Тверская, 1"
"""


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "kktd.toml"
    made.write_text(GOOD, encoding="utf-8")
    return made


def test_a_good_file_is_fine(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kktctl.main(["config", "check", str(file)]) == 0
    assert "fine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("300", "0", "kktd.toml:5: buffer.capacity: outside 1..10000"),
        ("300", "many", "line 5"),
        ("[buffer]", "[bufer]", "kktd.toml:4: bufer: unknown section"),
        ('inn = "7707083893"', "", "organisation.inn: a setting is missing"),
    ],
)
def test_a_bad_file_is_named_with_line_key_and_reason(
    file: Path, capsys: pytest.CaptureFixture[str], was: str, becomes: str, said: str
) -> None:
    file.write_text(GOOD.replace(was, becomes), encoding="utf-8")
    assert kktctl.main(["config", "check", str(file)]) == 1
    assert said in capsys.readouterr().out


def test_a_file_that_is_not_there_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kktctl.main(["config", "check", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_a_refusal_for_scripts_carries_line_and_key(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(GOOD.replace("300", "0"), encoding="utf-8")
    assert kktctl.main(["config", "check", str(file), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["fine"], said["line"], said["key"]) == (False, 5, "buffer.capacity")


def test_show_prints_every_setting_and_no_secret(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kktctl.main(["config", "show", "--config", str(file)]) == 0
    lines = capsys.readouterr().out
    assert "buffer.capacity" in lines
    assert "300" in lines
    assert "ofd.sync_batch_size" in lines
    assert "4711" not in lines
    assert kktctl.main(["config", "show", str(file), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["buffer"]["capacity"] == 300
    assert shown["ofd"]["token_file"] == "/run/credentials/kktd.service/ofd"


def test_an_action_it_does_not_know_is_wrong_use() -> None:
    with pytest.raises(SystemExit) as caught:
        kktctl.main(["config", "mend"])
    assert caught.value.code == 2
