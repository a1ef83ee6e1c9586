"""GET /v1/events: the till's parts and its receipts as they change (api/stream.py)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from kktd.api.call import Call
from kktd.api.maintenance import maintenance_json
from kktd.api.power import power_json
from kktd.api.snapshot import Snapshot, take
from kktd.api.stream import Stream


async def show(call: Call) -> Response:
    """Every part first, then what changes; ends when the server stops.  429 when too many read."""
    if call.request.method == "HEAD":
        return Response(media_type=Stream.media_type)
    till, hub = call.till, call.runtime.hub

    async def look() -> dict[str, Any]:
        return parts_of(await call.read(lambda: take(till)))

    return Stream(hub, await hub.join(look), call.runtime.halt)


def parts_of(seen: Snapshot) -> dict[str, Any]:
    """Event name, `:` and which one of several, to data; what everybody in the shop may see."""
    return {
        "mode": {
            "network_status": seen.network,
            "can_sell": seen.obstacle is None,
            "obstacle": seen.obstacle,
            "maintenance": maintenance_json(seen.reading.maintenance),
        },
        "buffer": {
            "current_queued": seen.reading.buffer.queued,
            "total_capacity": seen.capacity,
            "waiting_for_printer": seen.reading.buffer.waiting_for_printer,
            "in_doubt": seen.reading.buffer.in_doubt,
            "held": seen.reading.buffer.held,
            "dlq_size": seen.reading.dlq,
        },
        **{
            f"printer:{one.name}": {
                "name": one.name,
                "ready": one.health.ready,
                "remedy": one.health.remedy,
            }
            for one in seen.lanes
        },
        "power": power_json(seen.power),
        "breaker": {"state": seen.circuit.state},
    }
