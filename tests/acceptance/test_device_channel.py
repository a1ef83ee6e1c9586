"""ОФД channel `device`: the printer delivers by itself, its FN's counters tell how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.model.states import Delivery, NetworkMode
from tests.acceptance.reading import MINUTE_S, ids
from tests.support.receipts import a_receipt
from tests.support.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    made.configure("[ofd]\n", '[ofd]\nchannel = "device"\n')
    made.restart()
    made.run(100)
    yield made
    made.close()


def _delivered(shop: Shop, sold: list[str]) -> list[bool]:
    return [shop.stored(one).delivery is Delivery.SYNCED for one in sold]


def _fd(shop: Shop, receipt_id: str) -> int:
    document = shop.stored(receipt_id).document
    assert document is not None
    return document.fd


def test_receipts_are_synced_as_the_counter_falls_and_no_earlier(shop: Shop) -> None:
    sold = ids([shop.sell(a_receipt()) for _ in range(5)])
    shop.run(2 * MINUTE_S)
    assert _delivered(shop, sold) == [False] * 5, "the counter stays"
    shop.printer.confirm_by_ofd(_fd(shop, sold[1]))
    shop.run(20)
    assert _delivered(shop, sold) == [True, True, False, False, False]
    shop.kill()
    shop.start()
    shop.run(20)
    assert _delivered(shop, sold) == [True, True, False, False, False]
    shop.printer.set_ofd_online(True)
    shop.wait(lambda: shop.queued() == 0, MINUTE_S)
    assert _delivered(shop, sold) == [True] * 5
    kept = shop.get("/v1/kkt/buffer/logs?limit=500").body["items"]
    synced = [one["receipt_id"] for one in kept if one["event"] == "receipt_synced"]
    assert synced[::-1] == sold, "in the FN's order, each once"
    assert not shop.ofd.stored, "nothing is sent from here"


def test_a_printer_that_does_not_reach_its_ofd_is_offline_and_loses_nothing(shop: Shop) -> None:
    sold = ids([shop.sell(a_receipt()) for _ in range(3)])
    shop.run(20 * MINUTE_S)
    assert shop.parts.mode() is NetworkMode.OFFLINE
    assert [shop.stored(one).retry_count for one in sold] == [0, 0, 0]
    assert shop.get("/v1/health").body["components"]["fn"]["unsent_documents"] >= 3
    shop.printer.set_ofd_online(True)
    shop.wait(lambda: shop.queued() == 0, 2 * MINUTE_S)
    shop.wait(lambda: shop.parts.mode() is NetworkMode.ONLINE, 5 * MINUTE_S)
    assert shop.get("/v1/kkt/dlq").body["total"] == 0
