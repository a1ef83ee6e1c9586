"""The table of settings: its page, what a reload takes, what people are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kktd.config import SECTIONS, Settings
from kktd.settings_file import line_of, parse
from kktd.settings_table import as_markdown, as_shown, changed_keys, merge_live, rules

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), (
        "python -m kktd.settings_table > docs/settings.md"
    )


def test_a_reload_takes_what_is_live_and_names_the_rest() -> None:
    old = parse("")
    new = parse('[buffer]\ncapacity = 300\n[till]\npos_ids = ["A"]\n[api]\nopen_reading = false')
    merged, taken, waiting = merge_live(old, new)
    assert (taken, waiting) == (["api.open_reading", "buffer.capacity"], ["till.pos_ids"])
    assert merged.buffer.capacity == 300
    assert merged.till == old.till
    assert changed_keys(merged, new) == ["till.pos_ids"]


def test_addresses_devices_and_folders_wait_for_a_restart() -> None:
    live = {key for key, rule in rules() if rule.metadata["live"]}
    assert not live & {
        "till.pos_ids",
        "till.state_dir",
        "api.listen",
        "api.metrics",
        "api.socket",
        "printer.family",
        "printer.url",
        "ofd.url",
    }


def test_no_secret_is_shown() -> None:
    settings = parse('[printer]\npassword = 4711\n[ofd]\nurl = "https://u:pass@ofd.example/v1"')
    shown = as_shown(settings)
    assert shown["printer"]["password"] == "…"
    assert shown["ofd"]["url"] == "https://…@ofd.example/v1"
    assert "4711" not in str(shown)
    assert "pass@" not in str(shown)
    assert set(shown) == set(SECTIONS)


def test_equal_settings_differ_in_nothing() -> None:
    assert changed_keys(Settings(), replace(Settings())) == []


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("[buffer]\ncapacity = 0", "buffer.capacity", 2),
        ("# capacity = 1\n[till]\n\n[buffer] # x\n  capacity=0", "buffer.capacity", 5),
        ("[ofd]\ncapacity = 1\n[buffer]\ncapacity = 0", "buffer.capacity", 4),
        ("buffer.capacity = 0", "buffer.capacity", 1),
        ("[till]\n[bufer]", "bufer", 2),
        ("[till]", "ofd.url", None),
    ],
)
def test_a_key_is_found_on_its_line(text: str, key: str, line: int | None) -> None:
    assert line_of(text, key) == line
