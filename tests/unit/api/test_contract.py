"""Lines of the contract that no other test asks: components of health, waits, languages, HEAD."""

from __future__ import annotations

import uuid

import pytest

from kktd.api.app import ROUTES
from kktd.api.call import Access, Listener
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench

COMPONENTS = {
    *("kkt_device", "ofd_connection", "buffer", "circuit_breaker", "fn", "power", "disk", "clock")
}


def test_health_has_the_components_of_the_contract(bench: ApiBench) -> None:
    found = bench.lan("GET", "/v1/health").body["components"]
    assert COMPONENTS | {"workers"} <= set(found)
    circuit = {"state", "failure_count", "last_failure_time", "next_attempt_time"}
    assert set(found["circuit_breaker"]) == circuit
    assert {"serial", "documents_left", "expires", "oldest_unsent"} <= set(found["fn"])
    assert found["clock"] == {"status": "healthy", "drift_seconds": None}


@pytest.mark.parametrize(
    "path",
    [
        one.path
        for one in ROUTES
        if one.method == "GET" and one.is_on(Listener.LAN) and one.access is Access.OPEN
    ],
)
def test_head_says_what_get_says_without_its_body(bench: ApiBench, path: str) -> None:
    head = bench.lan("HEAD", path)
    assert (head.status, head.raw) == (200, b"")
    assert "X-Request-Id" in head.headers


def test_every_error_speaks_both_languages(bench: ApiBench) -> None:
    for asked, said in (("en-GB, ru;q=0.3", "token"), ("ru", "токен"), ("de", "токен")):
        reply = bench.lan("GET", "/v1/kkt/dlq", headers={"Accept-Language": asked})
        assert said in reply.body["message"]


def test_a_method_that_a_path_does_not_have_names_those_it_has(bench: ApiBench) -> None:
    reply = bench.lan("PUT", "/v1/pos/maintenance", {}, token=bench.token(Role.ADMIN))
    assert (reply.status, reply.code) == (405, "METHOD_NOT_ALLOWED")
    assert set(reply.headers["Allow"].split(", ")) == {"POST", "DELETE"}


def test_a_receipt_is_answered_with_the_fields_of_the_contract(bench: ApiBench) -> None:
    sold = bench.sell(SALE, key=str(uuid.uuid4()))
    assert sold.status == 200
    assert set(sold.body) >= {
        "receipt_id",
        "status",
        "print_state",
        "fiscal_doc",
        "buffer_info",
        "change",
    }
    document = {"fn", "fd", "fp", "shift", "receipt_no", "datetime", "qr"}
    assert set(sold.body["fiscal_doc"]) == document
    place = {"queue_position", "total_queued", "estimated_sync_time"}
    assert set(sold.body["buffer_info"]) == place
