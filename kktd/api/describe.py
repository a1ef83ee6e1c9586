"""GET /v1/openapi.json: the API as a machine reads it, made when somebody first asks."""

from __future__ import annotations

import json
from typing import Final

from starlette.responses import Response

from kktd.api.call import Call

MEDIA_TYPE: Final = "application/json; charset=utf-8"


async def show(call: Call) -> Response:
    """What this listener offers; the tests hold it to what the API does."""
    open_reading = call.till.settings().api.open_reading

    def describe() -> bytes:
        from kktd.api.openapi.document import document  # half a second, for the first who asks

        made = document(call.listener, call.till.version, open_reading=open_reading)
        return json.dumps(made, ensure_ascii=False).encode()

    described, wanted = call.runtime.described, (call.listener, open_reading)
    if wanted not in described:
        described[wanted] = await call.read(describe)
    return Response(described[wanted], media_type=MEDIA_TYPE)
