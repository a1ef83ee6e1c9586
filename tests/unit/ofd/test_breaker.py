"""The breaker: what counts, when it opens, and that nobody waits for a call in flight."""

from __future__ import annotations

import threading

import pytest

from kktd.model.states import CircuitState
from kktd.ofd.breaker import Breaker, BreakerRules, CircuitChange
from kktd.ofd.channel import (
    Busy,
    DeliveryError,
    Misconfigured,
    NotAccepted,
    Throttled,
    Unavailable,
    Unknown,
    WrongNumbers,
)
from tests.support.clock import VirtualClock

DOWN = Unavailable("ConnectionRefused")


def a_breaker() -> tuple[Breaker, VirtualClock, list[CircuitChange]]:
    clock = VirtualClock()
    breaker = Breaker(clock, BreakerRules())
    changes: list[CircuitChange] = []
    breaker.subscribe(changes.append)
    return breaker, clock, changes


def opened() -> tuple[Breaker, VirtualClock, list[CircuitChange]]:
    breaker, clock, changes = a_breaker()
    for _ in range(5):
        breaker.failed(DOWN)
    changes.clear()
    return breaker, clock, changes


def test_five_failures_in_a_row_open_it() -> None:
    breaker, clock, changes = a_breaker()
    for _ in range(4):
        breaker.failed(DOWN)
    assert not changes
    breaker.failed(DOWN)
    [change] = changes
    assert (change.was, change.now) == (CircuitState.CLOSED, CircuitState.OPEN)
    assert (change.reason, change.failure_count) == ("failure_threshold_exceeded", 5)
    shown = breaker.snapshot()
    assert (shown.state, shown.failure_count) == (CircuitState.OPEN, 5)
    assert shown.last_failure_at_s == clock.wall_s()
    assert shown.next_attempt_at_s == clock.wall_s() + 60


@pytest.mark.parametrize("error", [Unknown("500"), Busy("503"), DOWN])
def test_what_says_nothing_good_of_the_connection_counts(error: DeliveryError) -> None:
    breaker, _, _ = a_breaker()
    assert breaker.count_after(error) == 1
    breaker.failed(error)
    assert breaker.failure_count == 1


@pytest.mark.parametrize(
    "error", [NotAccepted("422"), WrongNumbers("fd"), Misconfigured("401"), Throttled("429")]
)
def test_an_answer_of_a_living_ofd_ends_the_row(error: DeliveryError) -> None:
    breaker, _, _ = a_breaker()
    for _ in range(4):
        breaker.failed(DOWN)
    assert breaker.count_after(error) == 0
    breaker.failed(error)
    assert breaker.failure_count == 0


def test_it_rests_a_minute_and_then_takes_one_probe() -> None:
    breaker, clock, changes = opened()
    clock.advance(59.9)
    breaker.begin_probe()
    assert breaker.state is CircuitState.OPEN
    clock.advance(0.1)
    breaker.begin_probe()
    assert breaker.snapshot().state is CircuitState.HALF_OPEN
    breaker.failed(DOWN)
    clock.advance(30)
    assert breaker.snapshot().state is CircuitState.OPEN
    assert breaker.next_attempt_s == clock.monotonic_s() + 30
    assert [one.reason for one in changes] == ["probe_request", "probe_failed"]


def test_a_good_probe_closes_it_and_says_how_long_it_was_away() -> None:
    breaker, clock, changes = opened()
    for _ in range(3):
        clock.advance(60)
        breaker.begin_probe()
        breaker.failed(DOWN)
    clock.advance(60)
    breaker.begin_probe()
    breaker.succeeded()
    assert (changes[-1].now, changes[-1].reason) == (CircuitState.CLOSED, "probe_success")
    assert changes[-1].downtime_s == 240
    assert breaker.failure_count == 0


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_the_wall_clock_neither_holds_nor_hurries_it(jump_s: float) -> None:
    breaker, clock, _ = opened()
    clock.jump_wall(jump_s)
    clock.advance(59)
    breaker.begin_probe()
    assert breaker.snapshot().state is CircuitState.OPEN
    assert breaker.snapshot().next_attempt_at_s == clock.wall_s() + 1
    clock.advance(1)
    breaker.begin_probe()
    assert breaker.snapshot().state is CircuitState.HALF_OPEN


def test_a_reset_closes_it_whatever_it_was() -> None:
    breaker, _, changes = opened()
    assert breaker.reset().state is CircuitState.CLOSED
    assert [one.reason for one in changes] == ["manual_reset"]
    breaker.reset()
    assert len(changes) == 1, "nothing changed, nothing to tell"


def test_a_failure_of_a_call_that_began_before_the_reset_is_the_first_of_a_new_row() -> None:
    breaker, clock, _ = opened()
    clock.advance(60)
    breaker.begin_probe()
    breaker.reset()
    breaker.failed(DOWN)
    assert (breaker.state, breaker.failure_count) == (CircuitState.CLOSED, 1)


def test_a_listener_may_ask_the_breaker_and_another_thread_is_not_kept_waiting() -> None:
    breaker, _, _ = a_breaker()
    inside, leave = threading.Event(), threading.Event()

    def slow(change: CircuitChange) -> None:
        breaker.snapshot()
        if change.now is CircuitState.OPEN:
            inside.set()
            leave.wait(10)

    breaker.subscribe(slow)

    def fail() -> None:
        for _ in range(5):
            breaker.failed(DOWN)

    sender = threading.Thread(target=fail)
    sender.start()
    assert inside.wait(10)
    assert breaker.reset().state is CircuitState.CLOSED
    leave.set()
    sender.join(10)
