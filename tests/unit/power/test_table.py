"""Every event of apccontrol in every state: where it leads, and what cannot be undone."""

from __future__ import annotations

import itertools

import pytest

from kktd.power.table import (
    BACK,
    DYING,
    TROUBLES,
    PowerState,
    Step,
    Trouble,
    UpsEvent,
    after,
    troubles_after,
)

S, E = PowerState, UpsEvent
# apccontrol of apcupsd 3.14.14, its cases in their order.
APCCONTROL = (
    *("killpower", "commfailure", "commok", "powerout", "onbattery", "offbattery", "mainsback"),
    *("failing", "timeout", "loadlimit", "runlimit", "doreboot", "doshutdown", "annoyme"),
    *("emergency", "changeme", "remotedown", "startselftest", "endselftest", "battdetach"),
    "battattach",
)


def test_every_event_of_apccontrol_is_known_and_no_other() -> None:
    assert {str(event) for event in UpsEvent} == set(APCCONTROL)


@pytest.mark.parametrize(
    ("event", "leads_to"),
    [
        *((event, {S.MAINS: S.LOW, S.ON_BATTERY: S.LOW}) for event in DYING),
        *((event, {S.ON_BATTERY: S.MAINS, S.LOW: S.MAINS}) for event in BACK),
        (E.ONBATTERY, {S.MAINS: S.ON_BATTERY}),
        *((event, {}) for event in UpsEvent if event not in {*DYING, *BACK, E.ONBATTERY}),
        (Step.FINISH, {S.LOW: S.HALTING}),
    ],
)
def test_an_event_leads_where_it_should_from_every_state(
    event: UpsEvent | Step, leads_to: dict[PowerState, PowerState]
) -> None:
    assert {state: after(state, event) for state in PowerState} == {
        state: leads_to.get(state, state) for state in PowerState
    }


def test_nothing_leads_back_from_halting() -> None:
    for event in (*UpsEvent, *Step):
        assert after(S.HALTING, event) is S.HALTING


def test_only_the_till_itself_passes_the_point_of_no_return() -> None:
    for state, event in itertools.product((S.MAINS, S.ON_BATTERY, S.LOW), UpsEvent):
        assert after(state, event) is not S.HALTING


def test_lost_communication_is_a_trouble_and_no_shutdown() -> None:
    assert after(S.MAINS, E.COMMFAILURE) is S.MAINS
    assert after(S.ON_BATTERY, E.COMMFAILURE) is S.ON_BATTERY
    silent = troubles_after(frozenset(), E.COMMFAILURE)
    assert silent == {Trouble.UPS_SILENT}
    assert troubles_after(silent, E.COMMOK) == frozenset()


def test_another_battery_is_not_the_bad_one() -> None:
    troubles = frozenset[Trouble]()
    for event in (E.CHANGEME, E.BATTDETACH):
        troubles = troubles_after(troubles, event)
    assert troubles == {Trouble.BATTERY_BAD, Trouble.BATTERY_GONE}
    assert troubles_after(troubles, E.BATTATTACH) == frozenset()


def test_every_trouble_begins_somewhere() -> None:
    assert {trouble for trouble, begins in TROUBLES.values() if begins} == set(Trouble)
