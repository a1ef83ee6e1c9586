"""systemd holds the sockets: a restart of the daemon makes a cashier wait, and refuses nobody."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from dev_api import ask_as_root

from tests.support.activator import Activator, tcp_socket, unix_socket
from tests.support.live import LiveDaemon, LiveRig

WAITS_S = 15.0  # a loaded machine; by itself a restart takes about two seconds


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[LiveDaemon, LiveRig]]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig)
    daemon.activator = Activator(
        {
            "metrics": tcp_socket(daemon.metrics_port),
            "socket": unix_socket(daemon.socket),
            "lan": tcp_socket(daemon.port),
        }
    )
    yield daemon, rig
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
    daemon.activator.close()
    rig.stop()


def test_each_inherited_socket_serves_its_own_callers(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    daemon.start()
    assert daemon.sell().status_code == 200
    metrics = requests.get(f"http://127.0.0.1:{daemon.metrics_port}/metrics", timeout=10)
    assert "kkt_can_sell 1" in metrics.text
    assert (
        requests.get(f"http://127.0.0.1:{daemon.metrics_port}/v1/health", timeout=10).status_code
        == 404
    )
    assert ask_as_root(daemon.socket, "GET", "/v1/tokens")[0] == 200
    assert daemon.ask("GET", "/v1/tokens").status_code == 404


def test_who_comes_while_no_daemon_runs_is_served_by_the_next(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    daemon, rig = shop
    daemon.start()
    assert daemon.sell("10.00").status_code == 200
    assert daemon.stop() == 0
    answers: list[requests.Response] = []
    cashier = threading.Thread(target=lambda: answers.append(daemon.sell("20.00")))
    cashier.start()
    with socket.create_connection(("127.0.0.1", daemon.metrics_port), timeout=30) as scraper:
        scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: till\r\nConnection: close\r\n\r\n")
        daemon.start()
        assert scraper.recv(12) == b"HTTP/1.1 200"
    cashier.join(30)
    assert answers[0].status_code == 200
    assert [one["total_kopecks"] for one in rig.fn_receipts()] == [10_00, 20_00]


def test_restarts_under_a_queue_of_cashiers_refuse_nobody(
    shop: tuple[LiveDaemon, LiveRig],
) -> None:
    """Each cashier comes on a connection of its own, all the time: none hears a no."""
    daemon, rig = shop
    daemon.start()
    ended = threading.Event()
    answers: list[tuple[int, str, float]] = []

    def cashier() -> None:
        while not ended.is_set():
            began_s = time.monotonic()
            answer = daemon.sell("1.00")
            answers.append((answer.status_code, answer.text, time.monotonic() - began_s))

    def onlooker() -> None:
        while not ended.is_set():
            began_s = time.monotonic()
            answer = daemon.ask("GET", "/v1/kkt/buffer/status")
            answers.append((answer.status_code, "", time.monotonic() - began_s))

    people = [threading.Thread(target=one) for one in (cashier, onlooker, onlooker)]
    for one in people:
        one.start()
    for _ in range(2):
        seen = len(answers)
        daemon.wait_until(lambda seen=seen: len(answers) > seen + 5)
        assert daemon.stop() == 0
        daemon.start()
    ended.set()
    for one in people:
        one.join(30)
    refused = [(code, text) for code, text, _ in answers if code not in (200, 202)]
    assert refused == []
    assert max(waited_s for _, _, waited_s in answers) < WAITS_S
    daemon.wait_until(lambda: len(rig.fn_receipts()) >= sum(1 for _, text, _ in answers if text))


def test_a_socket_of_another_name_is_refused_by_name(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    assert daemon.activator is not None
    daemon.activator.close()
    daemon.activator = Activator({"kktd.socket": tcp_socket(daemon.port)})
    with pytest.raises(RuntimeError, match=r"(?s)ended with 78.*kktd\.socket"):
        daemon.start()


def test_root_s_door_is_never_a_network(shop: tuple[LiveDaemon, LiveRig]) -> None:
    daemon, _ = shop
    assert daemon.activator is not None
    daemon.activator.close()
    daemon.activator = Activator({"socket": tcp_socket(daemon.port)})
    with pytest.raises(RuntimeError, match=r"(?s)ended with 78.*not a socket for this listener"):
        daemon.start()
