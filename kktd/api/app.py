"""Builds the FastAPI application: the table of routes, and every error to its answer in one place.

Handlers are `async` and take a `Call`; what blocks runs in the API's own threads (api/call.py), so
that no number of slow sales delays a look at the till's health.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from kktd import log
from kktd.api import (
    alerts,
    backup,
    buffer,
    describe,
    device,
    dlq,
    doubts,
    health,
    live,
    logs,
    maintenance,
    metrics,
    ofd,
    operations,
    page,
    pairing,
    power,
    printer,
    products,
    receipts,
    refunds,
    salvage,
    shifts,
    tokens,
)
from kktd.api.auth import authorise
from kktd.api.call import NOBODY, Access, Call, Listener, Route, Runtime
from kktd.api.errors import answer_response, error_response, plain_error, status_of
from kktd.api.gate import Gate
from kktd.api.messages import Language
from kktd.api.till import Till
from kktd.errors import KktdError, NotFound, NotNow, ShuttingDown, StoreUnavailable
from kktd.events import Event
from kktd.power.table import PowerState
from kktd.store.tokens import Role

ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "/v1/kkt/receipt", Role.CASHIER, receipts.create),
    Route("GET", "/v1/kkt/receipt/{receipt_id}", Role.CASHIER, receipts.show),
    Route("POST", "/v1/kkt/receipt/{receipt_id}/cancel", Role.CASHIER, receipts.cancel),
    Route("POST", "/v1/kkt/receipt/{receipt_id}/print", Role.CASHIER, receipts.print_again),
    Route(
        "POST",
        "/v1/kkt/receipt/{receipt_id}/registered",
        Role.ENGINEER,
        doubts.settle_registered,
    ),
    Route("POST", "/v1/kkt/receipt/{receipt_id}/absent", Role.ENGINEER, doubts.settle_absent),
    Route("POST", "/v1/pos/refund", Role.CASHIER, refunds.check),
    Route("POST", "/v1/kkt/shift/open", Role.CASHIER, operations.open_shift),
    Route("POST", "/v1/kkt/x_report", Role.CASHIER, operations.x_report),
    Route("POST", "/v1/kkt/z_report", Role.SUPERVISOR, operations.z_report),
    Route("POST", "/v1/kkt/cash_in", Role.SUPERVISOR, operations.cash_in),
    Route("POST", "/v1/kkt/cash_out", Role.SUPERVISOR, operations.cash_out),
    Route("POST", "/v1/kkt/drawer", Role.CASHIER, operations.drawer),
    Route("GET", "/v1/kkt/session/{pos_id}", Role.SUPERVISOR, shifts.session),
    Route("GET", "/v1/kkt/buffer/status", Access.OPEN, buffer.status),
    Route("POST", "/v1/kkt/buffer/sync", Role.SUPERVISOR, buffer.sync),
    Route("POST", "/v1/kkt/circuit_breaker/reset", Role.ENGINEER, buffer.reset_breaker),
    Route("GET", "/v1/kkt/buffer/logs", Role.SUPERVISOR, logs.show),
    Route("GET", "/v1/kkt/dlq", Role.SUPERVISOR, dlq.show),
    Route("POST", "/v1/kkt/dlq/{dlq_id}/retry", Role.ENGINEER, dlq.retry),
    Route("POST", "/v1/kkt/dlq/{dlq_id}/resolve", Role.ENGINEER, dlq.resolve),
    Route("GET", "/v1/kkt/products", Role.CASHIER, products.find),
    Route("POST", "/v1/kkt/cache/refresh", Role.ENGINEER, products.refresh),
    Route("GET", "/v1/printer", Role.ENGINEER, printer.show),
    Route("POST", "/v1/printer/accept", Role.ENGINEER, printer.accept),
    Route("GET", "/v1/printer/fn", Role.ENGINEER, device.fn),
    Route("GET", "/v1/printer/clock", Role.ENGINEER, device.clock),
    Route("POST", "/v1/printer/clock", Role.ENGINEER, device.set_clock),
    Route("POST", "/v1/printer/cut", Role.ENGINEER, device.cut),
    Route("GET", "/v1/printer/documents/{fd}", Role.ENGINEER, device.document),
    Route("GET", "/v1/printer/registers/{kind}/{number}", Role.ENGINEER, device.register),
    Route("GET", "/v1/printer/tables/{table}", Role.ENGINEER, device.table),
    Route("GET", "/v1/printer/tables/{table}/{row}/{field}", Role.ENGINEER, device.field),
    Route("POST", "/v1/printer/tables/{table}/{row}/{field}", Role.ENGINEER, device.write_field),
    Route("POST", "/v1/pos/maintenance", Role.ENGINEER, maintenance.begin),
    Route("DELETE", "/v1/pos/maintenance", Role.ENGINEER, maintenance.end),
    Route("GET", "/", Access.PUBLIC, page.show),
    Route("GET", "/page/{file}", Access.PUBLIC, page.part),
    Route("GET", "/v1/health", Access.OPEN, health.show),
    Route("GET", "/v1/openapi.json", Access.OPEN, describe.show),
    Route("GET", "/v1/events", Access.OPEN, live.show),
    Route("GET", "/v1/ready", Access.SOCKET, health.ready),
    Route("GET", "/metrics", Access.OPEN, metrics.show),
    Route("POST", "/v1/ofd/probe", Access.SOCKET, ofd.probe),
    Route("GET", "/v1/salvage", Access.SOCKET, salvage.show),
    Route("POST", "/v1/salvage/confirm", Access.SOCKET, salvage.confirm),
    Route("POST", "/v1/backup", Access.SOCKET, backup.begin),
    Route("GET", "/v1/backup", Access.SOCKET, backup.show),
    Route("GET", "/v1/power", Access.SOCKET, power.show),
    Route("POST", "/v1/power/{event}", Access.SOCKET, power.note),
    Route("POST", "/v1/alerts/test", Access.SOCKET, alerts.test),
    Route("POST", "/v1/pair", Access.CODE, pairing.redeem),
    Route("POST", "/v1/pair", Access.SOCKET, pairing.offer),
    Route("POST", "/v1/tokens", Access.SOCKET, tokens.create),
    Route("GET", "/v1/tokens", Access.SOCKET, tokens.show),
    Route("POST", "/v1/tokens/{token_id}/revoke", Access.SOCKET, tokens.revoke),
)


@dataclass(frozen=True, slots=True)
class Api:
    """The application and its threads; `behind` gives it a door for one listener."""

    app: FastAPI
    runtime: Runtime
    till: Till

    def behind(self, listener: Listener) -> ASGIApp:
        return Gate(self.app, listener, lambda: self.till.settings().api.origins)


def build_api(till: Till) -> Api:
    """Nothing listens yet; see api/server.py."""
    runtime = Runtime()
    # FastAPI's own document is not asked for: it knows nothing of plain routes (api/describe.py).
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path in dict.fromkeys(route.path for route in ROUTES):
        rows = tuple(route for route in ROUTES if route.path == path)
        # Plain routes: FastAPI would look in each request for parameters that schemas.py checks.
        # No methods means any: which of them a path has depends on the listener.
        app.add_route(path, _endpoint(rows, till, runtime), methods=[])
    app.exception_handler(KktdError)(_on_error(till))
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(Exception)(_on_defect)
    return Api(app, runtime, till)


def _endpoint(
    rows: tuple[Route, ...], till: Till, runtime: Runtime
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        listener, request_id, language = _facts(request)
        route = _pick(rows, request.method, listener)
        call = Call(request, till, runtime, listener, NOBODY)
        call.caller = authorise(call, route.access)
        answer = await route.handler(call)
        if isinstance(answer, Response):
            return answer
        return answer_response(answer, request_id, language, replayed=call.replayed)

    return endpoint


def _pick(rows: tuple[Route, ...], method: str, listener: Listener) -> Route:
    """The row of one path that this listener has.  Raises NotFound, HTTPException(405)."""
    here = [route for route in rows if route.is_on(listener)]
    if not here:
        raise NotFound("no such path")
    for route in here:
        if method in route.methods:
            return route
    allowed = ", ".join(dict.fromkeys(one for route in here for one in route.methods))
    raise HTTPException(405, headers={"Allow": allowed})


def _on_error(till: Till) -> Callable[[Request, KktdError], Awaitable[Response]]:
    async def answer(request: Request, error: KktdError) -> Response:
        _, request_id, language = _facts(request)
        if isinstance(error, StoreUnavailable) and till.power.seen.state is PowerState.HALTING:
            error = ShuttingDown("the battery ends", remedy="battery_ends")
        if status_of(error) >= 500 and not isinstance(error, NotNow):  # those log where they arise
            log.event(
                Event.REQUEST_FAILED,
                id=request_id,
                method=request.method,
                path=request.url.path,
                code=error.code,
                error=str(error),
                details={key: str(value) for key, value in error.details.items()},
            )
        return error_response(error, request_id, language)

    return answer


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    """What the router itself refuses: unknown paths and methods."""
    _, request_id, language = _facts(request)
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "MALFORMED")
    headers = dict(error.headers or {})
    return plain_error(error.status_code, code, {}, request_id, language, headers)


async def _on_defect(request: Request, error: Exception) -> Response:
    """Answered here, else the framework would in its own words; it goes on to the gate's log."""
    del error
    _, request_id, language = _facts(request)
    return plain_error(500, "INTERNAL", {}, request_id, language)


def _facts(request: Request) -> tuple[Listener, str, Language]:
    facts: tuple[Listener, str, Language] = request.scope["kktd"]
    return facts
