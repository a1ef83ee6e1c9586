"""Waits and proofs: who may go when, and whose attempts count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kktd.ofd.pace import Pace, PaceRules

RULES = PaceRules()


def test_waits_double_from_five_seconds_to_five_minutes() -> None:
    pace, waits = Pace(RULES), []
    for _ in range(9):
        pace.note_no_answer("a", 0, exhausted=False)
        waits.append(pace.may_send_s(circuit_closed=True))
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_while_the_circuit_is_open_it_sets_the_pace_itself() -> None:
    pace = Pace(RULES)
    pace.note_no_answer("a", 0, exhausted=False)
    assert pace.may_send_s(circuit_closed=False) < 0


def test_a_refusal_sets_one_back_and_frees_the_others() -> None:
    pace = Pace(RULES)
    pace.note_no_answer("a", 0, exhausted=False)
    pace.note_refused("b", 0)
    assert pace.may_send_s(circuit_closed=True) < 0
    assert not pace.may_go("b", 4.9)
    assert pace.may_go("b", 5)
    assert pace.may_go("a", 0)
    assert pace.next_due_s(0) == 5


def test_one_that_was_not_even_tried_waits_longer_each_time_too() -> None:
    pace, now_s, waits = Pace(RULES), 0.0, []
    pace.note_refused("a", now_s)
    for _ in range(4):
        waits.append(pace.next_due_s(now_s) - now_s)
        now_s = pace.next_due_s(now_s)
        pace.set_back("a", now_s)
    assert waits == [5, 10, 20, 40]
    assert pace.failures("a") == 1


def test_only_what_was_proven_since_the_last_attempt_makes_one_count() -> None:
    pace = Pace(RULES)
    pace.note_ping()
    assert not pace.alive_since("a"), "it was never tried"
    pace.note_refused("a", 0)
    assert not pace.alive_since("a")
    assert pace.wants_ping("a")
    pace.note_ping()
    assert pace.alive_since("a")
    assert not pace.wants_ping("a")
    assert not pace.delivered_since("a")
    pace.note_delivered("b")
    assert pace.delivered_since("a")


def test_one_without_answers_that_used_up_its_attempts_lets_another_try() -> None:
    pace = Pace(RULES)
    pace.note_no_answer("a", 0, exhausted=True)
    assert not pace.may_go("a", 299)
    pace.note_delivered("b")
    assert pace.may_go("a", 0), "the way is open: it goes first"


def test_zero_seconds_asked_for_is_no_licence_to_hammer() -> None:
    pace = Pace(RULES)
    pace.note_busy("a", 100, 0)
    assert pace.may_send_s(circuit_closed=True) == 105


def test_a_hurry_keeps_what_the_ofd_asked_for_unless_told() -> None:
    pace = Pace(RULES)
    pace.note_busy("a", 0, 600)
    pace.note_stopped("a", 0, "401")
    pace.hurry(also_asked=False)
    assert pace.may_send_s(circuit_closed=True) == 600
    pace.hurry(also_asked=True)
    assert pace.may_send_s(circuit_closed=True) < 0


@given(st.integers(1, 200), st.floats(0, 1))
def test_no_wait_is_shorter_than_the_first_or_longer_than_the_longest(
    failures: int, jitter: float
) -> None:
    pace = Pace(RULES, lambda: jitter)
    for _ in range(failures):
        pace.note_no_answer("a", 0, exhausted=False)
    assert 5 <= pace.may_send_s(circuit_closed=True) <= 330
