"""Who did what: every request that changes something leaves its token's name and role, on disk."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, Final

import pytest

from kktd.api.app import ROUTES
from kktd.api.call import Access, Listener, Route
from kktd.api.openapi.calls import CALLS
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench, Reply
from tests.support.till import POS_ID
from tests.unit.api.test_support import give_up

# Asks, and changes nothing.
HARMLESS: Final = {"/v1/pos/refund", "/v1/ofd/probe"}
# The UPS asks, and nobody else: its events are kept as its own (tests/unit/power).
OF_MACHINES: Final = {"/v1/power/{event}"}
CHANGING: Final = [
    route for route in ROUTES if route.method != "GET" and route.path not in HARMLESS | OF_MACHINES
]


def _name(route: Route) -> str:
    return f"{route.method} {route.path} {route.access.value}"


def _last_id(bench: ApiBench) -> int:
    return int(bench.root("GET", "/v1/kkt/buffer/logs?limit=1").body["items"][0]["id"])


def _kept_since(bench: ApiBench, last_id: int) -> list[dict[str, Any]]:
    def find(db: Any) -> list[tuple[str]]:
        return list(
            db.execute("SELECT metadata FROM buffer_events WHERE id > ? ORDER BY id", (last_id,))
        )

    return [json.loads(row[0]) for row in bench.api_till.store.read(find) if row[0]]


def _path(bench: ApiBench, route: Route) -> str:
    needed: dict[str, Callable[[], str]] = {
        "receipt_id": lambda: bench.sell().body["receipt_id"],
        "dlq_id": lambda: give_up(bench)[1],
        "token_id": lambda: bench.root(
            "POST", "/v1/tokens", {"role": "cashier", "name": "на отзыв"}
        ).body["id"],
        "table": lambda: "1",
        "row": lambda: "1",
        "field": lambda: "1",
    }
    values = {name: make() for name, make in needed.items() if f"{{{name}}}" in route.path}
    return route.path.format(**values)


def _body(bench: ApiBench, route: Route) -> Any:
    if route.access is Access.CODE:
        return {
            "code": bench.root("POST", "/v1/pair", {"role": "cashier", "name": "Касса 9"}).body[
                "code"
            ]
        }
    if route.path == "/v1/printer/accept":
        return bench.root("GET", "/v1/printer").body["known"]
    examples = CALLS[route.handler].examples
    return dict(examples[0]) if examples else None


@pytest.fixture(autouse=True)
def open_till(bench: ApiBench) -> None:
    """A shift with money in the drawer, no maintenance."""
    bench.root("DELETE", "/v1/pos/maintenance")
    bench.sell(SALE | {"payments": [{"method": "cash", "amount": "500.00"}]})


@pytest.mark.parametrize("route", [one for one in CHANGING if one.is_on(Listener.LAN)], ids=_name)
def test_a_persons_request_is_kept_with_name_and_role(bench: ApiBench, route: Route) -> None:
    role = Role.ENGINEER if isinstance(route.access, Role) else Role.ADMIN
    path, body = _path(bench, route), _body(bench, route)
    token = None if route.access is Access.CODE else bench.token(role)
    last_id = _last_id(bench)
    reply = bench.lan(route.method, path, body, token=token, key=str(uuid.uuid4()))
    kept = _kept_since(bench, last_id)
    if route.access is Access.CODE:
        assert any(one.get("user") == "pairing" and one.get("address") for one in kept)
        return
    _is_kept(route, reply, kept, f"test {role}", role)


@pytest.mark.parametrize(
    "route", [one for one in CHANGING if one.is_on(Listener.SOCKET)], ids=_name
)
def test_roots_request_is_kept_too(bench: ApiBench, route: Route) -> None:
    path, body = _path(bench, route), _body(bench, route)
    last_id = _last_id(bench)
    reply = bench.root(route.method, path, body)
    kept = _kept_since(bench, last_id)
    if route.path.startswith(("/v1/tokens", "/v1/pair")):
        assert any(one.get("user") == "root" for one in kept), kept
        return
    _is_kept(route, reply, kept, "root", Role.ADMIN)


def _is_kept(route: Route, reply: Reply, kept: list[dict[str, Any]], user: str, role: Role) -> None:
    # A state that says no (TOO_LATE, SHIFT_OPEN) is asked too: whoever tried is known.
    assert reply.status < 300 or reply.status in (409, 422), (route, reply.body)
    assert any(one.get("user") == user and one.get("role") == role for one in kept), (
        route,
        reply.body,
        kept,
    )


def test_a_repeat_is_not_asked_twice(bench: ApiBench) -> None:
    token, key = bench.token(Role.ENGINEER), str(uuid.uuid4())
    path = "/v1/kkt/circuit_breaker/reset"
    first = bench.lan("POST", path, None, token=token, key=key)
    last_id = _last_id(bench)
    again = bench.lan("POST", path, None, token=token, key=key)
    assert (first.status, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert _kept_since(bench, last_id) == []


def test_support_reads_who_it_was(bench: ApiBench) -> None:
    token = bench.token(Role.ENGINEER)
    plan = {"reason": "замена ленты", "estimated_duration_minutes": 5}
    bench.lan("POST", "/v1/pos/maintenance", plan, token=token, key=str(uuid.uuid4()))
    found = bench.root("GET", "/v1/kkt/buffer/logs?limit=10").body["items"]
    [asked] = [one for one in found if one["event"] == "person_asked"][:1]
    assert asked["message"] == (
        "Команда человека. (user: test engineer, role: engineer, request: POST /v1/pos/maintenance)"
    )
    bench.root("DELETE", "/v1/pos/maintenance")


def test_what_is_refused_at_the_door_leaves_nothing(bench: ApiBench) -> None:
    last_id = _last_id(bench)
    body = {"cashier": SALE["cashier"], "pos_id": POS_ID}
    path = "/v1/kkt/z_report"
    key = str(uuid.uuid4())
    assert bench.lan("POST", path, body, token=bench.token(Role.CASHIER), key=key).status == 403
    assert bench.lan("POST", path, body, key=key).status == 401
    assert _kept_since(bench, last_id) == []
