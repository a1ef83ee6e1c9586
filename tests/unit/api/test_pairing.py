"""Pairing: a short code for a token, once; guessing it, or a token, leads nowhere."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from kktd import log
from kktd.api.guesses import WINDOW_S, WRONG_MAX
from kktd.api.pairing_code import LIFE_S, TRIES
from kktd.events import Event
from kktd.store.tokens import Role
from tests.support.api import ApiBench, Reply


def _offer(bench: ApiBench, role: str = "cashier", name: str = "Касса 1") -> dict[str, Any]:
    made = bench.root("POST", "/v1/pair", {"role": role, "name": name})
    assert made.status == 201, made.body
    return dict(made.body)


def _redeem(bench: ApiBench, code: str) -> Reply:
    return bench.lan("POST", "/v1/pair", {"code": code})


def _other(code: str) -> str:
    """A wrong code."""
    return f"{(int(code) + 1) % 10**8:08}"


def _later(bench: ApiBench, seconds: float = WINDOW_S) -> None:
    assert bench.till is not None
    bench.till.clock.advance(seconds)


@pytest.fixture(autouse=True)
def nobody_guessed(bench: ApiBench) -> None:
    _later(bench)


def test_a_code_is_given_for_a_token_of_its_role_and_name(bench: ApiBench) -> None:
    offered = _offer(bench, "supervisor", "Старший кассир")
    assert offered["expires_in_seconds"] == LIFE_S
    paired = _redeem(bench, offered["code"])
    assert paired.status == 201
    assert (paired.body["role"], paired.body["name"]) == ("supervisor", "Старший кассир")
    token = paired.body["token"]
    assert bench.lan("GET", "/v1/kkt/dlq", token=token).status == 200
    bench.root("POST", f"/v1/tokens/{paired.body['id']}/revoke")
    assert bench.lan("GET", "/v1/kkt/dlq", token=token).code == "UNAUTHORIZED"


def test_a_code_is_good_for_one_token_and_typed_with_a_gap_too(bench: ApiBench) -> None:
    code = _offer(bench)["code"]
    assert _redeem(bench, f"{code[:4]} {code[4:]}").status == 201
    again = _redeem(bench, code)
    assert (again.status, again.code) == (403, "FORBIDDEN")
    assert "kktctl pair" in again.body["message"]


def test_a_new_code_replaces_the_old_one(bench: ApiBench) -> None:
    old, new = _offer(bench)["code"], _offer(bench)["code"]
    assert _redeem(bench, old).status == 403
    assert _redeem(bench, new).status == 201


def test_a_code_ends_after_ten_minutes(bench: ApiBench) -> None:
    code = _offer(bench)["code"]
    _later(bench, LIFE_S)
    assert _redeem(bench, code).status == 403


def test_a_code_dies_of_five_wrong_tries(bench: ApiBench) -> None:
    code = _offer(bench)["code"]
    for _ in range(TRIES - 1):
        assert _redeem(bench, _other(code)).status == 403
    assert _redeem(bench, code).status == 201
    code = _offer(bench)["code"]
    for _ in range(TRIES):
        assert _redeem(bench, _other(code)).status == 403
    assert _redeem(bench, code).status == 403


def test_brute_force_gets_five_tries_of_a_hundred_million_and_then_429(bench: ApiBench) -> None:
    code, before = _offer(bench, "admin", "мишень")["code"], len(bench.stored_tokens())
    heard: list[Event] = []

    def listen(event: Event, _facts: object) -> None:
        heard.append(event)

    log.add_observer(listen)
    try:
        replies = [
            _redeem(bench, f"{(int(code) + 1 + step) % 10**8:08}") for step in range(WRONG_MAX + 2)
        ]
    finally:
        log.remove_observer(listen)
    assert {reply.code for reply in replies} == {"FORBIDDEN", "RATE_LIMITED"}
    assert (replies[-1].status, replies[-1].code) == (429, "RATE_LIMITED")
    assert 0 < int(replies[-1].headers["Retry-After"]) <= WINDOW_S + 1
    assert heard.count(Event.GUESSING) == 1
    assert _redeem(bench, code).status == 429
    _later(bench)
    assert _redeem(bench, code).status == 403, "the code is dead"
    assert len(bench.stored_tokens()) == before


def test_the_code_and_the_token_stand_in_no_log_and_in_no_file(bench: ApiBench) -> None:
    seen: list[str] = []

    def listen(event: Event, facts: object) -> None:
        seen.append(f"{event} {facts}")

    log.add_observer(listen)
    try:
        code = _offer(bench, "cashier", "тайна")["code"]
        _redeem(bench, _other(code))
        token = _redeem(bench, code).body["token"]
    finally:
        log.remove_observer(listen)
    assert any("тайна" in line for line in seen)
    assert bench.till is not None
    rows = bench.till.store.read(
        lambda db: [
            list(db.execute(f"SELECT * FROM {table}"))
            for table in ("tokens", "buffer_events", "idempotency_keys")
        ]
    )
    for text in (*seen, repr(rows), repr(bench.api.runtime.pairing)):
        assert code not in text
        assert token not in text


def test_who_was_paired_by_whom_is_in_the_journal(bench: ApiBench) -> None:
    _redeem(bench, _offer(bench, "engineer", "Петров")["code"])
    found = bench.root("GET", "/v1/kkt/buffer/logs?limit=2").body["items"]
    assert [one["event"] for one in found] == ["token_created", "pairing_offered"]
    assert "Петров" in found[0]["message"]
    assert "127.0.0.1" in found[0]["message"]
    assert "user: root" in found[1]["message"]


@pytest.mark.parametrize(
    "body", [{}, {"code": 12345678}, {"code": "1234567"}, {"code": "١٢٣٤٥٦٧٨"}, {"code": ""}, []]
)
def test_what_is_no_code_costs_no_try(bench: ApiBench, body: object) -> None:
    code = _offer(bench)["code"]
    for _ in range(TRIES):
        assert bench.lan("POST", "/v1/pair", body).status in (400, 422)
    assert _redeem(bench, code).status == 201


def test_each_listener_has_its_own_half_of_pairing(bench: ApiBench) -> None:
    assert bench.root("POST", "/v1/pair", {"code": "00000000"}).code == "INVALID"
    asked = {"role": "admin", "name": "я"}
    assert bench.lan("POST", "/v1/pair", asked, token=bench.token(Role.ADMIN)).code == "INVALID"
    wrong = bench.lan("GET", "/v1/pair")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")


def test_a_token_that_cannot_be_stored_leaves_the_code(
    bench: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = _offer(bench)["code"]
    with monkeypatch.context() as broken:
        broken.setattr("kktd.store.tokens.create", _no_disk)
        assert _redeem(bench, code).status == 503
    assert _redeem(bench, code).status == 201


def _no_disk(*_: object) -> None:
    from kktd.errors import StoreUnavailable

    raise StoreUnavailable


def test_guessing_tokens_is_slowed_and_never_locks_out_a_right_one(bench: ApiBench) -> None:
    path, right = "/v1/kkt/dlq", bench.token(Role.SUPERVISOR)
    for _ in range(WRONG_MAX):
        assert bench.lan("GET", path, token=uuid.uuid4().hex).status == 401
    limited = bench.lan("GET", path, token=uuid.uuid4().hex)
    assert (limited.status, limited.code) == (429, "RATE_LIMITED")
    assert int(limited.headers["Retry-After"]) > 0
    assert bench.lan("GET", path, token=right).status == 200
    assert json.loads(limited.raw)["message"]
    _later(bench)
    assert bench.lan("GET", path, token=uuid.uuid4().hex).status == 401
