"""Memory and descriptors run out under a running till: it goes on or starts clean."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.live import LiveDaemon, LiveRig, a_sale

Shop = tuple[LiveDaemon, LiveRig]
MIB = 1 << 20


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig)
    daemon.start()
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    rig.stop()


def limit(daemon: LiveDaemon, what: int, value: int) -> None:
    assert daemon.process is not None
    _, hard = resource.prlimit(daemon.process.pid, what)
    resource.prlimit(daemon.process.pid, what, (value, hard))


def open_descriptors(daemon: LiveDaemon) -> int:
    assert daemon.process is not None
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def address_space_bytes(daemon: LiveDaemon) -> int:
    assert daemon.process is not None
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def settle(daemon: LiveDaemon, rig: LiveRig, keys: dict[str, str]) -> None:
    """Ask again under each key, as a front end does: one document each, and all of them leave."""
    for key, rubles in keys.items():
        daemon.wait_until(lambda k=key, r=rubles: daemon.sell(r, key=k).status_code == 200)
    totals = sorted(one["total_kopecks"] for one in rig.fn_receipts())
    assert totals == sorted(int(rubles.replace(".", "")) for rubles in keys.values())
    daemon.wait_until(lambda: len(rig.delivered_keys()) == len(keys))


def test_a_till_without_descriptors_sells_on_the_lines_it_has_and_recovers(shop: Shop) -> None:
    daemon, rig = shop
    keys = {str(uuid.uuid4()): f"{number}.01" for number in range(1, 8)}
    names = list(keys)
    cashier = daemon.session()

    def sell(key: str) -> int:
        body = a_sale(keys[key])
        return daemon.ask("POST", "/v1/kkt/receipt", body, key=key, session=cashier).status_code

    assert sell(names[0]) == 200
    limit(daemon, resource.RLIMIT_NOFILE, open_descriptors(daemon) + 4)
    crowd = []
    with contextlib.ExitStack() as closing:
        for _ in range(40):
            caller = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
            crowd.append(closing.enter_context(caller))
        for key in names[1:4]:
            with contextlib.suppress(requests.ConnectionError):
                assert sell(key) in (200, 202, 500, 503)
        assert daemon.process is not None
        assert daemon.process.poll() is None
    limit(daemon, resource.RLIMIT_NOFILE, 1_024)
    daemon.wait_until(lambda: daemon.ask("GET", "/v1/health").status_code == 200)
    for key in names[4:]:
        assert sell(key) == 200
    settle(daemon, rig, keys)
    assert '"ofd_stopped"' not in daemon.log.read_text()  # no alarm about a key that is right


def test_a_till_without_memory_loses_no_receipt_and_makes_none_twice(shop: Shop) -> None:
    daemon, rig = shop
    keys = {str(uuid.uuid4()): f"{number}.01" for number in range(1, 9)}
    daemon.ask("GET", "/v1/health")
    limit(daemon, resource.RLIMIT_AS, address_space_bytes(daemon) + 2 * MIB)
    codes: list[int | None] = []

    def ring_up(key: str, rubles: str) -> None:
        """With a megabyte of lines that nobody wants to read, then the sale itself."""
        for body in ({**a_sale(rubles), "items": [{"name": "x" * 120}] * 7_000}, a_sale(rubles)):
            try:
                answer = daemon.ask("POST", "/v1/kkt/receipt", body, key=key)
            except (requests.ConnectionError, requests.Timeout):
                codes.append(None)
            else:
                codes.append(answer.status_code)

    cashiers = [threading.Thread(target=ring_up, args=pair) for pair in keys.items()]
    for one in cashiers:
        one.start()
    for one in cashiers:
        one.join(90)
    assert not [code for code in codes if code == 409]
    assert [code for code in codes if code in (500, 503, None)], "the limit did not bite"
    if daemon.process is not None and daemon.process.poll() is not None:
        daemon.start()  # as systemd does
    else:
        limit(daemon, resource.RLIMIT_AS, resource.RLIM_INFINITY)
    settle(daemon, rig, keys)
    status: dict[str, Any] = daemon.ask("GET", "/v1/kkt/buffer/status").json()
    assert (status["in_doubt"], status["held"]) == (0, 0)
