"""Shifts: open, close with the Z-report, and what is in the drawer."""

from __future__ import annotations

from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import digest_of, key_of
from kktd.api.schemas import ShiftBody, parse
from kktd.api.times import iso
from kktd.api.waiting import await_answer
from kktd.errors import Invalid, UnknownPos
from kktd.model.money import rubles
from kktd.receipts.answers import Answer, Ticket
from kktd.store import sessions
from kktd.store.connection import Db
from kktd.store.operations import OperationKind


async def open_shift(call: Call) -> Answer:
    """POST /v1/kkt/shift/open."""
    return await _operate(call, OperationKind.SHIFT_OPEN)


async def z_report(call: Call) -> Answer:
    """POST /v1/kkt/z_report."""
    return await _operate(call, OperationKind.Z_REPORT)


async def _operate(call: Call, kind: OperationKind) -> Answer:
    key = key_of(call)
    body = await read_body(call.request)
    digest = digest_of(call, body)
    desk = call.till.desk

    def accept() -> Ticket:
        asked = parse(ShiftBody, parse_json(body))
        pos_id = asked.pos_id or _only_pos(call)
        return desk.operate(kind, pos_id, asked.cashier.to_model(), key, digest)

    ticket = await call.write(accept)
    call.replayed = ticket.replayed
    return await await_answer(call, ticket, lambda: desk.operation_answer(ticket.id))


def _only_pos(call: Call) -> str:
    served = call.till.settings().till.pos_ids
    if len(served) != 1:
        raise Invalid("the field is missing", field="pos_id")
    return served[0]


async def session(call: Call) -> Answer:
    """GET /v1/kkt/session/{pos_id}: the open shift, else the last one."""
    pos_id = str(call.request.path_params["pos_id"])
    if pos_id not in call.till.settings().till.pos_ids:
        raise UnknownPos("this till does not serve that pos_id", pos_id=pos_id[:64])

    def query(db: Db) -> Answer:
        found = sessions.find_last(db, pos_id)
        return Answer(
            200,
            {
                "session_id": found.session_id,
                "pos_id": found.pos_id,
                "status": "open" if found.closed_at_s is None else "closed",
                "fn": found.fn,
                "shift_number": found.shift_number,
                "opened_at": iso(found.opened_at_s),
                "closed_at": iso(found.closed_at_s),
                "balances": {
                    method.value: rubles(amount) for method, amount in found.balances.items()
                },
                "total_sales": rubles(found.sales_total),
                "total_refunds": rubles(found.refunds_total),
                "unsynced_transactions": sessions.count_unsynced_transactions(db, pos_id),
                "last_reconciled": iso(found.last_reconciled_s),
            },
        )

    return await call.read(lambda: call.till.store.read(query))
