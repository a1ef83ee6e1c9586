"""The printer's clock that runs away is told once, and again after it was right."""

from __future__ import annotations

from kktd.store import journal
from tests.support.receipts import a_receipt
from tests.support.till import TillBench


def _told(till: TillBench) -> int:
    _, found = till.store.read(lambda db: journal.find_page(db, ("WARN",), None, 100, 0))
    return sum(one.event == "printer_clock_off" for one in found)


def test_a_clock_out_of_bounds_is_told_once(till: TillBench) -> None:
    till.sell(a_receipt())
    drift_s = till.lane.health.clock_drift_s
    assert drift_s is not None
    till.clock.jump_wall(drift_s)  # the bench's printer woke earlier than its till
    till.run(5)
    before = _told(till)
    drift_s = till.lane.health.clock_drift_s
    assert drift_s is not None
    assert abs(drift_s) <= 1
    till.clock.jump_wall(-600)
    till.run(20)
    assert 598 <= (till.lane.health.clock_drift_s or 0) <= 601
    assert _told(till) == before + 1
    till.clock.jump_wall(600)
    till.run(10)
    till.clock.jump_wall(400)
    till.run(10)
    assert -402 <= (till.lane.health.clock_drift_s or 0) <= -399
    assert _told(till) == before + 2
