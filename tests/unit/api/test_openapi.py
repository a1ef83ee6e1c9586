"""The API's own description: served, whole, and true; every answer of these tests is held to it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import uuid
from typing import Any, Final

import jsonschema_rs
import pytest

from kktd.api.app import ROUTES
from kktd.api.call import Access, Listener
from kktd.api.errors import STATUS
from kktd.api.messages import CODES
from kktd.api.openapi.calls import CALLS
from kktd.api.openapi.document import codes_of, document, status_of_code
from kktd.api.openapi.said import Key
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench
from tests.support.openapi import Document, check_answer, described

LISTENERS: Final = (Listener.LAN, Listener.SOCKET)


@pytest.mark.parametrize("listener", LISTENERS)
def test_it_is_served_without_a_token_and_says_what_this_listener_has(
    bench: ApiBench, listener: Listener
) -> None:
    ask = bench.lan if listener is Listener.LAN else bench.root
    reply = ask("GET", "/v1/openapi.json")
    assert reply.status == 200
    assert reply.body["openapi"] == "3.1.0"
    said = {(method.upper(), path) for path, row in reply.body["paths"].items() for method in row}
    assert said == {(one.method, one.path) for one in ROUTES if one.is_on(listener)}
    assert reply.body["paths"] == document(listener, "0.1.0", open_reading=True)["paths"]


def test_every_route_is_described_and_nothing_else() -> None:
    assert set(CALLS) == {route.handler for route in ROUTES}


def test_roles_are_those_of_the_table_and_root_needs_none() -> None:
    lan = described(Listener.LAN, open_reading=True)
    for route in ROUTES:
        if not route.is_on(Listener.LAN):
            continue
        said = lan.find(route.method, route.path.replace("{", "").replace("}", ""))
        assert said is not None
        assert said.get("x-role") == (
            route.access.value if isinstance(route.access, Role) else None
        )
    assert "security" not in json.dumps(described(Listener.SOCKET, open_reading=True).data)
    closed = described(Listener.LAN, open_reading=False).find("GET", "/v1/health")
    assert closed is not None
    assert "401" in closed["responses"]


def test_a_key_is_wanted_exactly_where_it_is_said(bench: ApiBench) -> None:
    bodies: dict[str, object] = {"/v1/pair": {"code": "00000000"}}
    for route in ROUTES:
        if route.is_on(Listener.LAN) and route.method != "GET":
            path = route.path.format(receipt_id="r", dlq_id="d", table=1, row=1, field=1)
            body = bodies.get(path, dict(next(iter(CALLS[route.handler].examples))))
            reply = bench.lan(route.method, path, body, token=bench.token(Role.ADMIN))
            wanted = CALLS[route.handler].key is Key.WANTED
            assert (reply.code == "KEY_MISSING") == wanted, path


def test_every_example_of_a_body_is_what_its_schema_takes() -> None:
    for listener in LISTENERS:
        said = described(listener, open_reading=True)
        for path, row in said.data["paths"].items():
            for method, call in row.items():
                for media in call.get("requestBody", {}).get("content", {}).values():
                    assert media["examples"], path
                    for example in media["examples"].values():
                        raw = json.dumps(example["value"]).encode()
                        assert said.problems(json.dumps(media["schema"]), raw) == [], path
                for status, answer in call["responses"].items():
                    for media in answer["content"].values():
                        for reference in media.get("examples", {}).values():
                            value = said.resolve(reference["$ref"])["value"]
                            raw = json.dumps(value).encode()
                            problems = said.problems(json.dumps(media["schema"]), raw)
                            assert problems == [], (method, path, status)


def test_every_schema_is_one() -> None:
    for listener in LISTENERS:
        for schema in described(listener, open_reading=True).data["components"]["schemas"].values():
            jsonschema_rs.meta.validate(schema)


def test_every_code_that_is_said_has_a_status_and_a_sentence() -> None:
    for route in ROUTES:
        for code in codes_of(route):
            assert status_of_code(code) in {*STATUS.values()}, code
            assert code in CODES, code


def test_it_costs_nothing_at_start() -> None:
    script = "import sys, kktd.daemon; print([m for m in sys.modules if 'openapi' in m])"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=60
    )
    assert said.stdout.strip() == "[]"


# ---- negative controls: a document that lies is caught ------------------------------------------


def _without_a_status(call: dict[str, Any], _: dict[str, Any]) -> None:
    del call["responses"]["200"]


def _another_media_type(call: dict[str, Any], _: dict[str, Any]) -> None:
    content = call["responses"]["200"]["content"]
    content["text/html"] = content.pop("application/json")


def _a_field_that_is_not_there(_: dict[str, Any], schemas: dict[str, Any]) -> None:
    schemas["ReceiptPrinted"]["required"].append("total")


def _a_field_nobody_described(_: dict[str, Any], schemas: dict[str, Any]) -> None:
    del schemas["ReceiptPrinted"]["properties"]["change"]
    schemas["ReceiptPrinted"]["required"].remove("change")


def _another_type(_: dict[str, Any], schemas: dict[str, Any]) -> None:
    schemas["FiscalDoc"]["properties"]["fd"] = {"type": "string"}


def _another_header(call: dict[str, Any], _: dict[str, Any]) -> None:
    call["responses"]["200"]["headers"]["X-Nobody"] = {"$ref": "#/components/headers/RequestId"}


@pytest.mark.parametrize(
    "lie",
    [
        _without_a_status,
        _another_media_type,
        _a_field_that_is_not_there,
        _a_field_nobody_described,
        _another_type,
        _another_header,
    ],
)
def test_a_document_that_lies_is_caught(bench: ApiBench, lie: Any) -> None:
    data = copy.deepcopy(document(Listener.LAN, "0", open_reading=True))
    lie(data["paths"]["/v1/kkt/receipt"]["post"], data["components"]["schemas"])
    reply = bench.sell(SALE, key=str(uuid.uuid4()))
    assert reply.status == 200
    with pytest.raises(AssertionError, match="/v1/kkt/receipt 200"):
        check_answer(Document(data), "POST", "/v1/kkt/receipt", 200, reply.headers, reply.raw)


def test_what_only_root_may_is_not_said_on_the_lan() -> None:
    lan = described(Listener.LAN, open_reading=True).data["paths"]
    for route in ROUTES:
        if route.access is Access.SOCKET and route.path != "/v1/pair":
            assert route.path not in lan
