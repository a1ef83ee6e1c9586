"""A mistake in the settings, a firmware that hands over units: the screen tells, nothing sells."""

from __future__ import annotations

import pytest
import requests

from tests.image.box import RefusedBox


def test_the_screen_names_the_place_and_the_reason(refused: RefusedBox) -> None:
    said = refused.said()
    assert "настройки не взяты (/efi/kktd)" in said
    assert "key: printer.family" in said
    assert "line: 5" in said
    assert "исправьте файл и перезагрузите кассу" in said


def test_a_till_without_settings_says_what_to_do(refused: RefusedBox) -> None:
    assert "положите kktd/kktd.toml" in refused.said()


def test_a_till_without_settings_sells_nothing(refused: RefusedBox) -> None:
    with pytest.raises(requests.ConnectionError):
        refused.till.ask("/v1/health", 10)


def test_a_unit_from_the_firmware_is_not_run(refused: RefusedBox) -> None:
    assert "INTRUDER" not in refused.said()


def test_nobody_is_asked_to_log_in(refused: RefusedBox) -> None:
    assert "login:" not in refused.said()
