"""The scripts of apcupsd: one for each event of apccontrol, and a file of settings for a till."""

from __future__ import annotations

import os
from pathlib import Path

from kktd.power.table import UpsEvent

APCUPSD = Path(__file__).parents[3] / "apcupsd"


def test_each_event_has_its_script_and_no_other_stands_there() -> None:
    found = {one.name for one in APCUPSD.iterdir()}
    assert found == {*UpsEvent} | {"event", "config", "apcupsd.conf"}
    for event in UpsEvent:
        assert os.access(APCUPSD / event, os.X_OK), event


def test_a_script_is_one_call_of_the_till_under_the_name_of_its_event() -> None:
    for event in UpsEvent:
        text = (APCUPSD / event).read_text(encoding="utf-8")
        calls = text.count('kktctl power "${0##*/}"')
        assert calls == (0 if event is UpsEvent.KILLPOWER else 1), event


def test_nothing_is_written_to_the_root() -> None:
    text = (APCUPSD / "apcupsd.conf").read_text(encoding="utf-8")
    rows = dict(
        (line.partition(" ")[0], line.partition(" ")[2])
        for line in text.splitlines()
        if line and not line.startswith("#")
    )
    for name in ("LOCKFILE", "PWRFAILDIR", "NOLOGINDIR", "EVENTSFILE", "STATFILE"):
        assert rows[name].startswith("/run/"), name
    assert rows["NOLOGON"] == "disable"
    assert rows["NISIP"] == "127.0.0.1"
