"""The till's power as a table: what each word of apcupsd changes.  Nobody else decides.

Source: [APCUPSD] apccontrol.  docs/states.md draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class PowerState(StrEnum):
    """What the till runs on, and what it does about it."""

    MAINS = "mains"
    ON_BATTERY = "on_battery"  # sells; begins nothing that can wait
    LOW = "low"  # takes nothing new, finishes what is in hand; mains undo it
    HALTING = "halting"  # no way back: the database is closed, the power goes off


class UpsEvent(StrEnum):
    """Every event of apccontrol, spelt as there."""

    POWEROUT = "powerout"  # at once; a flicker ends here
    ONBATTERY = "onbattery"  # after ONBATTERYDELAY
    OFFBATTERY = "offbattery"
    MAINSBACK = "mainsback"
    FAILING = "failing"  # the battery is exhausted
    TIMEOUT = "timeout"  # TIMEOUT on battery
    LOADLIMIT = "loadlimit"  # charge below BATTERYLEVEL
    RUNLIMIT = "runlimit"  # time left below MINUTES
    EMERGENCY = "emergency"
    REMOTEDOWN = "remotedown"  # the UPS's master says so
    DOREBOOT = "doreboot"
    DOSHUTDOWN = "doshutdown"  # follows each of the six above
    KILLPOWER = "killpower"  # the UPS is told to cut
    ANNOYME = "annoyme"
    CHANGEME = "changeme"
    COMMFAILURE = "commfailure"
    COMMOK = "commok"
    BATTDETACH = "battdetach"
    BATTATTACH = "battattach"
    STARTSELFTEST = "startselftest"  # on battery for seconds, and that is no trouble
    ENDSELFTEST = "endselftest"


class Step(StrEnum):
    """What the till itself adds."""

    FINISH = "finish"  # nothing is in hand any more, or it was waited for long enough


class Trouble(StrEnum):
    """What is wrong with the UPS while the till runs on."""

    UPS_SILENT = "ups_silent"
    BATTERY_BAD = "battery_bad"
    BATTERY_GONE = "battery_gone"


S, E = PowerState, UpsEvent
BACK: Final = (E.OFFBATTERY, E.MAINSBACK)
DYING: Final = (
    *(E.FAILING, E.TIMEOUT, E.LOADLIMIT, E.RUNLIMIT, E.EMERGENCY, E.REMOTEDOWN),
    *(E.DOREBOOT, E.DOSHUTDOWN, E.KILLPOWER),
)
POWER_OFF: Final = (E.DOSHUTDOWN, E.DOREBOOT)  # apccontrol turns the machine off after these

# What is not here changes nothing.
TRANSITIONS: Final[Mapping[tuple[PowerState, UpsEvent | Step], PowerState]] = {
    (S.MAINS, E.ONBATTERY): S.ON_BATTERY,
    **{(S.MAINS, event): S.LOW for event in DYING},
    **{(S.ON_BATTERY, event): S.MAINS for event in BACK},
    **{(S.ON_BATTERY, event): S.LOW for event in DYING},
    **{(S.LOW, event): S.MAINS for event in BACK},
    (S.LOW, Step.FINISH): S.HALTING,
}

# Trouble that an event brings (True) or ends.
TROUBLES: Final[Mapping[UpsEvent, tuple[Trouble, bool]]] = {
    E.COMMFAILURE: (Trouble.UPS_SILENT, True),
    E.COMMOK: (Trouble.UPS_SILENT, False),
    E.CHANGEME: (Trouble.BATTERY_BAD, True),
    E.BATTDETACH: (Trouble.BATTERY_GONE, True),
    E.BATTATTACH: (Trouble.BATTERY_GONE, False),
}


def after(state: PowerState, event: UpsEvent | Step) -> PowerState:
    """The state that follows; the same one for what changes nothing."""
    return TRANSITIONS.get((state, event), state)


def troubles_after(troubles: frozenset[Trouble], event: UpsEvent) -> frozenset[Trouble]:
    """A battery that is attached is another one: it is not the bad one any more."""
    if event is E.BATTATTACH:
        return troubles - {Trouble.BATTERY_GONE, Trouble.BATTERY_BAD}
    trouble, begins = TROUBLES.get(event, (None, False))
    if trouble is None:
        return troubles
    return troubles | {trouble} if begins else troubles - {trouble}
