"""What can be read: health, buffer, session, one receipt, metrics; all true at the moment asked."""

from __future__ import annotations

import uuid
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from kktd.model.states import CircuitState
from kktd.ofd.channel import Unavailable
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench


def _series(bench: ApiBench) -> dict[str, float]:
    text = bench.lan("GET", "/metrics").raw.decode()
    return {
        sample.name + ("" if "status" not in sample.labels else f"/{sample.labels['status']}"): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_one_receipt_shows_where_it_stands(bench: ApiBench) -> None:
    sold = bench.sell().body
    token = bench.token(Role.CASHIER)
    shown = bench.lan("GET", f"/v1/kkt/receipt/{sold['receipt_id']}", token=token)
    assert shown.status == 200
    assert shown.body["id"] == sold["receipt_id"]
    assert shown.body["status"] == "pending"
    assert shown.body["print_state"] in ("registered", "printed")
    assert shown.body["fiscal_doc"] == sold["fiscal_doc"]
    assert shown.body["total"] == "199.00"
    assert shown.body["created_at"].endswith("Z")
    for field in ("synced_at", "last_error"):
        assert shown.body[field] is None
    assert shown.body["retry_count"] == 0
    assert bench.lan("GET", f"/v1/kkt/receipt/{uuid.uuid4()}", token=token).code == "NOT_FOUND"
    upper = bench.lan("GET", f"/v1/kkt/receipt/{sold['receipt_id'].upper()}", token=token)
    assert upper.body == shown.body


def test_health_says_whether_the_till_can_sell(own_bench: ApiBench) -> None:
    own_bench.sell()
    health = own_bench.lan("GET", "/v1/health")
    assert (health.status, health.body["status"]) == (200, "healthy")
    assert set(health.body) >= {"status", "components", "version"}
    assert health.body["components"]["circuit_breaker"] == {
        "state": "CLOSED",
        "failure_count": 0,
        "last_failure_time": None,
        "next_attempt_time": None,
    }
    own_bench.late = {"delivery": False}
    late = own_bench.lan("GET", "/v1/health").body
    assert late["status"] == "degraded"
    assert late["components"]["workers"]["late"] == ["delivery"]


def test_a_full_buffer_makes_health_503_and_names_the_alarm(own_bench: ApiBench) -> None:
    own_bench.sell()
    buffer = replace(own_bench.settings.buffer, capacity=1)
    own_bench.settings = replace(own_bench.settings, buffer=buffer)
    health = own_bench.lan("GET", "/v1/health")
    assert (health.status, health.body["status"]) == (503, "unhealthy")
    assert health.body["obstacle"] == "BUFFER_FULL"
    assert "Офлайн-буфер переполнен" in health.body["message"]
    status = own_bench.lan("GET", "/v1/kkt/buffer/status").body
    assert (status["current_queued"], status["total_capacity"]) == (1, 1)
    assert status["percent_full"] == 100
    assert status["alerts"][0]["level"] == "P1"
    assert _series(own_bench)["kkt_can_sell"] == 0


def test_an_open_breaker_degrades_and_can_be_reset_by_an_engineer(own_bench: ApiBench) -> None:
    own_bench.sell()
    for _ in range(5):
        own_bench.breaker.failed(Unavailable("ConnectionTimeout"))
    health = own_bench.lan("GET", "/v1/health")
    circuit = health.body["components"]["circuit_breaker"]
    assert (health.status, health.body["status"]) == (200, "degraded")
    assert (circuit["state"], circuit["failure_count"]) == ("OPEN", 5)
    assert circuit["next_attempt_time"] > circuit["last_failure_time"]
    assert _series(own_bench)["kkt_circuit_breaker_state"] == 1
    assert _series(own_bench)["kkt_circuit_breaker_opens_total"] == 1
    reset = own_bench.lan(
        "POST",
        "/v1/kkt/circuit_breaker/reset",
        token=own_bench.token(Role.ENGINEER),
        key=str(uuid.uuid4()),
    )
    assert (reset.status, reset.body["state"]) == (200, "CLOSED")
    assert own_bench.breaker.state is CircuitState.CLOSED


def test_shift_opens_and_closes_with_its_sums(own_bench: ApiBench) -> None:
    token, body = own_bench.token(Role.SUPERVISOR), {"cashier": SALE["cashier"]}

    opened = own_bench.lan("POST", "/v1/kkt/shift/open", body, token=token, key=str(uuid.uuid4()))
    assert opened.status == 200, opened.body
    own_bench.sell()
    session = own_bench.lan("GET", "/v1/kkt/session/POS-001", token=token).body
    assert session["balances"]["card"] == "199.00"
    assert session["status"] == "open"
    assert session["unsynced_transactions"] == 1
    report = own_bench.lan("POST", "/v1/kkt/z_report", body, token=token, key=str(uuid.uuid4()))
    assert report.status == 200, report.body
    assert report.body["report_type"] == 2
    assert report.body["card_total"] == report.body["total_sales"] == "199.00"
    assert report.body["offline"] is False
    assert own_bench.lan("GET", "/v1/kkt/session/POS-001", token=token).body["status"] == "closed"
    other = own_bench.lan("GET", "/v1/kkt/session/POS-999", token=token)
    assert other.code == "UNKNOWN_POS"


def test_head_answers_like_get_without_a_body(bench: ApiBench) -> None:
    reply = bench.lan("HEAD", "/v1/health")
    assert (reply.status, reply.raw) == (200, b"")


def test_metrics_are_those_promised_and_true_at_the_scrape(own_bench: ApiBench) -> None:
    own_bench.sell()
    own_bench.sell({**SALE, "items": []})
    series = _series(own_bench)
    promised = {
        "kkt_buffer_size": 1,
        "kkt_buffer_capacity": 200,
        "kkt_buffer_percent_full": 0.5,
        "kkt_circuit_breaker_state": 0,
        "kkt_circuit_breaker_failures_total": 0,
        "kkt_circuit_breaker_opens_total": 0,
        "kkt_sync_duration_seconds_count": 0,
        "kkt_receipts_synced_total/synced": 0,
        "kkt_dlq_size": 0,
        "kkt_receipts_total/accepted": 1,
        "kkt_receipts_total/registered": 1,
        "kkt_receipts_total/refused": 0,
        "kkt_receipt_latency_seconds_count": 1,
        "kkt_print_duration_seconds_count": 1,
        "kkt_network_mode": 0,
        "kkt_in_doubt_receipts": 0,
        "kkt_can_sell": 1,
        "kkt_sync_running_seconds": 0,
        "kkt_sync_lock_conflicts_total": 0,
        "pos_session_recovered": 0,
        "pos_session_cash_balance": 0,
        "pos_unsynced_transactions": 1,
    }
    assert {name: series.get(name) for name in promised} == promised
    assert series["kkt_shift_age_seconds"] >= 0
    assert series["kkt_oldest_unsent_seconds"] >= 0


def test_every_series_stands_once(bench: ApiBench) -> None:
    text = bench.lan("GET", "/metrics").raw.decode()
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert "_created" not in text


def test_a_buffer_that_stayed_larger_for_hours_is_an_alert(own_bench: ApiBench) -> None:
    assert own_bench.lan("GET", "/v1/kkt/buffer/status").body["alerts"] == []
    own_bench.reminds_of_capacity = True
    alert = own_bench.lan("GET", "/v1/kkt/buffer/status").body["alerts"][0]
    assert alert["level"] == "P3"
    assert "capacity" in alert["message"]
