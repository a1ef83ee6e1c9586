"""Maintenance mode: an engineer works at the till; nothing new is sold, the rest prints on."""

from __future__ import annotations

from typing import Any

from kktd import log
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import once
from kktd.api.receipts import parse_optional
from kktd.api.schemas import MaintenanceBody, parse
from kktd.api.times import iso
from kktd.events import Event
from kktd.receipts.answers import Answer
from kktd.store import maintenance
from kktd.store.maintenance import Maintenance


async def begin(call: Call) -> Answer:
    """POST /v1/pos/maintenance; again replaces reason and estimate."""
    body = await read_body(call.request)
    asked = parse(MaintenanceBody, parse_json(body))
    wanted = Maintenance(
        asked.reason,
        call.caller.name,
        int(call.till.clock.wall_s()),
        asked.estimated_duration_minutes,
    )

    async def act() -> Answer:
        await call.write(lambda: call.till.store.write(lambda db: maintenance.begin(db, wanted)))
        log.event(
            Event.MAINTENANCE_STARTED,
            reason=wanted.reason,
            user=wanted.started_by,
            estimated_duration_minutes=wanted.estimated_min,
        )
        return Answer(200, {"maintenance": maintenance_json(wanted)})

    return await once(call, body, act)


async def end(call: Call) -> Answer:
    """DELETE /v1/pos/maintenance; nothing happens if none runs."""
    body = await read_body(call.request)
    parse_optional(body)
    user, now_s = call.caller.name, int(call.till.clock.wall_s())

    async def act() -> Answer:
        was = await call.write(
            lambda: call.till.store.write(lambda db: maintenance.end(db, user, now_s))
        )
        if was is not None:
            log.event(
                Event.MAINTENANCE_FINISHED,
                reason=was.reason,
                user=user,
                duration_seconds=max(0, now_s - was.started_at_s),
            )
        return Answer(200, {"maintenance": None})

    return await once(call, body, act)


def maintenance_json(one: Maintenance | None) -> dict[str, Any] | None:
    """For health too: no names of persons."""
    if one is None:
        return None
    return {
        "reason": one.reason,
        "started_at": iso(one.started_at_s),
        "estimated_duration_minutes": one.estimated_min,
        "expected_end": iso(one.expected_end_s),
    }
