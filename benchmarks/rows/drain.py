"""Draining the buffer after an outage, against the ОФД's own time for as many requests.

That time is measured: a bare client posts the same bodies one after another to a second ОФД.
"""

from __future__ import annotations

import http.client
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.harness import Row, is_long
from benchmarks.seed import fill_queue
from benchmarks.till import Rig, Till, a_rig

QUEUED: Final = 200
QUEUED_NEAR: Final = 80
QUEUED_FAR: Final = 20  # 200 at 350 ms take more than a minute
SLACK_S: Final = 0.5
PATIENCE_S: Final = 180.0


def drain_at_0_ms(folder: Path) -> Row:
    """An ОФД in the same room: what the till itself costs."""
    return _drain(folder, QUEUED, 0)


def drain_at_50_ms(folder: Path) -> Row:
    """An ОФД in the same city."""
    return _drain(folder, QUEUED if is_long() else QUEUED_NEAR, 50)


def drain_at_350_ms(folder: Path) -> Row:
    """Over a modem."""
    return _drain(folder, QUEUED if is_long() else QUEUED_FAR, 350)


def _drain(folder: Path, queued: int, latency_ms: int) -> Row:
    with a_rig(folder / "till") as rig, a_rig(folder / "bare") as bare_rig:
        for one in (rig, bare_rig):
            one.fault("ofd", "latency", ms=latency_ms)
        till = Till(folder / "till", rig)
        fill_queue(till.database, queued)
        rig.fault("ofd", "refuse_connection")
        till.start()
        try:
            drain_s = _timed_drain(till, rig, queued)
        finally:
            till.stop()
        bodies = [row["body"] for row in rig.ask("GET", "/ofd/receipts")]
        bare_s = _bare_s(bare_rig, bodies)
    limit_s = queued * latency_ms / 1000
    aim_s = 1.2 * max(limit_s, bare_s) + SLACK_S
    short = "" if queued == QUEUED else f"; {QUEUED} with --long"
    return Row(
        f"drain of {queued} receipts, ОФД at {latency_ms} ms",
        f"{drain_s:.2f} s",
        f"{bare_s:.2f} s, a bare client",
        drain_s / bare_s,
        at_most=round(aim_s / bare_s, 2),
        note=f"{queued} × {latency_ms} ms are {limit_s:.2f} s; the aim is 1.2 × + {SLACK_S} s"
        f" = {aim_s:.2f} s{short}",
    )


def _timed_drain(till: Till, rig: Rig, queued: int) -> float:
    """From the first request the ОФД read to the last, and one more step for its answer."""
    client = till.client("supervisor")
    time.sleep(1.0)  # it has met a dead ОФД
    rig.ask("DELETE", "/faults?target=ofd&fault=refuse_connection")
    status, answer = client.ask("POST", "/v1/kkt/buffer/sync", {"force": True})
    assert status == 202, (status, answer)
    till.wait_delivered(PATIENCE_S)
    rows = [row for row in rig.ask("GET", "/ofd/receipts") if row["outcome"] == "stored"]
    assert len(rows) == queued, len(rows)
    first, *_, last = (datetime.fromisoformat(row["time"]) for row in rows)
    return (last - first).total_seconds() * queued / (queued - 1)


def _bare_s(rig: Rig, bodies: list[dict[str, object]]) -> float:
    """One connection, one request after another."""
    connection = http.client.HTTPConnection(urlsplit(rig.ofd).netloc, timeout=30)
    began_s = time.perf_counter()
    for body in bodies:
        headers = {
            "Authorization": f"Bearer {rig.ofd_token}",
            "Idempotency-Key": str(body["external_id"]),
            "Content-Type": "application/json",
        }
        connection.request("POST", "/receipts", json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 201, response.status
    took_s = time.perf_counter() - began_s
    connection.close()
    return took_s


ROWS = [drain_at_0_ms, drain_at_50_ms, drain_at_350_ms]
