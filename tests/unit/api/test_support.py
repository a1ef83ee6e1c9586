"""What support asks of a till: the DLQ, the events kept, maintenance mode."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from kktd.api.event_messages import SENTENCES
from kktd.events import Event
from kktd.model.states import Delivery
from kktd.store import dlq, journal, outbox, receipts
from kktd.store.connection import Db
from kktd.store.dlq import Reason
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench, Reply

LOGS = "/v1/kkt/buffer/logs"
MAINTENANCE = "/v1/pos/maintenance"
PLAN: dict[str, Any] = {"reason": "замена ФН", "estimated_duration_minutes": 45}


def ask(
    bench: ApiBench, role: Role, method: str, path: str, body: object = None, key: str | None = None
) -> Reply:
    """Over TLS with a token of this role."""
    key = key or (None if method == "GET" else str(uuid.uuid4()))
    return bench.lan(method, path, body, token=bench.token(role), key=key)


def give_up(bench: ApiBench) -> tuple[str, str]:
    """A receipt the ОФД never took: its id and its row's."""
    sold = str(bench.sell().body["receipt_id"])
    store = bench.api_till.store

    def work(db: Db) -> str:
        outbox.take(db, outbox.find(db, 1, 100, lambda one: one.id == sold))
        receipts.note_delivery_error(db, sold, "422 wrong tag", counts=True)
        return dlq.move(db, sold, Reason.MAX_RETRIES, 5_000)

    return sold, store.write(work)


def state_of(bench: ApiBench, receipt_id: str) -> Delivery:
    return bench.api_till.store.read(lambda db: receipts.find(db, receipt_id)).delivery


# ---- the DLQ ------------------------------------------------------------------------------------


def test_a_row_of_the_dlq_says_what_a_person_needs(bench: ApiBench) -> None:
    sold, letter_id = give_up(bench)
    listed = ask(bench, Role.SUPERVISOR, "GET", "/v1/kkt/dlq").body
    [row] = [one for one in listed["items"] if one["id"] == letter_id]
    assert row.pop("fiscal_doc")["fd"] > 0
    assert row == {
        "id": letter_id,
        "receipt_id": sold,
        "reason": "max_retries_exceeded",
        "failed_at": "1970-01-01T00:00:05Z",
        "retry_attempts": 1,
        "last_error": "422 wrong tag",
        "resolved_at": None,
        "resolved_by": None,
        "note": None,
    }
    assert listed["total"] == len(listed["items"])


def test_retry_puts_the_receipt_back_and_wakes_delivery_once(bench: ApiBench) -> None:
    sold, letter_id = give_up(bench)
    path, key, woken = f"/v1/kkt/dlq/{letter_id}/retry", str(uuid.uuid4()), bench.delivery.woken
    first = ask(bench, Role.ENGINEER, "POST", path, key=key)
    assert (first.status, first.body["resolved_by"], first.body["note"]) == (
        200,
        "test engineer",
        "retry",
    )
    assert state_of(bench, sold) is Delivery.PENDING
    assert bench.delivery.woken == woken + 1
    again = ask(bench, Role.ENGINEER, "POST", path, key=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body
    assert bench.delivery.woken == woken + 1
    late = ask(bench, Role.ENGINEER, "POST", path)
    assert (late.status, late.code) == (409, "TOO_LATE")
    assert late.body["message"] == "Эту запись DLQ уже закрыли: обновите список."


def test_resolve_notes_who_and_how_and_the_receipt_stays_failed(bench: ApiBench) -> None:
    sold, letter_id = give_up(bench)
    path = f"/v1/kkt/dlq/{letter_id}/resolve"
    body = {"resolved_by": "Петров И.", "note": "чек коррекции 15"}
    assert ask(bench, Role.ENGINEER, "POST", path, {"note": " "}).status == 422
    assert ask(bench, Role.ENGINEER, "POST", path, body).status == 200
    assert ask(bench, Role.ENGINEER, "POST", path, body).status == 409
    assert state_of(bench, sold) is Delivery.FAILED
    waiting = ask(bench, Role.SUPERVISOR, "GET", "/v1/kkt/dlq").body["items"]
    assert letter_id not in {one["id"] for one in waiting}
    closed = ask(bench, Role.SUPERVISOR, "GET", "/v1/kkt/dlq?resolved=true").body["items"]
    [row] = [one for one in closed if one["id"] == letter_id]
    assert (row["resolved_by"], row["note"]) == ("Петров И.", "чек коррекции 15")


def test_nobody_closes_a_row_that_is_not_there(bench: ApiBench) -> None:
    for action, body in (("retry", None), ("resolve", {"note": "x"})):
        reply = ask(bench, Role.ENGINEER, "POST", f"/v1/kkt/dlq/{uuid.uuid4()}/{action}", body)
        assert (reply.status, reply.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        (Role.CASHIER, "GET", "/v1/kkt/dlq"),
        (Role.SUPERVISOR, "POST", "/v1/kkt/dlq/x/retry"),
        (Role.SUPERVISOR, "POST", "/v1/kkt/dlq/x/resolve"),
        (Role.CASHIER, "GET", LOGS),
        (Role.SUPERVISOR, "POST", MAINTENANCE),
        (Role.SUPERVISOR, "DELETE", MAINTENANCE),
    ],
)
def test_support_needs_its_role(bench: ApiBench, role: Role, method: str, path: str) -> None:
    assert ask(bench, role, method, path).status == 403


# ---- what happened ------------------------------------------------------------------------------


def test_logs_are_newest_first_with_a_sentence(bench: ApiBench) -> None:
    sold = bench.sell().body["receipt_id"]
    body = ask(bench, Role.SUPERVISOR, "GET", f"{LOGS}?limit=2").body
    assert (body["page"], body["limit"], len(body["items"])) == (1, 2, 2)
    ids = [one["id"] for one in body["items"]]
    assert ids == sorted(ids, reverse=True)
    newest = body["items"][0]
    assert (newest["event"], newest["level"], newest["receipt_id"]) == (
        "receipt_registered",
        "INFO",
        sold,
    )
    assert newest["message"].startswith("Чек пробит, он в ФН. (")
    second = ask(bench, Role.SUPERVISOR, "GET", f"{LOGS}?limit=1&page=2").body["items"]
    assert second == body["items"][1:]
    everything = ask(bench, Role.SUPERVISOR, "GET", f"{LOGS}?limit=500").body
    assert everything["total"] == len(everything["items"])


def test_logs_of_a_level_are_that_level_and_worse(bench: ApiBench) -> None:
    give_up(bench)
    for level, expected in (("error", {"ERROR", "CRITICAL"}), ("CRITICAL", {"CRITICAL"})):
        items = ask(bench, Role.SUPERVISOR, "GET", f"{LOGS}?level={level}").body["items"]
        assert items
        assert {one["level"] for one in items} <= expected


def test_logs_since_an_instant_leave_out_what_was_before(own_bench: ApiBench) -> None:
    store = own_bench.api_till.store
    assert own_bench.sell().status == 200  # what the till notes of its printer stands by now
    with own_bench.paused():
        for at_s in range(4_000_000_000, 4_000_000_100):  # after all that the till itself notes
            store.write(
                lambda db, at_s=at_s: journal.append(db, Event.SYNC_START, at_s * 1000)  # type: ignore[misc]
            )
        for text, count in (
            ("2096-10-02T07:08:10Z", 10),
            ("2096-10-02T10:08:10%2B03:00", 10),
            ("2096-10-02T10:08:10+03:00", 10),  # a bare plus
            ("2096-10-02T10:08:10", 10),  # the till's own zone
            ("2096-10-02T07:06:40Z", 100),
            ("2099-01-01", 0),
        ):
            reply = own_bench.root("GET", f"{LOGS}?since={text}&limit=3")
            found = [one for one in reply.body["items"] if one["event"] == "sync_started"]
            assert reply.body["total"] == count, text
            assert len(found) == min(count, 3)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("level=LOUD", "level"),
        ("since=yesterday", "since"),
        ("since=2026-13-01", "since"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("page=0", "page"),
        ("page=²", "page"),
        ("levle=ERROR", "levle"),
        ("page=1&page=2", "page"),
    ],
)
def test_a_wrong_query_is_named(bench: ApiBench, query: str, field: str) -> None:
    reply = ask(bench, Role.SUPERVISOR, "GET", f"{LOGS}?{quote(query, safe='=&:')}")
    assert (reply.status, reply.code) == (422, "INVALID")
    assert reply.body["details"]["field"] == field


def test_every_stored_event_has_a_sentence_in_both_languages() -> None:
    stored = {event.stored_name for event in Event if event.stored_name}
    assert stored - set(SENTENCES) == set()
    for russian, english in SENTENCES.values():
        assert english.isascii()
        assert not russian.isascii()
        assert russian.endswith(".")
        assert english.endswith(".")


# ---- maintenance --------------------------------------------------------------------------------


@pytest.fixture
def resting(own_bench: ApiBench) -> ApiBench:
    assert ask(own_bench, Role.ENGINEER, "POST", MAINTENANCE, PLAN).status == 200
    return own_bench


def test_in_maintenance_a_sale_is_refused_with_the_reason(resting: ApiBench) -> None:
    reply = resting.sell()
    assert (reply.status, reply.code) == (503, "MAINTENANCE")
    assert reply.body["message"].startswith("Касса на обслуживании")
    assert "замена ФН" in reply.body["message"]
    assert reply.body["details"]["reason"] == "замена ФН"
    assert reply.headers["Retry-After"] == "300"
    assert resting.stored_receipts() == resting.stored_keys() - 1  # the engineer's own key


def test_maintenance_survives_a_restart_and_ends_by_hand(resting: ApiBench) -> None:
    resting.restart()
    assert resting.sell().code == "MAINTENANCE"
    health = resting.lan("GET", "/v1/health")
    assert (health.status, health.body["obstacle"]) == (503, "MAINTENANCE")
    assert health.body["maintenance"]["reason"] == "замена ФН"
    assert health.body["maintenance"]["estimated_duration_minutes"] == 45
    assert "замена ФН" in health.body["message"]
    assert ask(resting, Role.ENGINEER, "DELETE", MAINTENANCE).body == {"maintenance": None}
    assert ask(resting, Role.ENGINEER, "DELETE", MAINTENANCE).status == 200
    assert resting.until_final(str(uuid.uuid4())).status == 200
    events = [
        one["event"]
        for one in ask(resting, Role.SUPERVISOR, "GET", LOGS).body["items"]
        if one["event"].startswith("maintenance")
    ]
    assert events == ["maintenance_finished", "maintenance_started"]


def test_a_repeat_of_a_sale_from_before_gets_its_answer(own_bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    first = own_bench.until_final(key)
    assert ask(own_bench, Role.ENGINEER, "POST", MAINTENANCE, PLAN).status == 200
    again = own_bench.sell(key=key)
    assert (again.status, again.body) == (200, first.body)


def test_what_is_under_way_prints_on(own_bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    own_bench.until_final(str(uuid.uuid4()))
    with own_bench.paused():
        assert own_bench.sell(key=key).status == 202
        assert ask(own_bench, Role.ENGINEER, "POST", MAINTENANCE, PLAN).status == 200
    assert own_bench.until_final(key).status == 200


def test_an_engineer_may_try_the_till_out(resting: ApiBench) -> None:
    assert ask(resting, Role.ENGINEER, "POST", "/v1/kkt/receipt", SALE).status in (200, 202)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "x"},
        {"reason": "", "estimated_duration_minutes": 5},
        {"reason": "x", "estimated_duration_minutes": 0},
        {"reason": "x", "estimated_duration_minutes": True},
        {"reason": "x", "estimated_duration_minutes": 5, "until": 1},
    ],
)
def test_maintenance_wants_a_reason_and_an_estimate(bench: ApiBench, body: object) -> None:
    assert ask(bench, Role.ENGINEER, "POST", MAINTENANCE, body).status == 422
    assert bench.lan("GET", "/v1/health").body["maintenance"] is None
