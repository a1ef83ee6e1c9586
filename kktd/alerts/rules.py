"""The table as rules of Prometheus: `python -m kktd.alerts.rules > fleet/prometheus/rules.yml`."""

from __future__ import annotations

import json
from typing import Final

from kktd.alerts.table import ALERTS, Alert

HEAD: Final = """\
# Made from kktd/alerts/table.py: python -m kktd.alerts.rules > fleet/prometheus/rules.yml
groups:
  - name: offline_mode_alerts
    interval: 30s
    rules:
"""
# What no till can say of itself.  `up` has no pos_id: the address is all there is.
SILENT: Final = """\
      - alert: TillSilent
        expr: "up{job=\\"kktd\\"} == 0"
        for: 2m
        labels:
          severity: P1
        annotations:
          summary: "Касса {{ $labels.instance }} не отвечает"
          description: "Проверьте питание и сеть магазина, затем саму кассу."
"""


def as_yaml() -> str:
    """The whole file; the loudest first, as in the table."""
    return HEAD + "".join(_rule(alert) for alert in ALERTS) + SILENT


def expression(alert: Alert) -> str:
    """When it is so, by the till's series; by its own word where none has the facts."""
    return alert.expr or f'kkt_alert{{alert="{alert.name}"}} == 1'


def _rule(alert: Alert) -> str:
    title, _, _ = alert.ru.partition(":")
    lines = [
        f"      - alert: {alert.name}",
        f"        expr: {_text(expression(alert))}",
        *([f"        for: {int(alert.hold_s)}s"] if alert.hold_s else []),
        "        labels:",
        f"          severity: {alert.level}",
        "        annotations:",
        f"          summary: {_text(f'{title} ({{{{ $labels.pos_id }}}})')}",
        f"          description: {_text(alert.ru)}",
        f"          procedure: {_text(alert.procedure or '—')}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _text(text: str) -> str:
    """A JSON string is a YAML one."""
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    print(as_yaml(), end="")
