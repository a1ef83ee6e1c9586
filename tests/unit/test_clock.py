"""Deadlines and the hybrid clock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kktd.clock import Deadline, HlcStamp, HybridClock, SystemClock
from kktd.store import receipts
from kktd.store.store import Store
from tests.support.clock import VirtualClock
from tests.support.receipts import a_receipt


def test_a_deadline_counts_down_and_stays_at_nothing() -> None:
    clock = VirtualClock()
    by = Deadline.after_ms(clock, 1_500)
    assert by.left_s() == 1.5
    assert not by.passed()
    clock.advance(2)
    assert by.left_s() == 0
    assert by.passed()


def test_a_deadline_does_not_notice_who_sets_the_clock() -> None:
    clock = VirtualClock()
    by = Deadline.after_ms(clock, 1_000)
    clock.jump_wall(-86_400)
    assert by.left_s() == 1


def test_a_part_of_a_wait_ends_with_the_whole() -> None:
    clock = VirtualClock()
    by = Deadline.after_ms(clock, 1_000)
    assert by.within_ms(250).left_s() == 0.25
    assert by.within_ms(5_000).at_s == by.at_s


def test_the_system_clock_moves() -> None:
    clock = SystemClock()
    before = clock.monotonic_s()
    clock.sleep(0.001)
    assert clock.monotonic_s() > before
    assert clock.wall_s() > 1_700_000_000


@given(st.lists(st.integers(-100_000, 100_000), max_size=50))
def test_stamps_rise_whatever_the_wall_clock_does(jumps: list[int]) -> None:
    clock = VirtualClock()
    hlc = HybridClock(clock, HlcStamp(0, 0))
    stamps = [hlc.tick()]
    for jump in jumps:
        clock.jump_wall(jump)
        stamps.append(hlc.tick())
    assert stamps == sorted(set(stamps))


def test_a_clock_that_woke_in_1970_does_not_go_back() -> None:
    clock = VirtualClock()
    last = HlcStamp(int(clock.wall_s()), 7)
    clock.jump_wall(-clock.wall_s())
    assert HybridClock(clock, last).tick() == HlcStamp(last.local_time_s, 8)


def test_one_day_in_2036_does_not_stick() -> None:
    clock = VirtualClock()
    today_s = int(clock.wall_s())
    hlc = HybridClock(clock, HlcStamp(today_s, 0))
    hlc.believe_until(today_s + 86_400)
    clock.jump_wall(10 * 365 * 86_400)
    assert hlc.tick() == HlcStamp(today_s, 1)
    clock.jump_wall(-10 * 365 * 86_400 + 60)
    assert hlc.tick() == HlcStamp(today_s + 60, 0)


def test_threads_never_share_a_stamp() -> None:
    hlc = HybridClock(VirtualClock(), HlcStamp(0, 0))
    with ThreadPoolExecutor(8) as pool:
        stamps = list(pool.map(lambda _: hlc.tick(), range(400)))
    assert len(set(stamps)) == 400


def test_stamps_go_on_over_a_restart(tmp_path: Path) -> None:
    clock = VirtualClock()
    stamps = []
    for _ in range(3):
        store = Store(tmp_path / "kktd.db")
        hlc = HybridClock(clock, store.read(receipts.highest_stamp))
        for _ in range(2):
            stamps.append(hlc.tick())
            store.write(partial(receipts.accept, receipt=a_receipt(), stamp=stamps[-1], now_s=1))
        store.close()
        clock.jump_wall(-86_400)
    assert stamps == sorted(set(stamps))
