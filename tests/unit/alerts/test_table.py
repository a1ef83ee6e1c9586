"""The table of alerts: names, levels and times of §5.8 and contract 4; when each row speaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kktd.alerts import rules
from kktd.alerts.table import ALERTS, DAY_S, HOUR_S, firing
from tests.unit.alerts.conftest import CALM

ROOT = Path(__file__).resolve().parents[3]
# name, level, holding time (s), what makes it so, and the nearest that does not
ROWS: list[tuple[str, str, float, dict[str, Any], dict[str, Any]]] = [
    ("OfflineBufferFull", "P1", 60, {"percent_full": 100}, {"percent_full": 99.5}),
    ("DiskFailed", "P1", 0, {"disk_failed": True}, {}),
    ("FnEnded", "P1", 0, {"fn_ended": True}, {}),
    ("FnEnding", "P1", 0, {"fn_documents_left": 99}, {"fn_documents_left": 100}),
    ("FnReplaceSoon", "P2", 0, {"fn_days_left": 29.9}, {"fn_days_left": 30}),
    ("UnsentTooLong", "P1", 0, {"unsent_s": 20 * DAY_S + 1}, {"unsent_s": 20 * DAY_S}),
    ("OfdKeyRefused", "P1", 0, {"ofd_stopped": True}, {}),
    ("OfdThrottled", "P2", 300, {"ofd_throttled": True}, {}),
    ("PrinterError", "P1", 60, {"printer_remedy": "printer_away"}, {"printer_remedy": "paper"}),
    ("SyncTooSlow", "P1", 0, {"sync_running_s": 1201}, {"sync_running_s": 1200}),
    ("OfflineBuffer90", "P2", 300, {"percent_full": 90}, {"percent_full": 89.5}),
    ("OfflineBufferWarning", "P2", 300, {"percent_full": 80}, {"percent_full": 79.5}),
    ("Unsent8Hours", "P2", 0, {"unsent_s": 8 * HOUR_S + 1}, {"unsent_s": 8 * HOUR_S}),
    ("CircuitBreakerOpen", "P2", 300, {"circuit_closed": False}, {}),
    ("DLQBacklog", "P2", 3600, {"dlq": 11}, {"dlq": 10}),
    ("HLCDriftHigh", "P2", 900, {"drift_s": -10.5}, {"drift_s": 10.0}),
    ("OdooSilent", "P2", 0, {"odoo_silent_s": 301}, {"odoo_silent_s": 300}),
    ("ShiftTooOld", "P2", 0, {"shift_age_s": 23 * HOUR_S + 1}, {"shift_age_s": 23 * HOUR_S}),
    ("BalanceMismatch", "P2", 0, {"mismatched": True}, {}),
    ("OnBattery", "P2", 0, {"on_battery": True}, {}),
    ("PrinterSetOtherwise", "P2", 0, {"printer_set_otherwise": True}, {}),
    ("BackupFailed", "P3", 86_400, {"backup_failed": True}, {}),
    ("DiskFilling", "P3", 0, {"disk_percent": 70.1}, {"disk_percent": 70}),
    ("DiskAlmostFull", "P2", 0, {"disk_percent": 80.1}, {"disk_percent": 80}),
    ("DLQ", "P3", 0, {"dlq": 1}, {}),
    ("CapacityRaised", "P3", 0, {"capacity_raised": True}, {}),
    ("Unsent4Hours", "P3", 0, {"unsent_s": 4 * HOUR_S + 1}, {"unsent_s": 4 * HOUR_S}),
    ("HeldReceipts", "P3", 0, {"held": 1}, {}),
]


def test_every_row_is_looked_at_here() -> None:
    found = {(one.name, one.level, one.hold_s) for one in ALERTS}
    assert found == {row[:3] for row in ROWS}
    assert len({one.name for one in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize(("name", "level", "hold_s", "so", "not_so"), ROWS, ids=lambda v: str(v))
def test_a_row_speaks_at_its_limit_and_not_before(
    name: str, level: str, hold_s: float, so: dict[str, Any], not_so: dict[str, Any]
) -> None:
    assert name in [one.name for one in firing(replace(CALM, **so))]
    assert name not in [one.name for one in firing(replace(CALM, **not_so))]


def test_the_loudest_stand_first_and_each_says_what_to_do_in_both_languages() -> None:
    levels = [one.level for one in ALERTS]
    assert levels == sorted(levels)
    assert set(levels) <= {"P1", "P2", "P3"}
    for one in ALERTS:
        assert one.ru.endswith(".")
        assert one.en.endswith(".")


def test_a_calm_till_alarms_nobody() -> None:
    assert firing(CALM) == []


def test_the_rules_of_prometheus_are_those_of_the_table() -> None:
    kept = (ROOT / "fleet/prometheus/rules.yml").read_text(encoding="utf-8")
    assert kept == rules.as_yaml(), "python -m kktd.alerts.rules > fleet/prometheus/rules.yml"
