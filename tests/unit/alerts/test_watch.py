"""Each alert is told once when it was so for long enough, and once when it is over."""

from __future__ import annotations

from kktd.alerts.outbox import REPEAT_S, RETRY_MAX_S
from kktd.alerts.watch import LOOK_S, SETTLE_S, TEST_S
from kktd.store import journal
from tests.unit.alerts.conftest import Ear, WatchBench

FULL = {"queued": 200, "percent_full": 100.0}


def test_an_alert_waits_for_its_holding_time_and_is_told_once(bench: WatchBench) -> None:
    bench.now(**FULL)
    bench.run(60)
    assert bench.ear.heard == []
    bench.run(2 * LOOK_S)
    assert bench.ear.heard == [("OfflineBufferFull", "firing")]
    bench.run(600)
    assert bench.ear.heard == [("OfflineBufferFull", "firing")]
    bench.now()
    bench.run(LOOK_S)
    assert bench.ear.heard[1:] == [("OfflineBufferFull", "resolved")]
    assert bench.raised() == []


def test_what_did_not_last_is_not_told(bench: WatchBench) -> None:
    for _ in range(5):
        bench.now(**FULL)
        bench.run(50)
        bench.now()
        bench.run(LOOK_S)
    assert bench.ear.heard == []


def test_the_line_has_the_fields_of_the_guide_and_the_level_of_the_alert(bench: WatchBench) -> None:
    bench.now(**FULL)
    bench.run(70)
    (line,) = bench.lines("alert_sent")
    assert (line["level"], line["buffer_size"]) == ("P1", 200)
    assert "переполнен" in line["message"]
    total, kept = bench.store.read(lambda db: journal.find_page(db, ("CRITICAL",), None, 9, 0))
    assert (total, kept[0].event, kept[0].facts["alert_level"]) == (1, "alert_sent", "P1")


def test_a_deaf_channel_is_asked_less_and_less_often_and_hears_the_latest_word(
    bench: WatchBench,
) -> None:
    bench.ear.deaf = True
    bench.now(ofd_stopped=True)
    bench.run(600)
    assert 600 / RETRY_MAX_S <= bench.ear.calls <= 600 / RETRY_MAX_S + 6
    bench.now()
    bench.run(LOOK_S)
    bench.ear.deaf = False
    bench.run(RETRY_MAX_S + LOOK_S)
    assert bench.ear.heard == [("OfdKeyRefused", "resolved")]


def test_a_deaf_channel_keeps_no_other_from_hearing(bench: WatchBench) -> None:
    other = Ear("other")
    bench.ear.deaf = True
    bench.watch.use([bench.ear, other])
    bench.now(ofd_stopped=True)
    bench.run(LOOK_S)
    assert other.heard == [("OfdKeyRefused", "firing")]


def test_what_stands_is_repeated(bench: WatchBench) -> None:
    bench.now(dlq=1)
    bench.run(10 * REPEAT_S)
    assert 9 <= bench.ear.calls <= 11
    assert bench.ear.standing == ["DLQ"]


def test_another_address_hears_what_the_old_one_did_not(bench: WatchBench) -> None:
    old = bench.ear
    old.deaf = True
    bench.now(dlq=1)
    bench.run(300)
    new = Ear()
    bench.watch.use([new])
    bench.run(LOOK_S)
    assert new.heard == [("DLQ", "firing")]
    assert old.closed


def test_a_restart_does_not_lose_what_stood(bench: WatchBench) -> None:
    bench.now(circuit_closed=False)
    bench.run(310)
    since_s = bench.watch.raised[0].since_s
    bench.now()  # the breaker begins closed
    bench.restart()
    bench.run(120)
    assert [(one.alert.name, one.since_s) for one in bench.watch.raised] == [
        ("CircuitBreakerOpen", since_s)
    ]
    bench.now(circuit_closed=False)
    bench.run(600)
    assert bench.ear.heard == [("CircuitBreakerOpen", "firing")]  # once, in case it was not sent
    assert len(bench.lines("alert_sent")) == 1


def test_a_restart_ends_what_is_over(bench: WatchBench) -> None:
    bench.now(ofd_stopped=True)
    bench.run(LOOK_S)
    bench.now()
    bench.restart()
    bench.run(SETTLE_S + 2 * LOOK_S)
    assert bench.ear.heard == [("OfdKeyRefused", "firing"), ("OfdKeyRefused", "resolved")]
    bench.restart()
    assert bench.raised() == []


def test_a_restart_begins_the_holding_time_anew(bench: WatchBench) -> None:
    bench.now(**FULL)
    bench.run(50)
    bench.restart()
    bench.run(50)
    assert bench.ear.heard == []
    bench.run(20)
    assert bench.ear.heard == [("OfflineBufferFull", "firing")]


def test_the_alert_of_a_dead_disk_is_sent_without_it(bench: WatchBench) -> None:
    bench.now(disk_failed=True)
    bench.store.close()
    try:
        bench.run(LOOK_S)
        assert bench.ear.heard == [("DiskFailed", "firing")]
        assert len(bench.lines("alert_sent")) == 1
    finally:
        bench.start()  # for who closes it


def test_a_test_alert_fires_and_ends_by_itself(bench: WatchBench) -> None:
    bench.watch.test()
    bench.run(LOOK_S)
    assert bench.ear.heard == [("TestAlert", "firing")]
    bench.run(TEST_S + LOOK_S)
    assert bench.ear.heard == [("TestAlert", "firing"), ("TestAlert", "resolved")]
