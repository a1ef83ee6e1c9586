"""systemd's watchdog is petted while every worker is on time, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.daemon import late_ones, sign_of_life
from kktd.worker import SLACK_S
from tests.support.shop import Shop

WORKERS = (
    *("printer", "delivery", "network", "upkeep", "night", "settings", "alerts", "power", "odoo"),
)
STEP_MAX_S = 900.0  # of the slowest


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path, has_odoo=True)
    yield shop
    shop.close()


def late(shop: Shop) -> list[str]:
    """Of the workers: a shop under a virtual clock has no listeners."""
    return [name for name in late_ones(shop.parts.on_time()) if name != "api"]


def test_every_worker_of_the_till_is_in_this_table(shop: Shop) -> None:
    assert tuple(shop.parts.workers) == WORKERS


@pytest.mark.parametrize("name", WORKERS)
def test_a_step_that_hangs_stops_the_petting_and_is_named(shop: Shop, name: str) -> None:
    shop.run(120)
    assert late(shop) == []
    shop.hang(name)
    waited_s = 0.0
    while not late(shop) and waited_s <= STEP_MAX_S + SLACK_S:
        shop.run(5)
        waited_s += 5
    assert late(shop) == [name]
    told = sign_of_life(late(shop), "printer ready")
    assert "WATCHDOG" not in told
    assert told.startswith(f"STATUS={name} late")


def test_a_till_at_rest_is_petted(shop: Shop) -> None:
    for _ in range(60):
        shop.run(15)
        assert late(shop) == []
    assert sign_of_life([], "printer ready") == "WATCHDOG=1\nSTATUS=printer ready"
