"""Receipts: sell, refund, look, withdraw, print again."""

from __future__ import annotations

from dataclasses import replace

from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import digest_of, key_of, once
from kktd.api.schemas import Nothing, parse, receipt_from
from kktd.api.times import iso
from kktd.api.waiting import await_answer
from kktd.model.money import rubles
from kktd.model.receipt import Original
from kktd.receipts.answers import Answer, Ticket
from kktd.receipts.refunds import Odoo
from kktd.store.receipts import StoredReceipt
from kktd.store.tokens import Role


async def create(call: Call) -> Answer:
    """POST /v1/kkt/receipt: on disk first, then wait for the printer, at most the timeout."""
    clock = call.till.clock
    started_s = clock.monotonic_s()
    key = key_of(call)
    body = await read_body(call.request)
    digest = digest_of(call, body)
    pos_ids: list[str] = []
    role = call.caller.role
    supervised, testing = role.covers(Role.SUPERVISOR), role.covers(Role.ENGINEER)

    trace = call.till.tracing.begin(call.request.headers.getlist("traceparent"))

    def accept() -> Ticket:
        with call.till.tracing.span("accept", trace):
            return take()

    def take() -> Ticket:
        settings = call.till.settings()
        receipt = receipt_from(parse_json(body), settings.tax_system, settings.printer.ffd)
        pos_ids.append(receipt.pos_id)
        return call.till.desk.accept(
            receipt,
            key,
            digest,
            supervised=supervised,
            testing=testing,
            odoo=what_odoo_knows(call, receipt.original),
            by=call.by,
        )

    ticket = await call.write(accept)
    call.replayed = ticket.replayed
    answer = await await_answer(call, ticket, lambda: _present(call, ticket.id))
    if answer.status == 200 and not ticket.replayed:
        if answer.hint is None and ticket.pos_id in call.till.old_shifts():
            answer = replace(answer, hint="shift_old")
        call.till.metrics.observe_latency(pos_ids[0], clock.monotonic_s() - started_s)
    return answer


def what_odoo_knows(call: Call, original: Original | None) -> Odoo:
    """Of an original this till never had; asked before the transaction, never in it."""
    questions = call.till.questions
    if original is None or questions is None or call.till.desk.knows(original):
        return Odoo.AWAY
    return questions.receipt(original)


async def show(call: Call) -> Answer:
    """GET /v1/kkt/receipt/{id}."""
    receipt_id = receipt_id_of(call)
    return await call.read(lambda: shown(call, call.till.desk.find(receipt_id)))


async def cancel(call: Call) -> Answer:
    """POST /v1/kkt/receipt/{id}/cancel: only what was never sent."""
    receipt_id = receipt_id_of(call)
    body = await read_body(call.request)
    parse_optional(body)

    async def act() -> Answer:
        return await call.write(lambda: shown(call, call.till.desk.cancel(receipt_id)))

    return await once(call, body, act)


async def print_again(call: Call) -> Answer:
    """POST /v1/kkt/receipt/{id}/print: «повторить печать», never a second fiscal document."""
    receipt_id = receipt_id_of(call)
    body = await read_body(call.request)
    parse_optional(body)

    async def act() -> Answer:
        ticket = await call.write(lambda: call.till.desk.print_again(receipt_id))
        return await await_answer(call, ticket, lambda: _present(call, receipt_id))

    return await once(call, body, act)


def parse_optional(body: bytes) -> None:
    """No body, or an empty object."""
    if body.strip():
        parse(Nothing, parse_json(body))


def receipt_id_of(call: Call) -> str:
    """Of the path."""
    return str(call.request.path_params["receipt_id"]).lower()


def _present(call: Call, receipt_id: str) -> Answer:
    return call.till.desk.answer(call.till.desk.find(receipt_id))


def shown(call: Call, stored: StoredReceipt) -> Answer:
    """As GET /v1/kkt/receipt/{id} tells it."""
    problem = stored.problem or {}
    return Answer(
        200,
        {
            "id": stored.id,
            "pos_id": stored.receipt.pos_id,
            "status": stored.delivery,
            "print_state": stored.state,
            "held": stored.held,
            "created_at": iso(stored.created_at_s),
            "synced_at": iso(stored.synced_at_s),
            "total": rubles(stored.receipt.total),
            "fiscal_doc": stored.document.as_json() if stored.document else None,
            "marking": [mark.as_json() for mark in stored.document.marks]
            if stored.document
            else [],
            "retry_count": stored.retry_count,
            "last_error": stored.last_error or problem.get("reason"),
        },
        hint=call.till.desk.answer(stored).hint,
    )
