"""A cut of eight hours in real hours, by the daemon itself: nothing virtual, nothing skipped.

`./build.sh test --long tests/acceptance/test_real_time.py`; `--hours 0.1` makes the same cut short.
The rows: POC-4 and UAT-09 of docs/acceptance.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.live import LiveDaemon, LiveRig, a_sale

RECEIPTS: Final = 55
RESTORE_S: Final = 600.0

pytestmark = pytest.mark.long


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    odoo = f'[odoo]\nurl = "{rig.addresses["odoo"]}"\ntoken_file = "{tmp_path / "odoo.token"}"'
    daemon = LiveDaemon(tmp_path, rig, odoo)
    daemon.start()
    yield daemon, rig
    daemon.stop()
    rig.stop()


def _status(daemon: LiveDaemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.ask("GET", "/v1/kkt/buffer/status").json()
    return found


@pytest.mark.timeout(0)
def test_hours_without_a_network_end_with_every_receipt_delivered_once(
    shop: tuple[LiveDaemon, LiveRig], pytestconfig: pytest.Config
) -> None:
    daemon, rig = shop
    hours = float(pytestconfig.getoption("--hours"))
    for target in ("ofd", "odoo"):
        rig.fault(target, "hang")
    sold: list[str] = []
    slowest_s, began_s = 0.0, time.monotonic()
    for number in range(RECEIPTS):
        asked_s = time.monotonic()
        answer = daemon.ask(
            "POST", "/v1/kkt/receipt", a_sale(f"{100 + number}.00", number % 2 == 0)
        )
        slowest_s = max(slowest_s, time.monotonic() - asked_s)
        assert answer.status_code == 200, answer.text
        sold.append(answer.json()["receipt_id"])
        if number == RECEIPTS // 2:
            refund = daemon.ask("POST", "/v1/pos/refund", {"original_receipt_id": sold[0]})
            assert refund.status_code == 409, "its original is not synced"
            daemon.kill()
            daemon.start()  # a restart in the middle keeps all of them
            assert _status(daemon)["current_queued"] == len(sold)
        time.sleep(max(0.0, began_s + (number + 1) * hours * 3_600 / RECEIPTS - time.monotonic()))
    offline = _status(daemon)
    assert (offline["network_status"], offline["current_queued"]) == ("offline", RECEIPTS)
    assert f"в буфере {RECEIPTS} чек" in offline["network_message"]
    assert slowest_s <= 7, "to paper"

    rig.mend()
    daemon.wait_until(lambda: _status(daemon)["current_queued"] == 0, RESTORE_S)
    assert rig.delivered_keys() == sold, "each once, in the order of the FN"
    assert _status(daemon)["dlq_size"] == 0
    known = [row for row in rig.fn_receipts() if row["total_kopecks"] >= 100_00]
    assert len(known) == RECEIPTS
