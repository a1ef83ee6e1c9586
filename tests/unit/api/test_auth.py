"""Who may call what, by listener, token and role."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import stat
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from kktd.api import tls
from kktd.api.app import ROUTES
from kktd.api.call import Access, Listener, Route
from kktd.api.guesses import WINDOW_S
from kktd.api.listeners import unix_socket
from kktd.clock import SystemClock
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench, UnixHttp, exchange

GUARDED = [route for route in ROUTES if isinstance(route.access, Role)]
LAN_PATHS = {route.path for route in ROUTES if route.is_on(Listener.LAN)}
SOCKET_ONLY = [
    route for route in ROUTES if route.access is Access.SOCKET and route.path not in LAN_PATHS
]


def _path(route: Route) -> str:
    return re.sub(r"\{\w+\}", "1", route.path.replace("{pos_id}", "POS-001"))


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
def test_no_token_and_a_wrong_token_are_unauthorized(bench: ApiBench, route: Route) -> None:
    before = bench.stored_receipts()
    assert bench.till is not None
    bench.till.clock.advance(WINDOW_S)  # nobody is slowed for the guesses of the test before
    for header in (None, "Bearer " + "x" * 43, "Bearer", "Basic dTpw", "Bearer x y"):
        headers = {"Authorization": header} if header else {}
        reply = bench.lan(route.method, _path(route), SALE, headers, key=str(uuid.uuid4()))
        assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert bench.stored_receipts() == before


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
def test_a_role_below_is_forbidden_and_one_above_is_let_in(bench: ApiBench, route: Route) -> None:
    for role in Role:
        body = None if route.method == "GET" else b"not JSON"
        reply = bench.lan(
            route.method, _path(route), body, token=bench.token(role), key=str(uuid.uuid4())
        )
        assert isinstance(route.access, Role)
        if role.covers(route.access):
            assert reply.status not in (401, 403), (role, reply.body)
        else:
            assert (reply.status, reply.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize("route", SOCKET_ONLY, ids=lambda route: f"{route.method} {route.path}")
def test_what_root_may_does_not_exist_elsewhere(bench: ApiBench, route: Route) -> None:
    for token in (None, bench.token(Role.ADMIN)):
        reply = bench.lan(route.method, _path(route), {}, token=token, key=str(uuid.uuid4()))
        assert (reply.status, reply.code) == (404, "NOT_FOUND")


def test_nothing_changes_on_get() -> None:
    assert {route.method for route in ROUTES} == {"GET", "POST", "DELETE"}
    for listener in Listener:
        here = [(route.method, route.path) for route in ROUTES if route.is_on(listener)]
        assert len(set(here)) == len(here)


def test_reading_is_open_unless_the_setting_closes_it(own_bench: ApiBench) -> None:
    paths = ("/v1/health", "/v1/kkt/buffer/status", "/metrics")
    token = own_bench.token(Role.CASHIER)
    for path in paths:
        assert own_bench.lan("GET", path).status == 200
    api = replace(own_bench.settings.api, open_reading=False)
    own_bench.settings = replace(own_bench.settings, api=api)
    for path in paths:
        assert own_bench.lan("GET", path).code == "UNAUTHORIZED"
        assert own_bench.lan("GET", path, token=token).status == 200


def test_a_token_is_shown_once_and_stored_as_a_hash(bench: ApiBench) -> None:
    made = bench.root("POST", "/v1/tokens", {"role": "engineer", "name": "Петров"})
    assert made.status == 201
    assert set(made.body) == {"id", "token", "role", "name"}
    assert len(made.body["token"]) >= 43
    listed = bench.root("GET", "/v1/tokens")
    assert made.body["token"] not in listed.raw.decode()
    assert made.body["id"] in [one["id"] for one in listed.body["tokens"]]
    assert bench.till is not None
    dump = bench.till.store.read(lambda db: db.execute("SELECT * FROM tokens").fetchall())
    assert made.body["token"] not in repr(dump)


def test_a_revoked_token_opens_nothing_from_then_on(bench: ApiBench) -> None:
    made = bench.root("POST", "/v1/tokens", {"role": "supervisor", "name": "ушёл"}).body
    path = "/v1/kkt/session/POS-001"
    assert bench.lan("GET", path, token=made["token"]).status in (200, 404)
    revoked = bench.root("POST", f"/v1/tokens/{made['id']}/revoke")
    assert revoked.body["revoked_at"]
    assert bench.lan("GET", path, token=made["token"]).code == "UNAUTHORIZED"
    assert bench.root("POST", "/v1/tokens/nobody/revoke").code == "NOT_FOUND"


@pytest.mark.parametrize("body", [{"role": "king", "name": "x"}, {"role": "admin"}, {}, []])
def test_a_token_needs_a_known_role_and_a_name(bench: ApiBench, body: object) -> None:
    before = len(bench.stored_tokens())
    assert bench.root("POST", "/v1/tokens", body).status in (400, 422)
    assert len(bench.stored_tokens()) == before


def test_the_metrics_port_shows_metrics_alone(bench: ApiBench) -> None:
    def ask(path: str, method: str = "GET") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", bench.metrics_port, timeout=10)
        return exchange(connection, method, path).status

    assert ask("/metrics") == 200
    for route in ROUTES:
        if route.path != "/metrics":
            assert ask(_path(route), route.method) == 404
            assert ask(_path(route), "PUT") == 404


def test_the_lan_speaks_tls_of_the_tills_own_ca_and_the_socket_does_not(bench: ApiBench) -> None:
    with (
        socket.create_connection(("127.0.0.1", bench.lan_port), 5) as plain,
        bench.trust().wrap_socket(plain, server_hostname="pos-001.local") as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")
    served = tls.ensure(bench.certificates, bench.settings.api.names, SystemClock())
    assert served.minimum_version is ssl.TLSVersion.TLSv1_2
    assert exchange(UnixHttp(bench.socket_path), "GET", "/v1/ready").status == 200


def test_no_answer_tells_what_runs_here_or_sets_a_cookie(bench: ApiBench) -> None:
    reply = bench.lan("GET", "/v1/health")
    assert "Server" not in reply.headers
    assert "Set-Cookie" not in reply.headers
    assert reply.headers["Cache-Control"] == "no-store"


def test_the_daemons_socket_is_roots_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    sock = unix_socket(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sock.close()
