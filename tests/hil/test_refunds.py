"""Refunds from end to end: HTTPS, daemon, registrar, ОФД."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import LiveDaemon, LiveRig, a_sale


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig)
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def _refund(receipt_id: str, rubles: str = "199.00") -> dict[str, Any]:
    return a_sale(rubles) | {"type": "refund", "original_receipt_id": receipt_id}


def _is_synced(daemon: LiveDaemon, receipt_id: str) -> bool:
    found = daemon.ask("GET", f"/v1/kkt/receipt/{receipt_id}").json()
    return bool(found["status"] == "synced")


def test_a_delivered_sale_is_refunded_in_the_fn_and_told_to_the_ofd(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, rig = shop
    daemon.start()
    sold = daemon.sell().json()
    daemon.wait_until(lambda: _is_synced(daemon, sold["receipt_id"]))
    check = daemon.ask("POST", "/v1/pos/refund", {"original_receipt_id": sold["receipt_id"]})
    assert check.json() == {"allowed": True, "sync_status": "synced"}
    answer = daemon.ask("POST", "/v1/kkt/receipt", _refund(sold["receipt_id"]))
    assert answer.status_code == 200, answer.text
    refunded = answer.json()
    assert [one["sign"] for one in rig.fn_receipts()] == [1, 2]
    daemon.wait_until(lambda: _is_synced(daemon, refunded["receipt_id"]))
    [_, body] = rig.get("/ofd/stored")
    assert body["operation"] == "sell_refund"
    numbers = sold["fiscal_doc"]
    assert body["refund_of"] == {name: numbers[name] for name in ("fn", "fd", "fp")}
    session = daemon.ask("GET", "/v1/kkt/session/POS-001", role="supervisor").json()
    assert session["balances"]["cash"] == "0.00"
    assert (session["total_sales"], session["total_refunds"]) == ("199.00", "199.00")
    again = daemon.ask("POST", "/v1/kkt/receipt", _refund(sold["receipt_id"], "0.01"))
    assert (again.status_code, again.json()["code"]) == (422, "INVALID")


def test_a_refund_is_refused_until_its_sale_is_delivered(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, rig = shop
    rig.fault("ofd", "status", code=503)
    daemon.start()
    sold = daemon.sell().json()["receipt_id"]
    refused = daemon.ask("POST", "/v1/kkt/receipt", _refund(sold))
    assert (refused.status_code, refused.json()["code"]) == (409, "REFUND_NOT_SYNCED")
    assert "не синхронизирован" in refused.json()["message"]
    assert int(refused.headers["Retry-After"]) > 0
    assert len(rig.fn_receipts()) == 1
    rig.mend()
    daemon.ask("POST", "/v1/kkt/circuit_breaker/reset", {}, role="engineer")
    daemon.ask("POST", "/v1/kkt/buffer/sync?force=true", {}, role="supervisor")
    daemon.wait_until(lambda: _is_synced(daemon, sold))
    assert daemon.ask("POST", "/v1/kkt/receipt", _refund(sold)).status_code == 200
    assert [one["sign"] for one in rig.fn_receipts()] == [1, 2]
