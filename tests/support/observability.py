"""docs/observability.md from what the till has: `python -m tests.support.observability > …`.

Events and alerts are read from their tables, series from a scrape of a till under virtual time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from kktd.alerts.rules import expression
from kktd.alerts.table import ALERTS
from kktd.api.event_messages import SENTENCES
from kktd.events import Event
from tests.support.shop import Shop

HEAD: Final = """\
# What the till says of itself

Made by `python -m tests.support.observability > docs/observability.md`; a test holds it to the
code.

- **Log**: one JSON object a line on stderr, for journald: `journalctl --unit kktd --output cat`.
  Every line has `timestamp`, `level`, `component`, `event`; then facts. The lines of a traced
  receipt have `trace_id`. Keys, tokens and customers' contacts are never in it. What has a name
  under `kept as` stands in `buffer_events` too: `kktctl logs`.
- **Metrics**: `GET /metrics` on 443, and alone on 9090. What is not known is absent, not 0.
- **Alerts**: the till raises them itself and tells `[alerts] webhook_url` and `alertmanager_url`;
  `fleet/prometheus/rules.yml` has the same for a Prometheus that scrapes the till.
  `kktctl alert test` sends one that means nothing.
- **Traces**: the `traceparent` of a sale is kept with it. With `[tracing] otlp_url` set, spans
  `accept`, `print`, `settle`, `deliver` and `odoo_event` go to an OTLP/HTTP collector; one that
  hangs costs spans, never a sale.

The webhook gets one POST with what began or ended since the last one it took, each at least once:

```json
{"pos_id": "POS-001", "alerts": [{"name": "CircuitBreakerOpen", "level": "P2", "status": "firing",
  "message": "ОФД недоступен, чеки хранятся и уйдут сами: проверьте интернет.",
  "procedure": "A.5", "since": "2026-03-02T09:12:00.000Z"}]}
```

`status` is `firing` or `resolved`. P1: now; P2: today; P3: when there is time.
"""


def as_markdown() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_alerts(), *_series(), *_events()]) + "\n"


def _alerts() -> Iterator[str]:
    yield "## Alerts\n"
    yield "| alert | level | after, s | when, to Prometheus | what it says | runbook |"
    yield "|---|---|---|---|---|---|"
    for one in ALERTS:
        cells = (f"{one.hold_s:g}", f"`{expression(one)}`", one.ru, one.procedure)
        yield f"| {one.name} | {one.level} | {' | '.join(cells)} |"
    yield ""


def _series() -> Iterator[str]:
    yield "## Metrics\n"
    yield "| series | type | labels | what |"
    yield "|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), has_odoo=True)
        shop.run(100)
        text = shop.parts.till.metrics.render().decode()
        shop.close()
    for family in sorted(text_string_to_metric_families(text), key=lambda one: one.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for one in family.samples for label in one.labels} - {"le"})
        if not family.samples:  # nothing of it so far at that till
            labels = ["error_code", "pos_id"] if name == "kkt_ofd_errors_total" else ["pos_id"]
        yield f"| `{name}` | {family.type} | {', '.join(labels)} | {family.documentation} |"
    yield ""


def _events() -> Iterator[str]:
    yield "## Events\n"
    yield "| event | level | kept as | what |"
    yield "|---|---|---|---|"
    for one in sorted(Event, key=lambda event: event.log_name):
        said = SENTENCES.get(one.stored_name or "", ("", ""))
        yield f"| `{one.log_name}` | {one.level} | {one.stored_name or '–'} | {said[0]} |"


if __name__ == "__main__":
    print(as_markdown(), end="")
