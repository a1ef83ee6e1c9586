"""The till is what its OpenAPI document says: schemathesis asks it as every caller there is.

Real application, desk, store and lane; the registrar is simulated.  The seed is fixed; `--long`
asks twenty times as much.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from kktd.api.call import Listener
from kktd.api.openapi.document import document
from kktd.config import ApiSettings, BufferSettings, PrinterSettings, Settings, TillSettings
from kktd.store.tokens import Role
from tests.support.api import ApiBench
from tests.support.fuzz import Found, fuzz
from tests.support.till import POS_ID
from tests.unit.api.test_support import give_up

CHECKS: Final = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
    "object_level_authorization",
}
# Each needs a state of the till that no request brings about; other tests do.
UNREACHED: Final = {
    "GET /v1/health",  # a caller before it began the maintenance
    "GET /v1/kkt/products",
    "POST /v1/kkt/cache/refresh",
    "POST /v1/kkt/dlq/{dlq_id}/retry",
    "POST /v1/kkt/receipt/{receipt_id}/absent",
    "POST /v1/kkt/receipt/{receipt_id}/cancel",
    "POST /v1/kkt/receipt/{receipt_id}/print",
    "POST /v1/kkt/receipt/{receipt_id}/registered",
    "POST /v1/kkt/shift/open",
    "POST /v1/pair",
    "POST /v1/backup",
    "POST /v1/ofd/probe",
    "GET /v1/printer/documents/{fd}",
    "GET /v1/printer/registers/{kind}/{number}",
    "GET /v1/printer/tables/{table}",
    "GET /v1/printer/tables/{table}/{row}/{field}",
    "POST /v1/printer/tables/{table}/{row}/{field}",
    "POST /v1/pos/refund",
}
QUICK: Final = ("examples", "fuzzing")
WHOLE: Final = ("examples", "coverage", "fuzzing", "stateful")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiBench]:
    settings = Settings(
        till=TillSettings(pos_ids=(POS_ID,)),
        api=ApiSettings(names=("pos-001.local",)),
        printer=PrinterSettings(print_timeout_ms=3_000),
        buffer=BufferSettings(capacity=1_000),
    )
    folder, certificates = tmp_path_factory.mktemp("till"), tmp_path_factory.mktemp("tls")
    made = ApiBench(folder, certificates, settings, plain=True)
    yield made
    made.close()


@pytest.fixture
def known(bench: ApiBench) -> Mapping[str, str]:
    """What exists at this till, by the name of the path's parameter."""
    bench.root("DELETE", "/v1/pos/maintenance")
    sold = bench.root("POST", "/v1/kkt/receipt", bench_sale())
    made = bench.root("POST", "/v1/tokens", {"role": "cashier", "name": "на отзыв"})
    return {
        "receipt_id": sold.body["receipt_id"],
        "dlq_id": give_up(bench)[1],
        "token_id": made.body["id"],
        "pos_id": POS_ID,
        "fd": "1",
        "kind": "money",
        "number": "0",
        "table": "1",
        "row": "1",
        "field": "1",
    }


def bench_sale() -> dict[str, Any]:
    return {
        "pos_id": POS_ID,
        "type": "sale",
        "items": [{"name": "Хлеб", "qty": 1, "price": "50.00", "vat": "10%"}],
        "payments": [{"method": "cash", "amount": "500000.00"}],
        "cashier": {"name": "Иванова А. П."},
    }


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    return 60 if request.config.getoption("--long") else 3


def _lan() -> dict[str, Any]:
    return document(Listener.LAN, "0", open_reading=True)


def _check(found: Found) -> None:
    assert found.requests > 50
    assert not found.failures, "\n\n".join(found.failures[:5])


def test_admin_finds_the_lan_as_described(
    bench: ApiBench, known: Mapping[str, str], examples: int
) -> None:
    found = fuzz(
        bench,
        _lan(),
        bench.plain_lan,
        token=bench.token(Role.ADMIN),
        known=known,
        examples=examples,
        phases=WHOLE,
    )
    _check(found)
    assert set(found.checks) == CHECKS
    assert set(found.answered) - found.succeeded <= UNREACHED


def test_root_finds_the_unix_socket_as_described(
    bench: ApiBench, known: Mapping[str, str], examples: int
) -> None:
    described = document(Listener.SOCKET, "0", open_reading=True)
    found = fuzz(bench, described, bench.plain_root, known=known, examples=examples, phases=WHOLE)
    _check(found)
    assert set(found.answered) - found.succeeded <= UNREACHED


@pytest.mark.parametrize("role", [Role.CASHIER, Role.SUPERVISOR, Role.ENGINEER])
def test_every_role_finds_the_lan_as_described(
    bench: ApiBench, known: Mapping[str, str], examples: int, role: Role
) -> None:
    found = fuzz(
        bench,
        _lan(),
        bench.plain_lan,
        token=bench.token(role),
        known=known,
        examples=examples,
        phases=QUICK,
    )
    _check(found)
    for path, row in _lan()["paths"].items():
        for method, call in row.items():
            counted = set(found.answered.get(f"{method.upper()} {path}", ()))
            wanted = call.get("x-role")
            if wanted and not role.covers(Role(wanted)):
                assert counted <= {401, 403}, (path, counted)


def test_nobody_finds_the_lan_as_described(
    bench: ApiBench, known: Mapping[str, str], examples: int
) -> None:
    found = fuzz(bench, _lan(), bench.plain_lan, known=known, examples=examples, phases=QUICK)
    _check(found)
    guarded = {
        f"{method.upper()} {path}"
        for path, row in _lan()["paths"].items()
        for method, call in row.items()
        if "security" in call
    }
    assert not guarded & found.succeeded


# ---- negative controls --------------------------------------------------------------------------


def _status_is_missing(call: dict[str, Any]) -> None:
    del call["responses"]["200"]


def _a_field_is_required_that_nobody_sends(call: dict[str, Any]) -> None:
    schema = {"type": "object", "required": ["colour"]}
    call["responses"]["200"]["content"]["application/json"]["schema"] = schema


def _the_token_is_forgotten(call: dict[str, Any]) -> None:
    call["security"] = [{"token": []}]


def _a_header_is_promised(call: dict[str, Any]) -> None:
    call["responses"]["200"]["headers"]["X-Colour"] = {"required": True, "schema": {}}


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        (_status_is_missing, "status_code_conformance"),
        (_a_field_is_required_that_nobody_sends, "response_schema_conformance"),
        (_the_token_is_forgotten, "ignored_auth"),
        (_a_header_is_promised, "response_headers_conformance"),
    ],
)
def test_a_document_that_lies_is_caught(
    bench: ApiBench, lie: Callable[[dict[str, Any]], None], check: str
) -> None:
    data = copy.deepcopy(_lan())
    path = "/v1/kkt/buffer/status"
    data["paths"] = {path: data["paths"][path], "/v1/events": {}}
    lie(data["paths"][path]["get"])
    found = fuzz(bench, data, bench.plain_lan, examples=1, phases=("coverage", "fuzzing"))
    assert any(f"GET {path}: {check}: " in one for one in found.failures), found.failures


def test_a_body_that_is_taken_against_the_document_is_caught(bench: ApiBench) -> None:
    data = copy.deepcopy(document(Listener.SOCKET, "0", open_reading=True))
    path = "/v1/alerts/test"
    data["paths"] = {path: data["paths"][path], "/v1/events": {}}
    body = data["components"]["schemas"]["Nothing"]
    body["properties"], body["required"] = {"colour": {"type": "string"}}, ["colour"]
    found = fuzz(bench, data, bench.plain_root, examples=5, phases=("coverage",))
    assert any(f"POST {path}: negative_data_rejection: " in one for one in found.failures), (
        found.failures,
        found.answered,
    )
