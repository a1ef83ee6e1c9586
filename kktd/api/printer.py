"""The registrar as engineers see it: which one it is, and whether it may stay."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kktd.api import query
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import once
from kktd.api.messages import sentence
from kktd.api.printer_bodies import AcceptBody
from kktd.api.schemas import parse
from kktd.model.states import FiscalState
from kktd.receipts.answers import Answer
from kktd.receipts.identity import Identity
from kktd.store import receipts
from kktd.store.connection import Db
from kktd.store.devices import Device, Unsettled


async def show(call: Call) -> Answer:
    """GET /v1/printer: what is known, what answers, what hangs on it; no device is asked."""
    query.only(call, "printer")
    lane = query.printer(call)
    identity, health = lane.identity, lane.health

    def find(db: Db) -> tuple[Unsettled, list[dict[str, Any]]]:
        doubtful = [
            {"receipt_id": one.id, "problem": one.problem}
            for one in receipts.find_at_printer(db, lane.name)
            if one.state is FiscalState.IN_DOUBT
        ]
        return identity.unsettled(db), doubtful

    unsettled, doubtful = await call.read(lambda: call.till.store.read(find))
    seen = health.identity
    body = {
        "printer": lane.name,
        **_devices(identity),
        "ready": health.ready,
        "remedy": health.remedy,
        "message": sentence(health.remedy, call.language) if health.remedy else None,
        "model": seen.model if seen else None,
        "firmware": seen.firmware if seen else None,
        "ffd": seen.ffd if seen else None,
        "inn": seen.inn if seen else None,
        "unsent": unsettled.unsent,
        "in_doubt": doubtful,
    }
    return Answer(200, body)


async def accept(call: Call) -> Answer:
    """POST /v1/printer/accept: the one that answers is right; from now on it is this one."""
    query.only(call, "printer")
    lane = query.printer(call)
    body = await read_body(call.request)
    asked = parse(AcceptBody, parse_json(body))
    seen = Device(asked.serial, asked.fn)
    user = asked.accepted_by or call.caller.name

    async def act() -> Answer:
        await call.write(lambda: lane.identity.accept(seen, user, leave_unsent=asked.leave_unsent))
        lane.wake()
        return Answer(200, {"printer": lane.name, **_devices(lane.identity)})

    return await once(call, body, act)


def _devices(identity: Identity) -> dict[str, Any]:
    known, stranger = identity.known, identity.stranger
    return {
        "known": asdict(known) if known else None,
        "stranger": asdict(stranger) if stranger else None,
    }
