"""A salvage of the database: what is missing, and a person's word that it was seen."""

from __future__ import annotations

from typing import Any

from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.receipts import parse_optional
from kktd.api.times import iso
from kktd.receipts.answers import Answer
from kktd.store.salvages import Salvage


async def show(call: Call) -> Answer:
    """GET /v1/salvage on the Unix socket."""
    return Answer(200, {"salvage": _as_json(call.till.salvage.seen())})


async def confirm(call: Call) -> Answer:
    """POST /v1/salvage/confirm: sales open; nothing happens where none is open."""
    parse_optional(await read_body(call.request))
    await call.note()
    user = call.caller.name
    await call.write(lambda: call.till.salvage.confirm(user))
    return Answer(200, {"salvage": _as_json(call.till.salvage.seen())})


def _as_json(found: Salvage | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "reason": found.reason,
        "found_at": iso(found.found_at_s),
        "set_aside": found.set_aside,
        "lost_rows": found.lost,
        "missing": found.missing,
        "confirmed_by": found.confirmed_by,
    }
