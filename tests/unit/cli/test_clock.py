"""The machine's clock at boot goes on from the last receipt, and never backwards."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from kktd.cli.clock import catch_up
from kktd.clock import HlcStamp
from kktd.store import receipts
from kktd.store.store import Store
from tests.support.receipts import a_receipt

LAST_S = 1_800_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database whose last receipt was stamped at LAST_S."""
    store = Store(tmp_path / "kktd.db")
    stamp = HlcStamp(LAST_S, 3)
    store.write(partial(receipts.accept, receipt=a_receipt(), stamp=stamp, now_s=LAST_S))
    store.close()
    return tmp_path / "kktd.db"


def test_a_clock_in_the_past_is_set_to_the_last_receipt(file: Path) -> None:
    told: list[int] = []
    assert catch_up(file, 0.0, told.append) == LAST_S
    assert told == [LAST_S]


def test_a_clock_that_is_ahead_is_left_alone(file: Path) -> None:
    told: list[int] = []
    assert catch_up(file, LAST_S + 0.5, told.append) is None
    assert told == []


def test_a_till_without_receipts_has_nothing_to_go_on_from(tmp_path: Path) -> None:
    Store(tmp_path / "kktd.db").close()
    told: list[int] = []
    assert catch_up(tmp_path / "kktd.db", 0.0, told.append) is None
    assert told == []
