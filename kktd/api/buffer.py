"""The buffer: how full it is, what stands in the way, and the two buttons support has (§5.5)."""

from __future__ import annotations

from typing import Any, Final

from kktd.alerts.table import firing
from kktd.api import query
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import once
from kktd.api.messages import Language
from kktd.api.mode_message import mode_sentence
from kktd.api.receipts import parse_optional
from kktd.api.schemas import SyncBody, parse
from kktd.api.snapshot import Snapshot, as_facts, take
from kktd.api.times import iso
from kktd.ofd.breaker import Circuit
from kktd.receipts.answers import Answer

HOUR_S: Final = 3_600


async def status(call: Call) -> Answer:
    """GET /v1/kkt/buffer/status."""
    return await call.read(lambda: Answer(200, _status(take(call.till), call.language)))


def _status(seen: Snapshot, language: Language) -> dict[str, Any]:
    buffer, sync = seen.reading.buffer, seen.sync
    oldest = None
    if buffer.oldest_id is not None and buffer.oldest_created_at_s is not None:
        age_s = max(0.0, seen.now_s - buffer.oldest_created_at_s)
        oldest = {
            "id": buffer.oldest_id,
            "created_at": iso(buffer.oldest_created_at_s),
            "age_hours": round(age_s / HOUR_S, 2),
        }
    last_sync = None
    if sync.finished_at_s is not None:
        last_sync = {
            "timestamp": iso(sync.finished_at_s),
            "synced_count": sync.synced_count,
            "failed_count": sync.failed_count,
            "duration_seconds": round(sync.duration_s, 1),
        }
    return {
        "total_capacity": seen.capacity,
        "current_queued": buffer.queued,
        "percent_full": seen.percent_full,
        "waiting_for_printer": buffer.waiting_for_printer,
        "in_doubt": buffer.in_doubt,
        "held": buffer.held,
        "oldest_receipt": oldest,
        "network_status": seen.network,
        "network_message": mode_sentence(seen.network, seen.network_for_s, buffer.queued, language),
        "network_for_seconds": round(seen.network_for_s),
        "circuit_state": seen.circuit.state,
        "last_sync": last_sync,
        "dlq_size": seen.reading.dlq,
        "alerts": _alerts(seen, language),
        "unfinished": [
            {"receipt_id": receipt_id, "state": state}
            for receipt_id, state in seen.reading.unfinished
        ],
    }


def _alerts(seen: Snapshot, language: Language) -> list[dict[str, str]]:
    """What somebody should see to, the worst first; at once, whatever its holding time."""
    return [
        {
            "level": alert.level,
            "name": alert.name,
            "message": alert.en if language is Language.EN else alert.ru,
        }
        for alert in firing(as_facts(seen))
    ]


async def sync(call: Call) -> Answer:
    """POST /v1/kkt/buffer/sync: start one now; 202 is its final answer."""
    body = await read_body(call.request)
    asked = parse(SyncBody, parse_json(body)) if body.strip() else SyncBody()
    force = query.flag(call, "force") or asked.force

    async def act() -> Answer:
        job = await call.write(
            lambda: call.till.delivery.force(ignore_backoff=force, user=call.caller.name)
        )
        return Answer(
            202,
            {
                "job_id": job.job_id,
                "estimated_duration_seconds": round(job.estimated_duration_s),
            },
        )

    return await once(call, body, act, keep=lambda _: True)


async def reset_breaker(call: Call) -> Answer:
    """POST /v1/kkt/circuit_breaker/reset."""
    body = await read_body(call.request)
    parse_optional(body)

    async def act() -> Answer:
        circuit = await call.write(lambda: call.till.delivery.reset_breaker(user=call.caller.name))
        return Answer(200, circuit_json(circuit))

    return await once(call, body, act)


def circuit_json(circuit: Circuit) -> dict[str, object]:
    """§5.5, procedure A.5."""
    return {
        "state": circuit.state,
        "failure_count": circuit.failure_count,
        "last_failure_time": iso(circuit.last_failure_at_s),
        "next_attempt_time": iso(circuit.next_attempt_at_s),
    }
