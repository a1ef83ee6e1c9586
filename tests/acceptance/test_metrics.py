"""Every series of §5.8, §5.4.1 and contract 4: there with its type and labels, and it moves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from kktd.errors import LeaseHeld
from kktd.model.receipt import PaymentMethod
from kktd.receipts.answers import Answer
from tests.acceptance.reading import HOUR_S, MINUTE_S
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop
from tests.support.till import digest


@dataclass(frozen=True, slots=True)
class Row:
    """`act` changes the value; `wanted` is the value then, None where any other will do."""

    name: str
    type: str
    act: Callable[[Shop], object]
    wanted: float | None = None
    labels: str = ""  # of one sample beside pos_id: "status=synced"

    def __str__(self) -> str:
        return f"{self.name}{{{self.labels}}}"


def sell(shop: Shop) -> Answer:
    return shop.sell(a_receipt())


def sell_for_cash(shop: Shop) -> None:
    receipt = a_receipt(a_line(kopecks=199_00), payments={PaymentMethod.CASH: 199_00})
    shop.sell(receipt)


def deliver(shop: Shop) -> None:
    sell(shop)
    shop.wait(lambda: shop.queued() == 0, MINUTE_S)


def sell_offline(shop: Shop) -> None:
    shop.ofd.outage = "refused"
    sell(shop)
    shop.run(1)


def wait_offline(shop: Shop) -> None:
    sell_offline(shop)
    shop.run(HOUR_S)


def open_breaker(shop: Shop) -> None:
    shop.ofd.outage, shop.ofd.health_too = "hang", False
    sell(shop)
    shop.wait(lambda: bool(shop.lines("circuit_breaker_opened")), 30 * MINUTE_S)


def fail_a_probe(shop: Shop) -> None:
    open_breaker(shop)
    shop.run(5 * MINUTE_S)


def close_breaker(shop: Shop) -> None:
    open_breaker(shop)
    shop.ofd.outage = None
    shop.wait(lambda: bool(shop.lines("circuit_breaker_closed")), 5 * MINUTE_S)


def probe(shop: Shop) -> None:
    open_breaker(shop)
    shop.ofd.outage, shop.ofd.health_down = None, False
    shop.ofd.latency_s = 0.0
    shop.wait(lambda: bool(shop.lines("circuit_breaker_half_open")), 5 * MINUTE_S)


def sync_many(shop: Shop) -> None:
    shop.ofd.outage = "refused"
    for _ in range(3):
        sell(shop)
    shop.ofd.outage = None
    shop.wait(lambda: bool(shop.lines("sync_complete")), 10 * MINUTE_S)


def sync_slowly(shop: Shop) -> None:
    shop.ofd.outage = "refused"
    for _ in range(15):
        sell(shop)
    shop.ofd.outage, shop.ofd.latency_s = None, 1.0
    shop.wait(lambda: 2 <= len(shop.ofd.stored) <= 10, 10 * MINUTE_S)


def sync_twice(shop: Shop) -> None:
    sync_slowly(shop)
    with pytest.raises(LeaseHeld):
        shop.parts.till.delivery.force(ignore_backoff=True, user="admin")


def give_up(shop: Shop) -> None:
    shop.configure('token_file = "/nowhere"', 'token_file = "/nowhere"\nmax_attempts = 1')
    shop.run(5)
    receipt = a_receipt()
    shop.ofd.refuses.add(receipt.id)
    shop.sell(receipt)
    shop.wait(lambda: bool(shop.lines("receipt_failed")), 20 * HOUR_S)


def refuse(shop: Shop) -> None:
    shop.faults.add("printer", "refuse", command="operation", code="33")
    sell(shop)


def sell_and_wait(shop: Shop) -> None:
    sell(shop)
    shop.run(MINUTE_S)


def sell_without_odoo(shop: Shop) -> None:
    lose_odoo(shop)
    sell(shop)


def lose_odoo(shop: Shop) -> None:
    shop.odoo.outage = "refused"
    shop.run(2 * MINUTE_S)


def leave_one_in_doubt(shop: Shop) -> None:
    """The moment at which the last answer of a receipt was lost, and the FN is not asked yet."""
    shop.faults.add("printer", "power_cut", 1, command="close_receipt", when="after")
    receipt = a_receipt()
    shop.parts.desk.accept(receipt, str(uuid.uuid4()), digest(receipt))
    shop.run(30, until=lambda: bool(shop.lines("kkt_in_doubt")))


def fill(shop: Shop) -> None:
    shop.configure("capacity = 200", "capacity = 1")
    shop.run(5)
    sell_offline(shop)


def restart_with_a_shift(shop: Shop) -> None:
    sell(shop)
    shop.restart()


ROWS: Final = (
    # §5.8
    Row("kkt_buffer_size", "gauge", sell_offline, 1),
    Row("kkt_buffer_capacity", "gauge", fill, 1),
    Row("kkt_buffer_percent_full", "gauge", sell_offline, 0.5),
    Row("kkt_circuit_breaker_state", "gauge", open_breaker, 1),
    Row("kkt_circuit_breaker_state", "gauge", probe, 2),
    Row("kkt_circuit_breaker_failures", "counter", sell_offline, 1),
    Row("kkt_circuit_breaker_opens", "counter", fail_a_probe, 1),
    Row("kkt_sync_duration_seconds", "histogram", sync_many, 1),
    Row("kkt_receipts_synced", "counter", deliver, 1, "status=synced"),
    Row("kkt_receipts_synced", "counter", give_up, 1, "status=failed"),
    Row("kkt_dlq_size", "gauge", give_up, 1),
    Row("kkt_hlc_drift_seconds", "gauge", lambda shop: shop.clock.jump_wall(30), None),
    # §5.4.1
    Row("pos_session_recovered", "gauge", restart_with_a_shift, 1),
    Row("pos_session_cash_balance", "gauge", sell_for_cash, 199),
    Row("pos_unsynced_transactions", "gauge", sell_without_odoo),
    # contract 4
    Row("kkt_receipts", "counter", sell, 1, "status=accepted"),
    Row("kkt_receipts", "counter", sell, 1, "status=registered"),
    Row("kkt_receipts", "counter", refuse, 1, "status=refused"),
    Row("kkt_receipts", "counter", leave_one_in_doubt, 1, "status=in_doubt"),
    Row("kkt_print_duration_seconds", "histogram", sell, 1),
    Row("kkt_network_mode", "gauge", open_breaker, 2),
    Row("kkt_network_mode", "gauge", lose_odoo, 1),
    Row("kkt_heartbeat_failures", "counter", lose_odoo),
    Row("kkt_heartbeat_age_seconds", "gauge", lose_odoo),
    Row("kkt_ofd_errors", "counter", sell_offline, 1, "error_code=ConnectionRefused"),
    Row("kkt_oldest_unsent_seconds", "gauge", wait_offline),
    Row("kkt_shift_age_seconds", "gauge", sell_and_wait),
    Row("kkt_in_doubt_receipts", "gauge", leave_one_in_doubt, 1),
    Row("kkt_circuit_breaker_probes", "counter", close_breaker, 1, "result=success"),
    Row("kkt_circuit_breaker_probes", "counter", fail_a_probe, None, "result=failure"),
    Row("kkt_circuit_breaker_open_seconds", "counter", close_breaker),
    Row("kkt_circuit_breaker_open_seconds", "counter", fail_a_probe),
    Row("kkt_sync_lock_conflicts", "counter", sync_twice, 1),
    Row("kkt_sync_running_seconds", "gauge", sync_slowly),
    Row("kkt_events", "counter", sell),
    Row("kkt_can_sell", "gauge", fill, 0),
    Row("kkt_alert", "gauge", fill, 1, "alert=OfflineBufferFull"),
)
LABELLED_ELSE: Final[dict[str, set[str]]] = {
    "kkt_buffer_capacity": set()
}  # §5.8 has it without pos_id
# The sale over HTTP (tests/unit/api/test_reading.py), and what a device or the box tells.
ELSEWHERE: Final = (
    "kkt_receipt_latency_seconds",
    "kkt_fn_",
    "kkt_disk_",
    "kkt_power_",
    "kkt_printer_",
    "kkt_backup_",
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, has_odoo=True)
    made.run(100)
    yield made
    made.close()


def scrape(shop: Shop) -> dict[str, Metric]:
    text = shop.parts.till.metrics.render().decode()
    return {one.name: one for one in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], row: Row) -> float | None:
    """Of one sample, of a histogram its count; None while the series is absent."""
    family = families.get(row.name)
    wanted = dict(part.split("=") for part in row.labels.split(",") if part)
    for sample in family.samples if family else ():
        if sample.name in (row.name, f"{row.name}_total", f"{row.name}_count") and wanted == {
            name: text for name, text in sample.labels.items() if name != "pos_id"
        }:
            return float(sample.value)
    return None


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_series_moves_when_it_should(shop: Shop, row: Row) -> None:
    before = value(scrape(shop), row)
    row.act(shop)
    families = scrape(shop)
    after = value(families, row)
    assert after is not None
    assert after != (before or 0)
    if row.wanted is not None:
        assert after == row.wanted
    family = families[row.name]
    assert (family.type, bool(family.documentation)) == (row.type, True)
    expected = {"pos_id"} | {part.split("=")[0] for part in row.labels.split(",") if part}
    labels = {name for sample in family.samples for name in sample.labels} - {"le"}
    assert labels == LABELLED_ELSE.get(row.name, expected)


def test_no_series_is_left_out_here(shop: Shop) -> None:
    shop.sell(a_receipt())
    shop.run(MINUTE_S)
    names = {name for name in scrape(shop) if name.startswith(("kkt_", "pos_"))}
    assert {name for name in names if not name.startswith(ELSEWHERE)} == {row.name for row in ROWS}


def test_what_is_not_known_is_absent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)  # without an Odoo nobody tells the time
    shop.run(100)
    families = scrape(shop)
    for name in ("kkt_hlc_drift_seconds", "kkt_heartbeat_age_seconds", "kkt_heartbeat_failures"):
        assert name not in families
    assert families["kkt_shift_age_seconds"].samples == []
    assert families["pos_session_cash_balance"].samples == []
    shop.close()
