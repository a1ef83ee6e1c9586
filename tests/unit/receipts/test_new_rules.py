"""Rules are swapped whole: a larger buffer holds at once, the lane takes its own between steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kktd.errors import BufferFull
from kktd.receipts.lane import LaneRules
from tests.support.receipts import a_receipt
from tests.support.till import TillBench


def test_a_larger_capacity_unblocks_the_next_sale(tmp_path: Path) -> None:
    till = TillBench(tmp_path, capacity=1)
    till.desk.accept(a_receipt(), None, b"1")
    with pytest.raises(BufferFull):
        till.desk.accept(a_receipt(), None, b"2")
    till.desk.rules = replace(till.desk.rules, capacity=2)
    till.desk.accept(a_receipt(), None, b"2")


def test_the_lane_keeps_its_rules_until_its_next_step(tmp_path: Path) -> None:
    till = TillBench(tmp_path)
    before = till.lane.rules
    rules = LaneRules(auto_print_s=5, open_shift_on_sale=False, mark_documents=False)
    till.lane.use(rules)
    assert till.lane.rules == before
    till.lane.step(till.clock.monotonic_s())
    assert till.lane.rules == rules
