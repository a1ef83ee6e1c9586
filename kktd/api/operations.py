"""What a till does besides receipts: shifts, reports, cash in and out, the drawer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import digest_of, key_of
from kktd.api.schemas import CashBody, DrawerBody, ShiftBody, parse
from kktd.api.waiting import await_answer
from kktd.errors import Invalid
from kktd.receipts.answers import Answer, Ticket
from kktd.store.operations import OperationKind, Request

Asked = tuple[Request, str | None]  # with its pos_id


async def open_shift(call: Call) -> Answer:
    """POST /v1/kkt/shift/open."""
    return await _operate(call, lambda data: _report(OperationKind.SHIFT_OPEN, data))


async def z_report(call: Call) -> Answer:
    """POST /v1/kkt/z_report."""
    return await _operate(call, lambda data: _report(OperationKind.Z_REPORT, data))


async def x_report(call: Call) -> Answer:
    """POST /v1/kkt/x_report: prints and changes nothing."""
    return await _operate(call, lambda data: _report(OperationKind.X_REPORT, data))


async def cash_in(call: Call) -> Answer:
    """POST /v1/kkt/cash_in."""
    return await _operate(call, lambda data: _cash(OperationKind.CASH_IN, data))


async def cash_out(call: Call) -> Answer:
    """POST /v1/kkt/cash_out."""
    return await _operate(call, lambda data: _cash(OperationKind.CASH_OUT, data))


async def drawer(call: Call) -> Answer:
    """POST /v1/kkt/drawer: opens it, no document."""
    return await _operate(call, _drawer)


def _report(kind: OperationKind, data: dict[str, Any]) -> Asked:
    body = parse(ShiftBody, data)
    return Request(kind, body.cashier.to_model()), body.pos_id


def _cash(kind: OperationKind, data: dict[str, Any]) -> Asked:
    body = parse(CashBody, data)
    cashier = body.cashier.to_model() if body.cashier else None
    return Request(kind, cashier, body.amount, body.reason), body.pos_id


def _drawer(data: dict[str, Any]) -> Asked:
    body = parse(DrawerBody, data)
    cashier = body.cashier.to_model() if body.cashier else None
    return Request(OperationKind.DRAWER, cashier), body.pos_id


async def _operate(call: Call, read: Callable[[dict[str, Any]], Asked]) -> Answer:
    key = key_of(call)
    body = await read_body(call.request)
    digest = digest_of(call, body)
    desk = call.till.desk

    def accept() -> Ticket:
        asked, pos_id = read(parse_json(body) if body.strip() else {})
        return desk.operate(asked, pos_id or _only_pos(call), key, digest, call.by)

    ticket = await call.write(accept)
    call.replayed = ticket.replayed
    return await await_answer(call, ticket, lambda: desk.operation_answer(ticket.id))


def _only_pos(call: Call) -> str:
    served = call.till.settings().till.pos_ids
    if len(served) != 1:
        raise Invalid("the field is missing", field="pos_id")
    return served[0]
