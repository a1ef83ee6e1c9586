"""A whole till and a duty desk over HTTP: what happens there is heard here, by the settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig.duty import SimulatedDuty
from rig.faults import Faults

from tests.support.receipts import a_receipt
from tests.support.shop import Shop

HELD_S = 70  # OfflineBufferFull holds for a minute


@pytest.fixture
def duty() -> Iterator[SimulatedDuty]:
    made = SimulatedDuty(Faults())
    yield made
    made.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    made.run(100)
    yield made
    made.close()


def tell(shop: Shop, duty: SimulatedDuty) -> None:
    """While the till runs."""
    urls = f'webhook_url = "{duty.hook_url}"\nalertmanager_url = "{duty.alertmanager_url}"'
    shop.configure("[organisation]", f"[alerts]\n{urls}\n[organisation]")
    shop.run(5)


def told(duty: SimulatedDuty) -> list[tuple[str, str]]:
    return [(one["name"], one["status"]) for post in duty.posts() for one in post["alerts"]]


def test_a_full_buffer_is_heard_of_and_its_end_too(shop: Shop, duty: SimulatedDuty) -> None:
    tell(shop, duty)
    shop.configure("capacity = 200", "capacity = 1")
    shop.ofd.outage = "refused"
    shop.run(5)
    shop.sell(a_receipt())
    shop.run(HELD_S)
    assert told(duty) == [("OfflineBufferFull", "firing")]
    assert duty.active() == ["OfflineBufferFull"]
    shop.configure("capacity = 1", "capacity = 200")
    shop.run(10)
    assert told(duty)[1:] == [("OfflineBufferFull", "resolved")]


def test_an_address_set_later_hears_what_stands(shop: Shop, duty: SimulatedDuty) -> None:
    shop.configure("capacity = 200", "capacity = 1")
    shop.ofd.outage = "refused"
    shop.run(5)
    shop.sell(a_receipt())
    shop.run(HELD_S)
    tell(shop, duty)
    shop.run(10)
    assert duty.active() == ["OfflineBufferFull"]
    assert told(duty) == [("OfflineBufferFull", "firing")]


def test_the_test_alert_arrives_everywhere(shop: Shop, duty: SimulatedDuty) -> None:
    tell(shop, duty)
    shop.parts.till.test_alert()
    shop.run(10)
    assert told(duty) == [("TestAlert", "firing")]
    assert duty.active() == ["TestAlert"]
    assert [line["level"] for line in shop.lines("alert_sent")] == ["P3"]


@pytest.mark.parametrize(
    ("as_registered", "otherwise"),
    [
        ('url = "tcp://127.0.0.1:1"\n', 'url = "tcp://127.0.0.1:1"\nffd = "1.2"\n'),
        ('inn = "9706048530"', 'inn = "7707083893"'),
    ],
)
def test_settings_that_say_otherwise_than_the_registration_are_told(
    shop: Shop, as_registered: str, otherwise: str
) -> None:
    assert not shop.lines("alert_sent")
    shop.configure(as_registered, otherwise)
    shop.restart()
    shop.run(10)
    (told,) = shop.lines("alert_sent")
    assert (told["alert"], told["level"]) == ("PrinterSetOtherwise", "P2")
    assert "[printer] ffd" in told["message"]
    assert shop.get("/v1/health").body["can_sell"], "an engineer decides, not the till"
    shop.configure(otherwise, as_registered)
    shop.restart()
    shop.run(90)
    assert len(shop.lines("alert_resolved")) == 1
