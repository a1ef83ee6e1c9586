"""The running daemon on a bad day: each fault of the rig, a clear answer, one document a sale."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import LiveDaemon, LiveRig, a_sale

REGISTER = ("open_receipt", "operation", "send_tlv", "close_receipt")
PRINTER_FAULTS: list[dict[str, Any]] = [
    *[{"fault": "lose_reply", "command": command, "times": 1} for command in REGISTER],
    {"fault": "lose_reply", "command": "close_receipt", "times": 15},
    *[
        {"fault": "power_cut", "command": command, "when": when, "times": 1}
        for command in REGISTER
        for when in ("before", "after")
    ],
    *[
        {"fault": "cut_after", "bytes": count, "direction": direction, "times": 1}
        for count in (1, 40, 200, 380)
        for direction in ("to_device", "to_host")
    ],
    {"fault": "noise", "rate": 0.01, "seed": 7, "times": 20},
    {"fault": "slow", "ms": 1_500, "command": "close_receipt", "times": 1},
    {"fault": "busy", "times": 2},
    {"fault": "nak", "times": 3},
    {"fault": "refuse", "command": "operation", "code": "33", "times": 1},
    {"fault": "refuse", "command": "close_receipt", "code": "6B", "times": 1},
    *[{"fault": "paper_out", "when": when, "times": 1} for when in ("before", "during", "after")],
    {"fault": "unplug"},
]
OFD_FAULTS: list[dict[str, Any]] = [
    {"fault": "refuse_connection", "times": 2},
    {"fault": "latency", "ms": 300, "times": 2},
    {"fault": "status", "code": 500, "times": 1},
    {"fault": "status", "code": 429, "retry_after": 1, "times": 1},
    {"fault": "status", "code": 503, "retry_after": 1, "times": 1},
    {"fault": "lose_answer", "times": 1},
    {"fault": "half_answer", "times": 1},
    {"fault": "unauthorized", "times": 1},
    {"fault": "hang", "times": 1},
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    folder = tmp_path_factory.mktemp("shop")
    rig = LiveRig(folder)
    daemon = LiveDaemon(
        folder,
        rig,
        ofd="backoff_initial_ms = 100\nbackoff_max_ms = 400\nbreaker_open_s = 1\n"
        "recheck_s = 5\ntimeout_ms = 1000\n",
    )
    daemon.start()
    yield daemon, rig
    assert daemon.stop() == 0
    rig.stop()


def _name(fault: dict[str, Any]) -> str:
    return " ".join(str(one) for one in fault.values())


def _settle(daemon: LiveDaemon, receipt_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Wait until each is finished at the printer and, if the FN has it, at the ОФД."""
    rows: dict[str, dict[str, Any]] = {}

    def done() -> bool:
        for receipt_id in receipt_ids:
            rows[receipt_id] = daemon.ask("GET", f"/v1/kkt/receipt/{receipt_id}").json()
        return all(
            row["print_state"] == "refused"
            or (row["print_state"] == "printed" and row["status"] == "synced")
            for row in rows.values()
        )

    daemon.wait_until(done, 60)
    return rows


def _check_once(daemon: LiveDaemon, rig: LiveRig, rows: dict[str, dict[str, Any]]) -> None:
    documents = {one["fd"]: one for one in rig.fn_receipts()}
    assert max(Counter(one["mark"] for one in documents.values()).values()) == 1
    for receipt_id, row in rows.items():
        if row["print_state"] == "printed":
            assert row["fiscal_doc"]["fd"] in documents
            assert rig.delivered_keys().count(receipt_id) == 1
        else:
            assert row["fiscal_doc"] is None


def _sell_through(daemon: LiveDaemon, count: int = 2) -> tuple[list[str], list[int]]:
    """Sell, repeating each request with its key as a front end would; ids and first answers."""
    ids, statuses = [], []
    for _ in range(count):
        key = str(uuid.uuid4())
        first = daemon.ask("POST", "/v1/kkt/receipt", a_sale(), key=key)
        assert first.status_code in (200, 202, 422), first.text
        again = daemon.ask("POST", "/v1/kkt/receipt", a_sale(), key=key)
        assert again.status_code in (200, 202, 422), again.text
        body = first.json()
        ids.append(body.get("receipt_id") or body["details"]["receipt_id"])
        statuses.append(first.status_code)
        if first.status_code != 200:
            assert body["message"], "every answer that is not a receipt says what to do"
    return ids, statuses


@pytest.mark.parametrize("fault", PRINTER_FAULTS, ids=_name)
def test_the_printer_fails_and_each_sale_is_one_document(
    shop: tuple[LiveDaemon, LiveRig], fault: dict[str, Any]
) -> None:
    daemon, rig = shop
    before = len(rig.fn_receipts())
    rig.fault("printer", **fault)
    ids, _ = _sell_through(daemon)
    rig.mend()
    rows = _settle(daemon, ids)
    _check_once(daemon, rig, rows)
    printed = sum(row["print_state"] == "printed" for row in rows.values())
    assert len(rig.fn_receipts()) == before + printed, "the FN holds what was sold and no more"
    assert daemon.sell().status_code == 200, "the next sale goes through"


@pytest.mark.parametrize("fault", OFD_FAULTS, ids=_name)
def test_the_ofd_fails_and_no_sale_notices(
    shop: tuple[LiveDaemon, LiveRig], fault: dict[str, Any]
) -> None:
    daemon, rig = shop
    rig.fault("ofd", **fault)
    ids, statuses = _sell_through(daemon)
    assert statuses == [200, 200]
    rig.mend()
    if fault["fault"] == "unauthorized":
        daemon.ask("POST", "/v1/kkt/buffer/sync?force=true", role="supervisor")
    _check_once(daemon, rig, _settle(daemon, ids))


def test_a_receipt_the_ofd_refuses_does_not_hold_the_others(
    shop: tuple[LiveDaemon, LiveRig], tmp_path: Path
) -> None:
    daemon, rig = shop
    poisoned = daemon.sell("66.60").json()["receipt_id"]
    daemon.wait_until(lambda: rig.delivered_keys().count(poisoned) == 1)
    rig.fault("ofd", "reject", match="77.70")
    bad = daemon.sell("77.70").json()["receipt_id"]
    good = [daemon.sell().json()["receipt_id"] for _ in range(3)]
    _settle(daemon, good)
    row = daemon.ask("GET", f"/v1/kkt/receipt/{bad}").json()
    assert row["status"] in ("pending", "syncing")
    assert row["last_error"]
    rig.mend()
    _settle(daemon, [bad])
