"""Settings from a stick: whole or not at all, wiped where they were taken, the same after a cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from kktd.cli.main import main
from kktd.errors import BadConfig
from kktd.provision import Place, host_name, take
from kktd.settings_file import load, parse

GOOD = """\
[till]
pos_ids = ["POS-001"]
[ofd]
url = "https://ofd.example/v1"
token_file = "/etc/kktd/secrets/ofd.token"
[organisation]
inn = "9706048530"
address = "Москва"
"""


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick" / "kktd"
    (folder / "secrets").mkdir(parents=True)
    (folder / "kktd.toml").write_text(GOOD, encoding="utf-8")
    (folder / "secrets" / "ofd.token").write_bytes(b"s3cret")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "etc"
    folder.mkdir()
    return Place(folder, group=None)


def test_a_stick_is_taken_whole(stick: Path, place: Place) -> None:
    settings = take(stick, place)
    assert settings is not None
    assert load(place.folder / "kktd.toml") == settings
    secret = place.folder / "secrets" / "ofd.token"
    assert secret.read_bytes() == b"s3cret"
    assert [one.stat().st_mode & 0o777 for one in (secret, place.folder / "kktd.toml")] == [
        0o640
    ] * 2


def test_the_daemon_reads_it_whatever_the_umask(stick: Path, place: Place) -> None:
    was = os.umask(0o077)
    try:
        take(stick, place)
    finally:
        os.umask(was)
    assert (place.folder / "secrets").stat().st_mode & 0o777 == 0o750
    assert (place.folder / "kktd.toml").stat().st_mode & 0o777 == 0o640


def test_what_was_taken_is_wiped_from_the_stick(stick: Path, place: Place) -> None:
    take(stick, place)
    assert sorted(one.name for one in stick.iterdir()) == ["kktd.toml.taken"]
    assert take(stick, place) is None


def test_nothing_on_a_stick_changes_nothing(tmp_path: Path, place: Place) -> None:
    assert take(tmp_path, place) is None
    assert list(place.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD.replace('"https://ofd.example/v1"', "7"), "ofd.url"),
        (GOOD.replace("[ofd]", "[odf]"), "odf"),
        (GOOD.replace("secrets/ofd.token", "secrets/other.token"), "ofd.token_file"),
        (GOOD.replace("/etc/kktd/secrets/", "/home/"), "ofd.token_file"),
        (GOOD.replace('inn = "9706048530"', ""), "organisation.inn"),
    ],
)
def test_a_bad_file_is_refused_with_its_key_and_nothing_is_touched(
    stick: Path, place: Place, text: str, key: str
) -> None:
    (stick / "kktd.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig) as caught:
        take(stick, place)
    assert caught.value.details["key"] == key
    assert list(place.folder.iterdir()) == []
    assert (stick / "secrets" / "ofd.token").read_bytes() == b"s3cret"


def test_a_secret_that_is_on_the_till_need_not_come_again(stick: Path, place: Place) -> None:
    take(stick, place)
    (stick / "kktd.toml").write_text(GOOD.replace("Москва", "Казань"), encoding="utf-8")
    settings = take(stick, place)
    assert settings is not None
    assert settings.organisation.address == "Казань"
    assert (place.folder / "secrets" / "ofd.token").read_bytes() == b"s3cret"


def test_a_cut_after_any_file_is_made_good_by_the_next_boot(
    stick: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename is a moment where the power may go; the next boot takes the same stick."""
    rename = Path.replace
    done: list[Path] = []

    def cut(self: Path, target: Path) -> Path:
        if len(done) >= allowed:
            raise KeyboardInterrupt
        done.append(self)
        return rename(self, target)

    for allowed in range(4):
        done.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", cut)
            try:
                take(stick, place)
            except KeyboardInterrupt:
                provisioned = (place.folder / "kktd.toml").is_file()
                assert provisioned == (allowed >= 2), "settings stand only with their secrets"
    assert load(place.folder / "kktd.toml").till.pos_ids == ("POS-001",)
    assert sorted(one.name for one in stick.iterdir()) == ["kktd.toml.taken"]


def test_a_cut_while_the_stick_is_wiped_leaves_the_tills_secret_as_it_was(
    tmp_path: Path, stick: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes after each flush in turn; the next boot finds the same stick."""
    flush, secret = os.fsync, place.folder / "secrets" / "ofd.token"
    for allowed in range(12):
        flushed = 0

        def cut(fd: int) -> None:
            nonlocal flushed
            flush(fd)
            flushed += 1
            if flushed > allowed:  # noqa: B023 - called within its round
                raise KeyboardInterrupt

        (stick / "secrets").mkdir(exist_ok=True)
        (stick / "secrets" / "ofd.token").write_bytes(b"s3cret")
        (stick / "kktd.toml").write_text(GOOD, encoding="utf-8")
        with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
            patched.setattr(os, "fsync", cut)
            take(stick, place)
        take(stick, place)
        assert secret.read_bytes() == b"s3cret", allowed
        assert [one.name for one in stick.iterdir()] == ["kktd.toml.taken"], allowed


def test_the_command_says_what_to_do(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stick / "kktd.toml").write_text("[till]\npos_ids = []", encoding="utf-8")
    config = tmp_path / "etc" / "kktd.toml"
    assert main(["provision", "--config", str(config), str(tmp_path / "none"), str(stick)]) == 1
    said = capsys.readouterr().out
    assert "till.pos_ids" in said
    assert "KKTD" in said


@pytest.mark.parametrize(
    ("pos_id", "name"), [("POS-001", "pos-001"), ("касса_7", "7"), ("___", "till"), ("A.b", "a-b")]
)
def test_the_host_is_named_after_its_till(pos_id: str, name: str) -> None:
    assert host_name(parse(f'[till]\npos_ids = ["{pos_id}"]')) == name
