"""Delivery under outages of every kind, poison, restarts and clocks set back, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kktd.errors import LeaseHeld, NoNetwork
from kktd.model.states import CircuitState, Delivery
from kktd.store import dlq, leases
from tests.support.ofd import DeliveryBench

HOUR_S = 3_600
KINDS = ("refused", "hang", "503", "500", "429", "401", "lost")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeliveryBench]:
    made = DeliveryBench(tmp_path)
    yield made
    made.close()


def test_a_registered_receipt_goes_at_once(bench: DeliveryBench) -> None:
    bench.run(1)
    [sold] = bench.sell()
    bench.run(1)
    assert list(bench.ofd.stored) == [sold]
    assert bench.find(sold).delivery is Delivery.SYNCED
    assert "receipt_synced" in bench.stored_events()


@pytest.mark.parametrize("kind", KINDS)
def test_eight_hours_without_the_ofd_lose_nothing(bench: DeliveryBench, kind: str) -> None:
    bench.sell(3)
    bench.run(1)
    bench.ofd.outage = kind
    for _ in range(50):
        bench.sell()
        bench.run(8 * HOUR_S / 50)
    assert not bench.dead()
    if kind != "lost":
        assert len(bench.ofd.stored) == 3
    bench.ofd.outage = None
    bench.run(6 * 60)
    assert bench.statuses() == [Delivery.SYNCED] * 53
    assert list(bench.ofd.stored) == bench.ids


@pytest.mark.parametrize("kind", ["refused", "hang", "503", "500", "429", "401", "lost"])
def test_no_attempt_of_an_outage_counts(bench: DeliveryBench, kind: str) -> None:
    bench.sell(3)
    bench.run(1)
    bench.ofd.outage = kind
    sold = bench.sell(2)
    bench.run(HOUR_S)
    assert [bench.find(one).retry_count for one in sold] == [0, 0]
    assert bench.find(sold[0]).last_error


@pytest.mark.parametrize("kind", ["refused", "503", "429", "401"])
def test_no_connection_and_busy_never_count_even_if_pings_are_answered(
    bench: DeliveryBench, kind: str
) -> None:
    bench.ofd.outage, bench.ofd.health_too = kind, False
    [sold] = bench.sell()
    bench.run(HOUR_S)
    assert bench.find(sold).retry_count == 0


def test_refusals_count_only_while_the_ofd_is_shown_to_be_alive(bench: DeliveryBench) -> None:
    bench.ofd.health_down = True
    [poison] = bench.sell()
    bench.ofd.refuses.add(poison)
    bench.run(8 * HOUR_S)
    assert bench.find(poison).retry_count == 0
    bench.ofd.health_down = False
    bench.run(10 * 60)
    assert bench.find(poison).retry_count >= 1


@pytest.mark.parametrize("kind", ["hang", "500", "lost"])
def test_an_ofd_that_answers_pings_alone_is_out_too(bench: DeliveryBench, kind: str) -> None:
    bench.ofd.outage, bench.ofd.health_too = kind, False
    for _ in range(40):
        bench.sell()
        bench.run(8 * HOUR_S / 40)
    assert not bench.dead()
    bench.ofd.outage = None
    bench.run(6 * 60)
    assert bench.statuses() == [Delivery.SYNCED] * 40
    assert sorted(bench.ofd.stored.values()) == list(range(1, 41))


@pytest.mark.parametrize("kind", ["refused", "503", "500"])
def test_an_open_circuit_is_probed_once_a_minute(bench: DeliveryBench, kind: str) -> None:
    bench.ofd.outage = kind
    bench.sell(20)
    bench.run(10 * 60)
    assert bench.breaker.state is CircuitState.OPEN
    sent, pinged = len(bench.ofd.sends), len(bench.ofd.pings)
    bench.run(60 * 60)
    assert len(bench.ofd.sends) == sent, "the ping failed: no receipt may follow it"
    assert 58 <= len(bench.ofd.pings) - pinged <= 60


def test_the_first_five_failures_wait_longer_each_time(bench: DeliveryBench) -> None:
    bench.ofd.outage = "refused"
    bench.sell()
    bench.run(120)
    times = [at - bench.ofd.sends[0][0] for at, _ in bench.ofd.sends]
    assert times == [0, 5, 15, 35, 75]
    assert bench.breaker.snapshot().failure_count == 5


def test_poison_delays_nobody_and_ends_in_the_dlq(bench: DeliveryBench) -> None:
    sold = bench.sell(50)
    poison = sold[10]
    bench.ofd.refuses.add(poison)
    bench.run(50 * bench.ofd.latency_s + 1)
    assert list(bench.ofd.stored) == [one for one in sold if one != poison]
    bench.run(40 * 60)
    assert not bench.dead()
    bench.run(60 * 60)
    [letter] = bench.dead()
    assert (letter.receipt_id, letter.reason) == (poison, dlq.Reason.MAX_RETRIES)
    assert letter.retry_attempts == 20
    assert letter.document.fd == 11
    assert bench.find(poison).delivery is Delivery.FAILED
    assert bench.stored_events().count("receipt_failed") == 1
    assert bench.breaker.state is CircuitState.CLOSED


def test_many_poisoned_receipts_hold_nobody(bench: DeliveryBench) -> None:
    bench.ofd.refuses.update(bench.sell(60))
    bench.run(30)
    [good] = bench.sell()
    bench.run(10)
    assert good in bench.ofd.stored


def test_a_receipt_the_ofd_crashes_on_lets_the_others_pass_in_the_end(
    bench: DeliveryBench,
) -> None:
    sold = bench.sell(5)
    bench.ofd.crashes_on.add(sold[0])
    bench.run(45 * 60)
    assert list(bench.ofd.stored) == sold[1:]
    [letter] = bench.dead()
    assert letter.receipt_id == sold[0]


def test_wrong_numbers_go_to_a_person_at_once(bench: DeliveryBench) -> None:
    sold = bench.sell(3)
    bench.ofd.garbles.add(sold[1])
    bench.run(5)
    [letter] = bench.dead()
    assert (letter.receipt_id, letter.reason) == (sold[1], dlq.Reason.WRONG_NUMBERS)
    assert list(bench.ofd.stored) == [sold[0], sold[2]]


def test_a_dead_letter_tried_again_is_delivered(bench: DeliveryBench) -> None:
    [sold] = bench.sell()
    bench.ofd.garbles.add(sold)
    bench.run(5)
    bench.ofd.garbles.clear()
    [letter] = bench.dead()
    bench.store.write(lambda db: dlq.retry(db, letter.id, "engineer", 7))
    bench.delivery.wake()
    bench.run(1)
    assert bench.find(sold).delivery is Delivery.SYNCED
    assert not bench.dead()


def test_a_wrong_token_stops_the_queue_and_raises_one_alarm(bench: DeliveryBench) -> None:
    bench.ofd.outage = "401"
    bench.sell(3)
    bench.run(HOUR_S)
    assert bench.stored_events().count("ofd_stopped") == 1
    assert 11 <= len(bench.ofd.sends) <= 13
    assert bench.delivery.snapshot().stopped == "401 Unauthorized"
    assert bench.breaker.state is CircuitState.CLOSED
    bench.ofd.outage = None
    bench.delivery.settings_changed()
    bench.run(1)
    assert bench.pending() == 0
    assert bench.delivery.snapshot().stopped is None


@pytest.mark.parametrize("kind", ["429", "503"])
def test_the_ofd_says_how_long_to_wait(bench: DeliveryBench, kind: str) -> None:
    bench.ofd.outage, bench.ofd.retry_after_s = kind, 120
    bench.sell(2)
    bench.run(119)
    assert len(bench.ofd.sends) == 1
    bench.ofd.outage = None
    bench.delivery.request_sync("admin", force=True)
    bench.run(0.5)
    assert len(bench.ofd.sends) == 1, "force does not overrule it"
    bench.run(2)
    assert bench.pending() == 0


def test_force_ignores_the_backoff(bench: DeliveryBench) -> None:
    bench.ofd.outage = "refused"
    bench.sell(2)
    bench.run(20)  # three failures, the next try at 35 s
    bench.ofd.outage = None
    job = bench.delivery.request_sync("admin", force=True)
    assert (job.pending_receipts, job.estimated_duration_s) == (2, 6)
    bench.run(1)
    assert bench.pending() == 0


def test_an_open_circuit_takes_no_force_but_a_reset(bench: DeliveryBench) -> None:
    bench.ofd.outage = "refused"
    bench.sell(2)
    bench.run(80)
    with pytest.raises(NoNetwork) as refused:
        bench.delivery.request_sync("admin", force=True)
    assert refused.value.details["retry_after_seconds"] == 55
    bench.ofd.outage = None
    assert bench.breaker.reset().state is CircuitState.CLOSED
    bench.run(1)
    assert bench.pending() == 0
    assert bench.lines("circuit_breaker_closed")[-1]["reason"] == "manual_reset"


def test_a_second_sync_is_refused_while_one_runs(bench: DeliveryBench) -> None:
    bench.sell(15)
    bench.step()
    with pytest.raises(LeaseHeld) as refused:
        bench.delivery.request_sync("admin", force=False)
    assert refused.value.details["held_by"] == "online"
    bench.run(5)
    assert bench.pending() == 0
    bench.delivery.request_sync("admin", force=False)
    bench.run(1)
    names = [line["event"] for line in bench.lines("sync_lock_conflict", "sync_rejected")]
    assert names == ["sync_lock_conflict", "sync_rejected"]
    assert bench.lines("sync_rejected")[0]["http_status"] == 409


def test_a_clock_set_back_a_day_keeps_nothing_open(bench: DeliveryBench) -> None:
    bench.ofd.outage = "refused"
    bench.sell(2)
    bench.run(100)
    assert bench.breaker.snapshot().state is CircuitState.OPEN
    bench.clock.jump_wall(-86_400)
    bench.ofd.outage = None
    bench.run(60)
    assert bench.breaker.snapshot().state is CircuitState.CLOSED
    assert bench.pending() == 0


def test_a_restart_in_the_middle_sends_the_same_keys_again(bench: DeliveryBench) -> None:
    sold = bench.sell(10)
    for _ in range(4):
        bench.step()
    bench.ofd.outage = "lost"
    bench.step()
    bench.ofd.outage = None
    bench.sell(2)
    bench.step()
    bench.restart()
    assert Delivery.SYNCING not in bench.statuses()
    bench.run(5)
    assert bench.pending() == 0
    assert list(bench.ofd.stored) == bench.ids
    assert [one for _, one in bench.ofd.sends].count(sold[4]) == 2


def test_the_circuit_closes_by_the_ping_when_nothing_waits(bench: DeliveryBench) -> None:
    bench.ofd.outage = "500"
    [sold] = bench.sell()
    bench.run(100)
    bench.store.write(lambda db: db.execute("UPDATE receipts SET status = 'synced'") and None)
    bench.ofd.outage = None
    bench.run(120)
    assert bench.breaker.state is CircuitState.CLOSED
    assert [one for _, one in bench.ofd.sends].count(sold) == 5


def test_a_dead_owner_holds_nobody_longer_than_its_lease(bench: DeliveryBench) -> None:
    dead = leases.Lease("sync:POS-001", "sync:POS-001:1", "dead", "scheduled")
    bench.store.write(lambda db: leases.acquire(db, dead, bench.boot))
    [sold] = bench.sell()
    bench.run(29)
    assert not bench.ofd.sends
    bench.run(6)
    assert list(bench.ofd.stored) == [sold]


def test_a_lease_lost_to_a_slow_ofd_loses_no_delivery(bench: DeliveryBench) -> None:
    bench.ofd.latency_s = 9
    sold = bench.sell(5)
    bench.step()
    other = leases.Lease("sync:POS-001", "sync:POS-001:2", "other", "manual")
    bench.store.write(leases.free_all)
    bench.store.write(lambda db: leases.acquire(db, other, bench.boot))
    bench.run(2 * 60)
    assert [one for _, one in bench.ofd.sends] == sold
    assert bench.statuses() == [Delivery.SYNCED] * 5


def test_a_stop_gives_back_what_was_taken_and_lets_go(bench: DeliveryBench) -> None:
    bench.sell(5)
    bench.step()
    bench.delivery.close()
    assert bench.statuses() == [Delivery.SYNCED, *[Delivery.PENDING] * 4]
    assert bench.ofd.closed
    assert bench.store.read(lambda db: list(db.execute("SELECT * FROM leases"))) == []


def test_the_lease_goes_with_the_run(bench: DeliveryBench) -> None:
    bench.sell(3)
    bench.run(5)
    assert bench.store.read(lambda db: list(db.execute("SELECT * FROM leases"))) == []


def test_one_sale_online_leaves_the_lines_of_a_receipt(bench: DeliveryBench) -> None:
    bench.run(1)
    [sold] = bench.sell()
    bench.run(1)
    names = ("circuit_check", "ofd_send_start", "ofd_send_success", "receipt_synced", "sync_start")
    check, start, success, synced = bench.lines(*names)
    assert (check["circuit_state"], check["failure_count"]) == ("CLOSED", 0)
    assert start == {"level": "INFO", "event": "ofd_send_start", "receipt_id": sold}
    assert success["fiscal_doc"]["fd"] == "1"
    assert success["duration_ms"] == 50
    assert synced["hlc_server_time"] == 42


def test_the_way_back_is_logged_as_in_the_guide(bench: DeliveryBench) -> None:
    bench.ofd.outage = "refused"
    bench.sell(48)
    bench.run(80)
    bench.ofd.outage = None
    bench.run(120)
    told = bench.lines(
        "circuit_breaker_opened",
        "circuit_breaker_half_open",
        "ofd_send_start",
        "circuit_breaker_closed",
        "sync_start",
        "sync_complete",
    )
    opened = next(n for n, line in enumerate(told) if line["event"] == "circuit_breaker_opened")
    assert told[opened]["failure_count"] == 5
    assert told[opened]["recovery_timeout_seconds"] == 60
    after = [line for line in told[opened + 1 :] if line["event"] != "sync_complete"]
    half_open, probe, closed, start = after[:4]
    assert half_open["next_attempt"] == "probe_request"
    assert probe["is_probe"] is True
    assert (closed["reason"], closed["downtime_seconds"]) == ("probe_success", 60)
    assert (start["pending_receipts"], start["estimated_duration_seconds"]) == (47, 141)
    done = bench.lines("sync_complete")[-1]
    assert (done["synced_count"], done["failed_count"]) == (48, 0)


outages = st.lists(
    st.tuples(
        st.sampled_from((None, None, *KINDS)),
        st.booleans(),
        st.integers(0, 3),
        st.integers(1, 1_200),
    ),
    max_size=12,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(outages, st.integers(0, 12))
def test_any_weather_ends_with_every_receipt_once(
    tmp_path_factory: pytest.TempPathFactory,
    weather: list[tuple[str | None, bool, int, int]],
    restart_at: int,
) -> None:
    bench = DeliveryBench(tmp_path_factory.mktemp("till"))
    try:
        for number, (kind, health_too, sales, seconds) in enumerate(weather):
            bench.ofd.outage, bench.ofd.health_too = kind, health_too
            bench.sell(sales)
            bench.run(seconds)
            if number == restart_at:
                bench.restart()
        bench.ofd.outage = None
        bench.run(20 * 60)
        assert bench.statuses() == [Delivery.SYNCED] * len(bench.ids)
        assert sorted(bench.ofd.stored.values()) == list(range(1, len(bench.ids) + 1))
        assert not bench.dead()
    finally:
        bench.close()


def test_after_a_429_receipts_leave_apart_until_nobody_objects(bench: DeliveryBench) -> None:
    """A.5, case 3: slower, said once, and itself again by itself."""
    bench.ofd.outage, bench.ofd.retry_after_s = "429", 10
    bench.sell(25)
    bench.run(9)
    bench.ofd.outage = None
    bench.run(1 + 5)
    assert 4 <= len(bench.ofd.stored) <= 6  # one a second, and the ОФД's own time
    assert bench.delivery.snapshot().throttled
    bench.run(30)
    assert len(bench.ofd.stored) == 25
    assert not bench.delivery.snapshot().throttled
    told = bench.lines("ofd_throttled", "ofd_unthrottled")
    assert [line["event"] for line in told] == ["ofd_throttled", "ofd_unthrottled"]
    assert (told[0]["retry_after_seconds"], told[0]["gap_seconds"]) == (10, 1)
    assert bench.stored_events().count("ofd_throttled") == 1


def test_half_open_probes_are_rarer_when_the_ofd_asks_for_it(bench: DeliveryBench) -> None:
    bench.ofd.outage = "refused"
    bench.sell(3)
    bench.run(10 * 60)
    assert bench.breaker.state is CircuitState.OPEN
    bench.ofd.outage, bench.ofd.retry_after_s = "429", 300
    bench.run(61)
    asked = len(bench.ofd.pings) + len(bench.ofd.sends)
    bench.run(298 - 61)
    assert len(bench.ofd.pings) + len(bench.ofd.sends) == asked
    bench.ofd.outage = None
    bench.run(120)
    assert bench.pending() == 0
