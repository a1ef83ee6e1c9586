"""The DLQ: deliveries that wait for a person; try again, or note that it was dealt with (§5.3)."""

from __future__ import annotations

from typing import Any

from kktd import log
from kktd.api import query
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import once
from kktd.api.schemas import ResolveBody, RetryBody, parse
from kktd.api.times import iso
from kktd.events import Event
from kktd.receipts.answers import Answer
from kktd.store import dlq, journal
from kktd.store.connection import Db
from kktd.store.dlq import DeadLetter


async def show(call: Call) -> Answer:
    """GET /v1/kkt/dlq: those that wait, or with `resolved=true` those that did; oldest first."""
    query.only(call, "resolved", "page", "limit")
    resolved = query.flag(call, "resolved")
    page, limit = query.page_of(call)

    def find(db: Db) -> tuple[int, list[DeadLetter]]:
        found = dlq.find_all(db, resolved=resolved, limit=limit, offset=(page - 1) * limit)
        return dlq.count(db, resolved=resolved), found

    total, found = await call.read(lambda: call.till.store.read(find))
    items = [_json(one) for one in found]
    return Answer(200, {"total": total, "page": page, "limit": limit, "items": items})


async def retry(call: Call) -> Answer:
    """POST /v1/kkt/dlq/{id}/retry: back into the queue with all its attempts, and sent at once."""
    body = await read_body(call.request)
    asked = parse(RetryBody, parse_json(body)) if body.strip() else RetryBody()
    user = asked.resolved_by or call.caller.name
    letter_id = _id(call)
    now_s = int(call.till.clock.wall_s())

    def work(db: Db) -> DeadLetter:
        receipt_id = dlq.retry(db, letter_id, user, now_s)
        journal.append(
            db,
            Event.DLQ_RETRIED,
            now_s * 1000,
            receipt_id=receipt_id,
            dlq_id=letter_id,
            user=user,
        )
        return dlq.find(db, letter_id)

    async def act() -> Answer:
        letter = await call.write(lambda: call.till.store.write(work))
        log.event(Event.DLQ_RETRIED, receipt_id=letter.receipt_id, dlq_id=letter_id, user=user)
        call.till.delivery.wake()
        return Answer(200, _json(letter))

    return await once(call, body, act)


async def resolve(call: Call) -> Answer:
    """POST /v1/kkt/dlq/{id}/resolve: a person dealt with it; the receipt stays `failed`."""
    body = await read_body(call.request)
    asked = parse(ResolveBody, parse_json(body))
    user = asked.resolved_by or call.caller.name
    letter_id = _id(call)
    now_s = int(call.till.clock.wall_s())

    def work(db: Db) -> DeadLetter:
        letter = dlq.resolve(db, letter_id, user, asked.note, now_s)
        journal.append(
            db,
            Event.DLQ_RESOLVED,
            now_s * 1000,
            receipt_id=letter.receipt_id,
            dlq_id=letter_id,
            user=user,
            note=asked.note,
        )
        return letter

    async def act() -> Answer:
        letter = await call.write(lambda: call.till.store.write(work))
        log.event(Event.DLQ_RESOLVED, receipt_id=letter.receipt_id, dlq_id=letter_id, user=user)
        return Answer(200, _json(letter))

    return await once(call, body, act)


def _id(call: Call) -> str:
    return str(call.request.path_params["dlq_id"]).lower()


def _json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "receipt_id": letter.receipt_id,
        "reason": letter.reason,
        "failed_at": iso(letter.failed_at_s),
        "retry_attempts": letter.retry_attempts,
        "last_error": letter.last_error,
        "fiscal_doc": letter.document.as_json(),
        "resolved_at": iso(letter.resolved_at_s),
        "resolved_by": letter.resolved_by,
        "note": letter.note,
    }
