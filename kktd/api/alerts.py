"""A test of the alerts."""

from __future__ import annotations

from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.receipts import parse_optional
from kktd.receipts.answers import Answer


async def test(call: Call) -> Answer:
    """POST /v1/alerts/test on the Unix socket: every channel gets one that means nothing."""
    parse_optional(await read_body(call.request))
    await call.note()
    call.till.test_alert()
    return Answer(202, {"sent": True})
