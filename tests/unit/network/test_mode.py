"""The table of modes, and how calm it stays."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kktd.model.states import CircuitState, NetworkMode
from kktd.network.mode import TRANSITIONS, Link, ModeChange, ModeRules, Network
from kktd.network.prober import Prober, ProbeRules
from tests.support.clock import VirtualClock
from tests.support.ofd import VirtualOfd

ONLINE, DEGRADED, OFFLINE = NetworkMode.ONLINE, NetworkMode.DEGRADED, NetworkMode.OFFLINE


class Bench:
    def __init__(self, *, has_odoo: bool = True) -> None:
        self.clock = VirtualClock()
        self.network = Network(self.clock, ModeRules(), has_odoo=has_odoo)
        self.changes: list[ModeChange] = []
        self.network.subscribe(self.changes.append)

    @property
    def mode(self) -> NetworkMode:
        return self.network.snapshot().mode

    def probe(self, *answers: bool, odoo: bool = True) -> None:
        """One probe and one heartbeat each half minute."""
        for answered in answers:
            self.clock.advance(30)
            self.network.note_ofd(answered)
            self.network.note_odoo(odoo)


@pytest.mark.parametrize(("mode", "ofd", "odoo"), list(product(NetworkMode, Link, Link)))
def test_the_table(mode: NetworkMode, ofd: Link, odoo: Link) -> None:
    becomes = TRANSITIONS.get((mode, ofd, odoo), mode)
    if ofd is Link.DOWN:
        assert becomes is OFFLINE
    elif mode is OFFLINE:
        assert becomes is (
            OFFLINE if ofd is Link.UNSURE else DEGRADED if odoo is Link.DOWN else ONLINE
        )
    elif odoo is Link.DOWN:
        assert becomes is DEGRADED
    elif mode is DEGRADED:
        assert becomes is (ONLINE if odoo is Link.UP else DEGRADED)
    else:
        assert becomes is ONLINE


def test_three_lost_probes_are_offline_and_two_are_not() -> None:
    bench = Bench()
    bench.probe(False, False)
    assert bench.mode is ONLINE
    bench.probe(False)
    assert bench.network.snapshot().mode is OFFLINE


def test_an_open_circuit_is_offline_at_once() -> None:
    bench = Bench()
    bench.network.note_circuit(CircuitState.OPEN)
    assert bench.changes == [ModeChange(ONLINE, OFFLINE, 0)]


def test_back_after_three_good_probes_and_a_minute_and_a_half() -> None:
    bench = Bench()
    bench.network.note_circuit(CircuitState.OPEN)
    bench.network.note_circuit(CircuitState.HALF_OPEN)
    bench.probe(True, True)
    bench.network.note_circuit(CircuitState.CLOSED)
    assert bench.mode is OFFLINE
    bench.probe(True)
    assert bench.network.snapshot().mode is ONLINE
    assert bench.changes[-1].after_s == 90


def test_answered_pings_do_not_make_an_open_circuit_online() -> None:
    bench = Bench()
    bench.network.note_circuit(CircuitState.OPEN)
    bench.probe(*[True] * 20)
    assert bench.mode is OFFLINE


def test_odoo_alone_lost_is_degraded_and_comes_back_by_heartbeats() -> None:
    bench = Bench()
    bench.probe(True, True, True, odoo=False)
    assert bench.mode is DEGRADED
    bench.probe(True, True)
    assert bench.mode is DEGRADED
    bench.probe(True)
    assert bench.network.snapshot().mode is ONLINE


def test_without_an_odoo_nothing_is_degraded() -> None:
    bench = Bench(has_odoo=False)
    bench.probe(*[True] * 10, odoo=False)
    assert bench.mode is ONLINE


@given(st.lists(st.booleans(), max_size=60))
def test_no_better_mode_comes_before_its_time(answers: list[bool]) -> None:
    bench = Bench()
    bench.probe(*answers)
    for change in bench.changes:
        if change.now is ONLINE:
            assert change.after_s >= 90
    for first, second in zip(bench.changes, bench.changes[1:], strict=False):
        assert first.now is second.was


@pytest.mark.parametrize(
    ("outage", "expected"),
    [(None, ONLINE), ("503", OFFLINE), ("refused", OFFLINE), ("hang", OFFLINE)],
)
def test_the_prober_asks_every_half_minute(outage: str | None, expected: NetworkMode) -> None:
    bench = Bench()
    ofd = VirtualOfd(bench.clock, latency_s=5)  # slow is not away
    ofd.outage = outage
    prober = Prober(ofd, bench.network, bench.clock, ProbeRules())
    for _ in range(4):
        due_s = prober.step(bench.clock.monotonic_s())
        bench.clock.advance_to(due_s)
    assert ofd.pings == [1_000, 1_030, 1_060, 1_090]
    assert bench.mode is expected
    prober.close()
    assert ofd.closed


@pytest.mark.parametrize(
    ("retry_after_s", "waits_s"),
    [(None, [60, 120, 240, 480, 600, 600]), (120.0, [120, 120, 240, 480, 600, 600])],
)
def test_an_overloaded_ofd_is_probed_less_and_is_there(
    retry_after_s: float | None, waits_s: list[float]
) -> None:
    bench = Bench()
    ofd = VirtualOfd(bench.clock)
    ofd.outage, ofd.retry_after_s = "429", retry_after_s
    prober = Prober(ofd, bench.network, bench.clock, ProbeRules())
    now_s = bench.clock.monotonic_s()
    assert [prober.step(now_s) - now_s for _ in waits_s] == waits_s
    assert bench.mode is ONLINE
    ofd.outage = None
    assert prober.step(now_s) - now_s == 30
