"""GET /v1/health while the till is busy and beset, against the same on an idle till."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import ms, p95_s
from benchmarks.harness import Row
from benchmarks.till import Client, Till, a_rig, a_till

PRINT_MS: Final = 5_000
HALF_SENT: Final = 24
WAITING: Final = 24
SETTLE_S: Final = 0.7  # they have all arrived
WINDOW_S: Final = 3.8  # within the print
WAIT_S: Final = 15.0


def health_beset(folder: Path) -> Row:
    """One sale prints for 5 s, 24 wait behind it, 24 clients never finish their request."""
    with (
        a_rig(folder / "busy") as busy_rig,
        a_rig(folder / "idle") as idle_rig,
        a_till(folder / "busy", busy_rig) as busy_till,
        a_till(folder / "idle", idle_rig) as idle_till,
    ):
        busy, idle = busy_till.client(), idle_till.client()
        busy.sell(), idle.sell()
        busy_rig.fault("printer", "slow", 1, ms=PRINT_MS, command="close_receipt")
        callers = _sell_together(busy_till)
        half_sent = [_half_a_request(busy_till) for _ in range(HALF_SENT)]
        time.sleep(SETTLE_S)
        pairs = _look(busy, idle)
        for caller in callers:
            caller.join(WAIT_S)
        for one in half_sent:
            one.close()
    busys, idles = ([pair[side] for pair in pairs] for side in (0, 1))
    return Row(
        f"health during a 5 s print, {HALF_SENT + WAITING} slow clients",
        ms(median(busys)),
        f"{ms(median(idles))}, idle till",
        median(busys) / median(idles),
        at_most=1.5,
        note=f"{len(pairs)} looks; P95 {ms(p95_s(busys))} and {ms(p95_s(idles))}",
    )


def _look(busy: Client, idle: Client) -> list[tuple[float, float]]:
    """In turn, for as long as it prints."""
    pairs = []
    until_s = time.monotonic() + WINDOW_S
    while time.monotonic() < until_s:
        pairs.append((_health_s(busy), _health_s(idle)))
        time.sleep(0.01)
    return pairs


def _health_s(client: Client) -> float:
    began_s = time.perf_counter()
    status, _ = client.exchange("GET", "/v1/health")
    took_s = time.perf_counter() - began_s
    assert status == 200, status
    return took_s


def _sell_together(till: Till) -> list[threading.Thread]:
    """The first prints, the others wait for it."""
    clients = [till.client() for _ in range(WAITING + 1)]
    callers = [threading.Thread(target=client.sell, daemon=True) for client in clients]
    for caller in callers:
        caller.start()
    return callers


def _half_a_request(till: Till) -> socket.socket:
    """TLS done, and a header that never ends."""
    context = ssl.create_default_context(cafile=str(till.ca_file))
    plain = socket.create_connection(("127.0.0.1", till.port), WAIT_S)
    link = context.wrap_socket(plain, server_hostname="127.0.0.1")
    link.sendall(b"POST /v1/kkt/receipt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
    return link


ROWS = [health_beset]
