"""A correction from end to end: HTTPS, daemon, registrar, ОФД."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import LiveDaemon, LiveRig, a_sale

ORDER = {"sign": "sale", "basis": "order", "date": "2026-03-01", "number": "15-04/127"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig)
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


@pytest.mark.parametrize("lines", [True, False], ids=["with lines", "sums alone"])
def test_a_correction_is_one_document_and_reaches_the_ofd(
    shop: tuple[LiveDaemon, LiveRig], lines: bool
) -> None:
    daemon, rig = shop
    daemon.start()
    asked = a_sale("500.00") | {"type": "correction", "correction": ORDER}
    if not lines:
        del asked["items"]
    answer = daemon.ask("POST", "/v1/kkt/receipt", asked)
    assert answer.status_code == 200, answer.text
    receipt_id = answer.json()["receipt_id"]
    daemon.wait_until(
        lambda: daemon.ask("GET", f"/v1/kkt/receipt/{receipt_id}").json()["status"] == "synced"
    )
    made = [one for one in rig.get("/fn/documents") if one["type"] == "correction"]
    assert [(one["sign"], one["total_kopecks"]) for one in made] == [(1, 500_00)]
    [body] = rig.get("/ofd/stored")
    assert body["operation"] == "correction"
    assert body["correction"] == {
        "sign": "sale",
        "type": "instruction",
        "base_date": "2026-03-01",
        "base_number": "15-04/127",
    }
