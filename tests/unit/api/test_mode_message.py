"""One line for the cashier about the network."""

from __future__ import annotations

import pytest

from kktd.api.messages import Language
from kktd.api.mode_message import mode_sentence
from kktd.model.states import NetworkMode


def test_offline_says_how_long_and_how_many() -> None:
    said = mode_sentence(NetworkMode.OFFLINE, 4 * 3600 + 59, 30, Language.RU)
    assert said == "Офлайн 4ч 00мин, в буфере 30 чеков"


@pytest.mark.parametrize(
    ("count", "word"),
    [
        (0, "чеков"),
        (1, "чек"),
        (2, "чека"),
        (5, "чеков"),
        (11, "чеков"),
        (12, "чеков"),
        (21, "чек"),
        (112, "чеков"),
        (203, "чека"),
    ],
)
def test_receipts_are_counted_in_russian(count: int, word: str) -> None:
    said = mode_sentence(NetworkMode.ONLINE, 0, count, Language.RU)
    assert said == f"Онлайн, в буфере {count} {word}"


def test_degraded_is_told_in_english_too() -> None:
    said = mode_sentence(NetworkMode.DEGRADED, 3_720, 1, Language.EN)
    assert said == "No Odoo for 1h 02min, receipts go to the ОФД, 1 receipt in the buffer"
