"""A shift near its 24 hours: warned once at 23, refused at 24 with the way out."""

from __future__ import annotations

import pytest

from kktd.errors import ShiftExpired
from kktd.store.operations import OperationKind
from tests.acceptance.reading import HOUR_S, MINUTE_S, alerts
from tests.support.receipts import a_receipt
from tests.support.shop import Shop


def _old_for(shop: Shop, hours: float) -> None:
    """So much later; the night itself is not played."""
    shop.clock.advance(hours * HOUR_S)
    shop.run(2 * MINUTE_S)


def test_a_shift_is_warned_of_once_and_ends_with_a_z_report(shop: Shop) -> None:
    shop.sell(a_receipt())
    _old_for(shop, 22.5)
    assert shop.parts.till.old_shifts() == frozenset()
    _old_for(shop, 0.5)
    assert shop.parts.till.old_shifts() == {"POS-001"}
    assert any("23 часов" in text for _, text in alerts(shop))
    assert shop.sell(a_receipt()).status == 200, "it sells on"
    shop.restart()
    shop.run(MINUTE_S)
    kept = shop.get("/v1/kkt/buffer/logs?limit=500&level=WARN").body["items"]
    assert [one["event"] for one in kept].count("shift_old") == 1, "once a shift, also after a stop"
    _old_for(shop, 1)
    with pytest.raises(ShiftExpired):
        shop.sell(a_receipt())
    health = shop.get("/v1/health").body
    assert (health["can_sell"], health["obstacle"]) == (False, "SHIFT_EXPIRED")
    assert "Z-отчёт" in health["message"]
    assert shop.operate(OperationKind.X_REPORT).status == 200
    assert shop.operate(OperationKind.Z_REPORT).status == 200
    assert shop.sell(a_receipt()).status == 200
    shop.run(MINUTE_S)
    assert shop.parts.till.old_shifts() == frozenset()
