"""The till does its work: the first sale over its USB cable, with and without a network."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from tests.image.box import Box


def test_a_sale_is_printed_and_delivered(box: Box) -> None:
    before = box.receipts_in_fn()
    answer = box.sell()
    assert answer.ok, answer.text
    assert box.receipts_in_fn() == before + 1
    box.bench.wait(lambda: len(box.rig("/ofd/stored")) == before + 1)


def test_a_sale_without_a_network_is_delivered_when_it_is_back(box: Box) -> None:
    before = box.receipts_in_fn()
    box.bench.wait(lambda: len(box.rig("/ofd/stored")) == before)
    box.plug_network(False)
    try:
        status, body = box.sell_at_the_till()
        assert status in (200, 201), body
        assert box.receipts_in_fn() == before + 1
        assert len(box.rig("/ofd/stored")) == before
    finally:
        box.plug_network(True)
    box.bench.wait(lambda: len(box.rig("/ofd/stored")) == before + 1)


def test_a_repeat_prints_nothing(box: Box) -> None:
    key = str(uuid.uuid4())
    first = box.sell(key)
    before = len(box.rig("/fn/documents"))
    again = box.sell(key)
    assert again.json()["receipt_id"] == first.json()["receipt_id"]
    assert len(box.rig("/fn/documents")) == before


def test_figures(box: Box, record_property: Callable[[str, object], None]) -> None:
    """Of an emulated box beside other work: no limit, only said."""
    memory = dict(
        (line.split()[0].rstrip(":"), int(line.split()[1]))
        for line in box.run("cat /proc/meminfo").splitlines()
    )
    record_property("ready_s", box.ready_s)
    record_property("used_mib", (memory["MemTotal"] - memory["MemAvailable"]) // 1024)
    assert box.ready_s > 0
