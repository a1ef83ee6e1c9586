"""The link to Odoo from end to end: daemon, HTTP, the rig's Odoo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import LiveDaemon, LiveRig, a_sale

Shop = tuple[LiveDaemon, LiveRig]
PAPER = {"fn": "9999078900000001", "fd": 17, "fp": "1060838650"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    rig = LiveRig(tmp_path)
    link = f"""
[odoo]
url = "{rig.addresses["odoo"]}"
token_file = "{tmp_path / "odoo.token"}"
heartbeat_s = 1
timeout_ms = 500
"""
    daemon = LiveDaemon(tmp_path, rig, extra=link)
    daemon.start()
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def mode(daemon: LiveDaemon) -> str:
    return str(daemon.ask("GET", "/v1/kkt/buffer/status").json()["network_status"])


def events(rig: LiveRig, kind: str) -> list[str]:
    return [one["receipt_id"] for one in rig.get("/odoo/events") if one["type"] == kind]


def product(number: int) -> dict[str, Any]:
    return {
        "sku": f"SKU-{number}",
        "barcode": f"46000000{number:05}",
        "name": f"Оправа № {number}",
        "price": f"{number}.50",
        "vat": "22%",
        "measure": "piece",
        "subject": "commodity",
    }


def test_heartbeats_and_events_arrive_and_an_outage_degrades_alone(shop: Shop) -> None:
    daemon, rig = shop
    daemon.wait_until(lambda: bool(rig.get("/odoo/heartbeats")))
    beat = rig.get("/odoo/heartbeats")[0]
    assert (beat["pos_id"], beat["can_sell"]) == ("POS-001", True)
    assert beat["buffer"]["total_capacity"] == 200
    sold = daemon.sell().json()
    daemon.wait_until(lambda: events(rig, "receipt_synced") == [sold["receipt_id"]])
    [told] = [one for one in rig.get("/odoo/events") if one["type"] == "receipt_registered"]
    assert told["data"]["fiscal_doc"]["fd"] == sold["fiscal_doc"]["fd"]
    assert told["data"]["payments"] == [{"method": "cash", "amount": "199.00"}]

    rig.fault("odoo", "refuse_connection")
    daemon.wait_until(lambda: mode(daemon) == "degraded")
    more = daemon.sell().json()
    daemon.wait_until(lambda: more["receipt_id"] in rig.delivered_keys())
    rig.mend()
    daemon.wait_until(lambda: more["receipt_id"] in events(rig, "receipt_registered"))
    health = daemon.ask("GET", "/v1/health").json()["components"]["odoo_connection"]
    assert health["status"] == "healthy"


def test_a_catalogue_of_a_thousand_is_imported_and_found(shop: Shop) -> None:
    daemon, rig = shop
    rig.tell("/odoo/products", {"items": [product(number) for number in range(1, 1_001)]})
    daemon.wait_until(lambda: bool(rig.get("/odoo/heartbeats")))
    answer = daemon.ask("POST", "/v1/kkt/cache/refresh", {}, role="engineer")
    assert answer.status_code == 202, answer.text

    def found(query: str) -> Any:
        return daemon.ask("GET", f"/v1/kkt/products?{query}")

    daemon.wait_until(lambda: found("sku=SKU-1000").status_code == 200)
    [one] = found("barcode=4600000000777").json()["items"]
    assert (one["sku"], one["price"]) == ("SKU-777", "777.50")
    assert len(found("q=оправа № 99").json()["items"]) == 11
    assert found("sku=SKU-1").json()["source"] == "cache"
    rig.tell("/odoo/products", {"items": [product(2_000)], "deleted": ["SKU-5"]})
    assert found("sku=SKU-2000").json()["source"] == "odoo"
    unknown = found("barcode=1")
    assert unknown.status_code == 404
    assert "вручную" in unknown.json()["message"]
    rig.fault("odoo", "refuse_connection")
    assert found("sku=SKU-1000").status_code == 200


def test_prices_wait_while_receipts_are_on_their_way(shop: Shop) -> None:
    daemon, rig = shop
    rig.fault("ofd", "refuse_connection")
    daemon.sell()
    rig.tell("/odoo/products", {"items": [product(1)]})
    refused = daemon.ask("POST", "/v1/kkt/cache/refresh", {}, role="engineer")
    assert (refused.status_code, refused.json()["code"]) == (409, "UNSYNC_BUFFERS")
    rig.mend()
    daemon.wait_until(lambda: len(rig.delivered_keys()) == 1)
    daemon.wait_until(
        lambda: daemon.ask("POST", "/v1/kkt/cache/refresh", {}, role="engineer").status_code == 202
    )


def test_odoo_decides_about_the_refund_of_another_till(shop: Shop) -> None:
    daemon, rig = shop
    daemon.sell()  # something in the drawer
    refund = a_sale("10.00") | {"type": "refund", "original": PAPER}
    check = {"original_fiscal_doc_id": f"{PAPER['fn']}:{PAPER['fd']}"}
    rig.tell("/odoo/receipts", {"receipt": "9999078900000001:17", "sync_status": "pending"})
    pending = daemon.ask("POST", "/v1/pos/refund", check)
    assert (pending.status_code, pending.json()["sync_status"]) == (409, "pending")
    assert daemon.ask("POST", "/v1/kkt/receipt", refund).status_code == 409
    rig.tell("/odoo/receipts", {"receipt": "9999078900000001:17", "sync_status": "synced"})
    allowed = daemon.ask("POST", "/v1/pos/refund", check)
    assert allowed.json() == {"allowed": True, "sync_status": "synced"}
    assert daemon.ask("POST", "/v1/kkt/receipt", refund).status_code == 200
    rig.fault("odoo", "hang")
    away = daemon.ask("POST", "/v1/kkt/receipt", refund)
    assert (away.status_code, away.json()["code"]) == (409, "REFUND_NOT_SYNCED")
    assert away.json()["details"]["retry_after_seconds"] == 600


def test_a_rotated_key_is_read_again(shop: Shop) -> None:
    daemon, rig = shop
    key = daemon.folder / "odoo.token"
    right = key.read_text()
    key.write_text("another")
    daemon.wait_until(lambda: mode(daemon) == "degraded")
    key.write_text(right)
    sold = daemon.sell().json()
    daemon.wait_until(lambda: sold["receipt_id"] in events(rig, "receipt_registered"))
