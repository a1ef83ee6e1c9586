"""The simulated UPS's end of the cable, letter by letter.  Source: [APCUPSD], what apcupsd sent."""

from __future__ import annotations

import pytest
from rig.faults import BadFault
from rig.ups import SimulatedUps


def ask(ups: SimulatedUps, letters: str) -> str:
    ups.receive(letters.encode("latin-1"), 0.0)
    return ups.transmit(0.0).decode("latin-1")


@pytest.mark.parametrize(
    ("letters", "answer"),
    [
        ("Y", "SM\r\n"),
        ("Q", "08\r\n"),
        ("f", "100.0\r\n"),
        ("j", "0040:\r\n"),
        ("a", "NA\r\n"),
        ("YQ", "SM\r\n08\r\n"),
        ("\r\n", ""),
    ],
)
def test_a_letter_is_a_question(letters: str, answer: str) -> None:
    assert ask(SimulatedUps(), letters) == answer


def test_mains_and_battery_are_told_as_they_change() -> None:
    ups = SimulatedUps()
    ups.turn({"mains": False})
    assert ask(ups, "Q") == "!10\r\n"
    ups.turn({"charge_percent": 4})
    assert ask(ups, "Q") == "%50\r\n"
    ups.turn({"mains": True, "charge_percent": 90})
    assert ask(ups, "Q") == "$+08\r\n"
    ups.turn({"battery_bad": True})
    assert ask(ups, "Q") == "#88\r\n"


def test_a_soft_shutdown_is_for_the_battery_and_a_sleep_for_any_time() -> None:
    ups = SimulatedUps()
    assert ask(ups, "S") == "NA\r\n"
    assert ask(ups, "@00") == ""
    assert ask(ups, "0") == "OK\r\n"
    ups.turn({"mains": False})
    assert ask(ups, "S") == "!OK\r\n"
    kills = [(one["command"], one["mains"]) for one in ups.as_json()["kills"]]
    assert kills == [("@000", True), ("S", False)]


def test_a_silent_one_hears_and_says_nothing() -> None:
    ups = SimulatedUps()
    ups.turn({"silent": True})
    assert ask(ups, "Y") == ""
    ups.turn({"silent": False})
    assert ask(ups, "Y") == "SM\r\n"


@pytest.mark.parametrize("wanted", [{"mains": 1}, {"charge_percent": "9"}, {"colour": "black"}])
def test_a_knob_nobody_knows_is_refused(wanted: dict[str, object]) -> None:
    with pytest.raises(BadFault):
        SimulatedUps().turn(wanted)
