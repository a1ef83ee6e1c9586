"""What apcupsd's scripts say, on the Unix socket; a power-off is answered when all is on disk."""

from __future__ import annotations

from typing import Any, Final

from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.receipts import parse_optional
from kktd.api.times import iso
from kktd.clock import Deadline
from kktd.errors import NotFound
from kktd.power.power import PowerSeen
from kktd.power.table import POWER_OFF, UpsEvent
from kktd.receipts.answers import Answer

WAIT_MS: Final = 6_000  # then the machine goes down anyhow, and systemd waits for the receipt


async def show(call: Call) -> Answer:
    """GET /v1/power: nothing is asked of the database, so that it answers to the end."""
    return Answer(200, power_json(call.till.power.seen))


async def note(call: Call) -> Answer:
    """POST /v1/power/{event}: `doshutdown` and `doreboot` wait for the till to be closed."""
    parse_optional(await read_body(call.request))
    power = call.till.power
    try:
        event = UpsEvent(call.request.path_params["event"])
    except ValueError as error:
        raise NotFound("no such event", known=[str(one) for one in UpsEvent]) from error
    seen = power.note(event)
    if event in POWER_OFF:
        by = Deadline.after_ms(call.till.clock, WAIT_MS)
        seen = await call.read(lambda: power.wait(by))
    return Answer(200, power_json(seen))


def power_json(seen: PowerSeen) -> dict[str, Any]:
    """For health and the stream too."""
    return {
        "state": seen.state,
        "since": iso(seen.since_s),
        "troubles": sorted(seen.troubles),
        "closed": seen.closed,
    }
