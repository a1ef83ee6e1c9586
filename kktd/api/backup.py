"""The copies in the second place: asked for and listed on the Unix socket (kktctl backup)."""

from __future__ import annotations

from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.receipts import parse_optional
from kktd.api.times import iso
from kktd.errors import NoBackup
from kktd.receipts.answers import Answer


async def begin(call: Call) -> Answer:
    """POST /v1/backup: one is begun; GET shows what came of it."""
    parse_optional(await read_body(call.request))
    await call.note()
    if not call.till.backup.seen().wanted:
        raise NoBackup("no second place is set")
    call.till.backup.ask()
    return Answer(202, {"begun": True})


async def show(call: Call) -> Answer:
    """GET /v1/backup: the last one, and what lies in the folder."""
    seen = call.till.backup.seen()
    copies = await call.read(call.till.backup.find_copies)
    return Answer(
        200,
        {
            "configured": seen.wanted,
            "running": seen.running,
            "done_at": iso(seen.done_at_s),
            "problem": seen.problem,
            "copies": [{"name": name, "bytes": size} for name, size in copies],
        },
    )
