"""Health: can the till sell, and if not, what to do.  No device is asked here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from starlette.responses import Response

from kktd.alerts.table import DAY_S
from kktd.api.buffer import circuit_json
from kktd.api.call import Call
from kktd.api.errors import json_response
from kktd.api.maintenance import maintenance_json
from kktd.api.messages import Language, error_sentence, sentence
from kktd.api.power import power_json
from kktd.api.selling import selling
from kktd.api.snapshot import LaneSeen, Snapshot, take
from kktd.api.till import Till
from kktd.api.times import iso
from kktd.api.updates import updates_json
from kktd.model.states import CircuitState, NetworkMode
from kktd.receipts.health import LaneHealth

WARN_PERCENT: Final = 80
DRIFT_S: Final = 10  # as the alert (alerts/table.py)


async def show(call: Call) -> Response:
    """GET /v1/health: 503 when a sale would be refused."""
    language = call.language
    seen = await call.read(lambda: take(call.till))
    workers = dict(call.till.workers())
    late = sorted(name for name, on_time in workers.items() if not on_time)
    remedy = seen.obstacle or seen.remedy
    resting = seen.reading.maintenance
    details = {"reason": resting.reason} if resting else {}
    hint = "battery_ends" if seen.power.refuses else None
    body = {
        "status": _status(seen, late),
        "pos_ids": list(call.till.settings().till.pos_ids),
        "can_sell": seen.obstacle is None,
        "obstacle": seen.obstacle,
        "sell": selling(seen, language),
        "tills": {pos_id: _till(seen, pos_id, lane) for pos_id, lane in seen.tills.items()},
        "message": error_sentence(remedy, hint, details, language) if remedy else None,
        "maintenance": maintenance_json(seen.reading.maintenance),
        "components": _components(seen, late, language)
        | _odoo(call.till)
        | _backup(call.till)
        | _update(call.till, language),
        "version": call.till.version,
    }
    headers = {"Retry-After": "10"} if seen.obstacle else {}
    return json_response(503 if seen.obstacle else 200, body, headers)


def _status(seen: Snapshot, late: list[str]) -> str:
    if seen.obstacle is not None:
        return "unhealthy"
    fine = (
        all(lane.health.ready and not lane.obstacle for lane in seen.lanes)
        and seen.network is NetworkMode.ONLINE
        and seen.circuit.state is CircuitState.CLOSED
        and seen.percent_full < WARN_PERCENT
        and seen.reading.dlq == 0
        and not (seen.power.on_battery or seen.power.troubles)
        and not late
    )
    return "healthy" if fine else "degraded"


def _components(seen: Snapshot, late: list[str], language: Language) -> dict[str, Any]:
    """Only what this release really watches stands here."""
    circuit, buffer = seen.circuit, seen.reading.buffer
    reachable = circuit.state is CircuitState.CLOSED and seen.network is not NetworkMode.OFFLINE
    status, life = seen.lane.status, seen.lane.fn_life
    return {
        "kkt_device": _printer(seen.lane, language),
        "printers": {one.name: _printer(one.health, language) for one in seen.lanes},
        "ofd_connection": {
            "status": "healthy" if reachable else "degraded",
            "network_status": seen.network,
            "stopped_reason": seen.sync.stopped_reason,
            "throttled": seen.sync.throttled,
        },
        "buffer": {
            "status": "healthy" if seen.percent_full < WARN_PERCENT else "degraded",
            "current_queued": buffer.queued,
            "total_capacity": seen.capacity,
            "percent_full": seen.percent_full,
            "dlq_size": seen.reading.dlq,
        },
        "circuit_breaker": circuit_json(circuit),
        "fn": {
            "serial": status.fn if status else None,
            "documents_left": life.documents_left if life else None,
            "expires": life.expires.isoformat() if life and life.expires else None,
            "unsent_documents": life.unsent if life else None,
            "days_left": _days_left(seen),
            "oldest_unsent": iso(seen.reading.oldest_registered_at_s),
            "oldest_unsent_seconds": _whole(seen.oldest_unsent_s),
        },
        "disk": {
            "status": "unhealthy" if seen.disk_failed or seen.disk.full else "healthy",
            "percent_full": seen.disk.percent,
            "ballast_bytes": seen.disk.ballast_bytes,
        },
        "power": _power(seen, language),
        "clock": _clock(seen),
        "workers": {"status": "degraded" if late else "healthy", "late": late},
    }


def _clock(seen: Snapshot) -> dict[str, Any]:
    """The till's own against Odoo's; null while nobody tells the time."""
    drift_s = seen.drift_s
    wrong = drift_s is not None and abs(drift_s) > DRIFT_S
    return {
        "status": "degraded" if wrong else "healthy",
        "drift_seconds": None if drift_s is None else round(drift_s, 1),
    }


def _power(seen: Snapshot, language: Language) -> dict[str, Any]:
    power = seen.power
    said = ["on_battery"] if power.on_battery else sorted(power.troubles)
    fine = not (power.on_battery or power.troubles)
    return {
        "status": "unhealthy" if power.refuses else "healthy" if fine else "degraded",
        **power_json(power),
        "message": " ".join(str(sentence(one, language)) for one in said) or None,
    }


def _odoo(till: Till) -> dict[str, Any]:
    """Nothing where there is no Odoo."""
    if till.odoo is None:
        return {}
    seen = till.odoo()
    age_s = seen.heartbeat_age_s
    return {
        "odoo_connection": {
            "status": "healthy" if seen.answers else "degraded",
            "heartbeat_age_seconds": None if age_s is None else round(age_s),
            "problem": seen.problem,
        }
    }


def _backup(till: Till) -> dict[str, Any]:
    """Nothing where no second place is set."""
    seen = till.backup.seen()
    if not seen.wanted:
        return {}
    return {
        "backup": {
            "status": "degraded" if seen.problem else "healthy",
            "done_at": iso(seen.done_at_s),
            "problem": seen.problem,
        }
    }


def _days_left(seen: Snapshot) -> int | None:
    """Of the first printer's FN, whole days."""
    ends_s = seen.lanes[0].fn_expires_s
    return None if ends_s is None else int(max(0.0, ends_s - seen.now_s) // DAY_S)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _update(till: Till, language: Language) -> dict[str, Any]:
    """Nothing where the till is not made from an image."""
    state = till.updates()
    return {} if state is None else {"update": updates_json(state, language)}


def _till(seen: Snapshot, pos_id: str, lane: LaneSeen) -> dict[str, Any]:
    return {
        "printer": lane.name,
        "can_sell": lane.obstacle is None,
        "obstacle": lane.obstacle,
        "shift_age_seconds": _whole(seen.shift_age_s(pos_id)),
    }


def _printer(lane: LaneHealth, language: Language) -> dict[str, Any]:
    status, identity = lane.status, lane.identity
    return {
        "status": "healthy" if lane.ready else "unhealthy",
        "since": iso(lane.since_s),
        "remedy": lane.remedy,
        "message": sentence(lane.remedy, language) if lane.remedy else None,
        "device_code": lane.device_code,
        "model": identity.model if identity else None,
        "serial": identity.serial if identity else None,
        "firmware": identity.firmware if identity else None,
        "ffd": identity.ffd if identity else None,
        "shift": status.shift if status else None,
        "shift_number": status.shift_number if status else None,
        "paper": status.paper if status else None,
        "stranger": asdict(lane.stranger) if lane.stranger else None,
        "clock_drift_seconds": lane.clock_drift_s,
        "clock": f"{status.clock:%Y-%m-%dT%H:%M:%S}" if status and status.clock else None,
    }


async def ready(call: Call) -> Response:
    """GET /v1/ready on the Unix socket: recovery is over and the workers run."""
    is_ready = call.till.ready()
    headers = {} if is_ready else {"Retry-After": "1"}
    return json_response(200 if is_ready else 503, {"ready": is_ready}, headers)
