"""The stress rows: long days at two and five tills."""

from __future__ import annotations

import random
from pathlib import Path

from tests.acceptance.reading import HOUR_S, MINUTE_S, assert_all_delivered_once, ids, p95
from tests.support.receipts import a_receipt
from tests.support.shop import Shop


def test_two_tills_eight_hours_fifty_receipts(tmp_path: Path) -> None:
    """100 %, 0 duplicates, order kept, sync ≤ 10 min."""
    for till in range(2):
        folder = tmp_path / str(till)
        folder.mkdir()
        shop = Shop(folder, seed=till)
        shop.ofd.outage = "hang"
        sold = []
        for _ in range(50):
            sold += ids([shop.sell(a_receipt())])
            shop.run(8 * HOUR_S / 50)
        shop.ofd.outage = None
        shop.wait(lambda shop=shop: shop.queued() == 0, 10 * MINUTE_S)  # type: ignore[misc]
        assert_all_delivered_once(shop, sold)
        shop.close()


def test_five_tills_a_thousand_receipts_a_day(tmp_path: Path) -> None:
    """60 % online, 30 % degraded, 10 % offline: P95 < 7 s, errors < 1 %, ≥ 99 % by themselves."""
    for till in range(5):
        folder = tmp_path / str(till)
        folder.mkdir()
        shop = Shop(folder, seed=till)
        chance = random.Random(till)
        paper_s: list[float] = []
        sold: list[str] = []
        errors = 0
        for _ in range(10):
            shop.ofd.outage = "refused" if chance.random() < 0.1 else None
            shop.ofd.latency_s = 5.0 if chance.random() < 0.3 else 0.05
            for _ in range(20):
                began_s = shop.clock.monotonic_s()
                answer = shop.sell(a_receipt())
                paper_s.append(shop.clock.monotonic_s() - began_s)
                errors += answer.status != 200
                sold += ids([answer])
                shop.run(12 * HOUR_S / 200)
        shop.ofd.outage = None
        shop.wait(lambda shop=shop: shop.queued() == 0, 10 * MINUTE_S)  # type: ignore[misc]
        assert p95(paper_s) < 7
        assert errors / len(sold) < 0.01
        assert shop.get("/v1/kkt/buffer/status").body["dlq_size"] == 0
        assert_all_delivered_once(shop, sold)
        shop.close()
