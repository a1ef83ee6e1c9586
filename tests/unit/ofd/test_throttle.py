"""After a 429 receipts leave apart, and nearer again when nobody objects (A.5, case 3)."""

from __future__ import annotations

from kktd.ofd.throttle import DOUBLINGS_MAX, EASED_BY, FORGOTTEN_S, GAP_FIRST_S, Throttle


def test_each_429_doubles_the_gap_up_to_a_limit() -> None:
    throttle, gaps = Throttle(), []
    assert [throttle.note_refused(now_s) for now_s in range(6)] == [True] + [False] * 5
    for _ in range(6):
        gaps.append(throttle.gap_s)
    assert gaps[0] == GAP_FIRST_S * 2**DOUBLINGS_MAX


def test_ten_receipts_that_went_halve_it_and_the_last_ten_end_it() -> None:
    throttle, now_s = Throttle(), 0.0
    throttle.note_refused(now_s)
    throttle.note_refused(now_s)
    gaps, ended = [], False
    while not ended:
        gaps.append(throttle.gap_s)
        ended = throttle.note_went(now_s)
        now_s = max(now_s, throttle.next_s)
    assert gaps == [2 * GAP_FIRST_S] * EASED_BY + [GAP_FIRST_S] * EASED_BY
    assert not throttle.is_on(now_s)
    assert not throttle.note_went(now_s)
    assert throttle.next_s <= now_s


def test_one_429_of_this_morning_slows_nothing_now() -> None:
    throttle = Throttle()
    throttle.note_refused(0)
    assert throttle.is_on(FORGOTTEN_S - 1)
    assert not throttle.is_on(FORGOTTEN_S)
    assert throttle.note_went(FORGOTTEN_S)
    assert throttle.gap_s == 0
    assert throttle.note_refused(FORGOTTEN_S + 1)
