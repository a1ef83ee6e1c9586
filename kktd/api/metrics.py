"""The scrape."""

from __future__ import annotations

from starlette.responses import Response

from kktd.api.call import Call
from kktd.metrics import CONTENT_TYPE


async def show(call: Call) -> Response:
    """GET /metrics."""
    return Response(await call.read(call.till.metrics.render), media_type=CONTENT_TYPE)
