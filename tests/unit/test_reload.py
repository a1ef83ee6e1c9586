"""Reloading: real inotify on a folder, a virtual clock, a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.config import Settings
from kktd.reload import AFRESH_S, LOOK_S, QUIET_MAX_S, QUIET_S, FolderWatch, Reloader
from kktd.settings_file import load
from kktd.store.store import Store
from tests.support.clock import VirtualClock

COMPLETE = """
[api]
listen = "127.0.0.1:8443"
[ofd]
url = "https://ofd.example"
token_file = "{token}"
[organisation]
inn = "7707083893"
address = "Москва, Тверская, 1"
[buffer]
capacity = {capacity}
"""


class Till:
    """A reloader and what it told others."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "kktd.toml"
        self.token = folder / "ofd.token"
        self.token.write_text("first")
        self.write(200)
        self.clock = VirtualClock()
        (folder / "db").mkdir()
        self.store = Store(folder / "db" / "kktd.db")
        self.used: list[Settings] = []
        self.tokens = 0
        self.told: list[str] = []
        self.reloader = Reloader(
            self.file,
            load(self.file),
            self.clock,
            self.store,
            use=self.used.append,
            token_changed=self._count_token,
            tell_systemd=self.told.append,
        )
        self.run(1.0)

    def _count_token(self) -> None:
        self.tokens += 1

    def write(self, capacity: object, more: str = "") -> None:
        self.file.write_text(COMPLETE.format(token=self.token, capacity=capacity) + more)

    def run(self, seconds: float) -> None:
        """Steps as its worker makes them."""
        until_s = self.clock.monotonic_s() + seconds
        while self.clock.monotonic_s() < until_s:
            self.clock.advance_to(self.reloader.step(self.clock.monotonic_s()))

    def journal(self) -> list[str]:
        def find(db: Any) -> list[str]:
            return [row[0] for row in db.execute("SELECT event_type FROM buffer_events")]

        return self.store.read(find)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    made = Till(tmp_path)
    yield made
    made.reloader.close()
    made.store.close()


def test_nothing_is_read_again_while_nothing_changes(till: Till) -> None:
    till.run(10 * AFRESH_S)
    assert (till.used, till.told, till.tokens) == ([], [], 0)


def test_a_saved_file_is_in_force_a_moment_later(till: Till) -> None:
    till.write(300)
    till.run(LOOK_S + QUIET_S)
    assert [one.buffer.capacity for one in till.used] == [300]
    assert till.journal() == ["settings_applied"]


def test_a_renamed_file_and_one_written_in_pieces_are_read_once(till: Till) -> None:
    till.write("many")
    new = till.file.with_name("new")
    new.write_text(till.file.read_text().replace("many", "300"))
    new.replace(till.file)
    till.run(LOOK_S + QUIET_S)
    assert [one.buffer.capacity for one in till.used] == [300]
    assert till.reloader.refused is None


def test_a_folder_that_is_never_quiet_holds_nothing_up_for_long(till: Till) -> None:
    till.write(300)
    began_s = till.clock.monotonic_s()
    while not till.used:
        (till.file.parent / "noise").write_text("")
        till.run(0.05)
        assert till.clock.monotonic_s() - began_s < QUIET_MAX_S + 2 * LOOK_S


def test_a_bad_file_is_refused_whole_and_a_mended_one_taken(till: Till) -> None:
    till.write(300, "[printer]\nmax_unprinted = 0\n")
    till.run(LOOK_S + QUIET_S)
    assert till.used == []
    assert till.reloader.refused is not None
    assert "line 13, key printer.max_unprinted" in till.reloader.refused
    assert till.told[0].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert till.told[-1] == "READY=1"
    till.write(300)
    till.run(LOOK_S + QUIET_S)
    assert [one.buffer.capacity for one in till.used] == [300]
    assert till.reloader.refused is None
    assert till.journal() == ["settings_refused", "settings_applied"]


def test_a_file_that_would_never_deliver_is_refused(till: Till) -> None:
    till.file.write_text("[buffer]\ncapacity = 300\n")
    till.run(LOOK_S + QUIET_S)
    assert till.used == []
    assert "ofd.url" in str(till.reloader.refused)


def test_a_file_that_vanished_changes_nothing(till: Till) -> None:
    till.file.unlink()
    till.run(LOOK_S + QUIET_S)
    assert till.used == []
    assert till.reloader.refused is not None


def test_what_waits_for_a_restart_is_not_in_force(till: Till) -> None:
    text = till.file.read_text().replace("8443", "9443").replace("200", "250")
    till.file.write_text(text)
    till.run(LOOK_S + QUIET_S)
    assert till.used[0].api.listen == "127.0.0.1:8443"
    assert till.used[0].buffer.capacity == 250
    assert till.journal() == ["settings_applied", "settings_need_restart"]


def test_a_new_token_is_told_and_the_same_one_is_not(till: Till) -> None:
    till.token.write_text("first")
    till.run(LOOK_S + QUIET_S)
    assert till.tokens == 0
    till.token.write_text("second")
    till.run(LOOK_S + QUIET_S)
    assert (till.tokens, till.used) == (1, [])
    assert till.journal() == ["ofd_token_changed"]


def test_sighup_answers_systemd_though_nothing_changed(till: Till) -> None:
    till.reloader.ask()
    till.run(LOOK_S)
    assert [one.partition("\n")[0] for one in till.told] == ["RELOADING=1", "READY=1"]
    assert till.used == []


def test_a_folder_that_cannot_be_watched_is_looked_at_now_and_then(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        FolderWatch([tmp_path / "absent" / "kktd.toml"])


def test_a_folder_that_was_replaced_is_seen_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    till = Till(tmp_path / "etc")
    (tmp_path / "etc").rename(tmp_path / "old")
    (tmp_path / "etc").mkdir()
    till.write(300)
    till.run(AFRESH_S + LOOK_S)
    assert [one.buffer.capacity for one in till.used] == [300]
    till.reloader.close()
    till.store.close()
