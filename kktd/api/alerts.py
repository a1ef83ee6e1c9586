"""The till's snapshot as alerts read it; the test of the alerts."""

from __future__ import annotations

from kktd.alerts.table import Facts
from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.receipts import parse_optional
from kktd.api.snapshot import Snapshot
from kktd.model.states import CircuitState
from kktd.receipts.answers import Answer


def as_facts(seen: Snapshot) -> Facts:
    """One snapshot."""
    shifts = [one.opened_at_s for one in seen.reading.shifts.values() if one.opened_at_s]
    remedies = [lane.health.remedy for lane in seen.lanes if not lane.health.ready]
    return Facts(
        percent_full=seen.percent_full,
        dlq=seen.reading.dlq,
        held=seen.reading.buffer.held,
        in_doubt=seen.reading.buffer.in_doubt,
        unsent_s=seen.oldest_unsent_s or 0.0,
        circuit_closed=seen.circuit.state is CircuitState.CLOSED,
        sync_running_s=seen.sync.running_s,
        ofd_stopped=seen.sync.stopped_reason is not None,
        disk_failed=seen.disk_failed,
        capacity_raised=seen.capacity_reminder,
        printer_remedy=min(remedies, key=lambda remedy: remedy == "paper", default=None),
        fn_ended=any(lane.health.fn_ended for lane in seen.lanes),
        shift_age_s=max((seen.now_s - opened_s for opened_s in shifts), default=0.0),
        drift_s=seen.drift_s,
        odoo_silent_s=seen.odoo.heartbeat_age_s if seen.odoo else None,
    )


async def test(call: Call) -> Answer:
    """POST /v1/alerts/test on the Unix socket: every channel gets an alert that means nothing."""
    parse_optional(await read_body(call.request))
    call.till.test_alert()
    return Answer(202, {"sent": True})
