"""What Odoo hears of the till every half minute (contract 7); pos_id is the link's to add."""

from __future__ import annotations

from typing import Any

from kktd.api.buffer import circuit_json
from kktd.api.snapshot import Snapshot
from kktd.api.times import iso
from kktd.clock import HlcStamp


def heartbeat_body(seen: Snapshot, hlc: HlcStamp, version: str) -> dict[str, Any]:
    """One snapshot, in the contract's words."""
    status, buffer = seen.lane.status, seen.reading.buffer
    return {
        "hlc": hlc.as_json(),
        "version": version,
        "network_status": seen.network,
        "buffer": {
            "total_capacity": seen.capacity,
            "current_queued": buffer.queued,
            "percent_full": seen.percent_full,
            "dlq_size": seen.reading.dlq,
            "in_doubt": buffer.in_doubt,
        },
        "circuit_breaker": circuit_json(seen.circuit),
        "printer": {
            "ready": seen.lane.ready,
            "remedy": seen.lane.remedy,
            "shift": status.shift if status else None,
        },
        "fn": {
            "serial": status.fn if status else None,
            "oldest_unsent": iso(seen.reading.oldest_registered_at_s),
        },
        "power": seen.power.state,
        "can_sell": seen.obstacle is None,
        "tills": {pos_id: lane.obstacle is None for pos_id, lane in seen.tills.items()},
    }
