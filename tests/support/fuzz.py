"""schemathesis against a till: its own document, every check, one caller at a time.

The till listens on two plain ports besides: the LAN's door and the Unix socket's, without TLS and
without a file, since what is asked here is what stands behind them.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from kktd.api.guesses import WINDOW_S
from tests.support.api import ApiBench

KEY: Final = "Idempotency-Key"
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SEED: Final = 20261124
# It never ends: tests/unit/api/test_events.py reads it.
ENDLESS: Final = "/v1/events"

# What the checks take from a till that says no for a reason no schema can say.  500 is never right.
_CHECKS: Final = {
    "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429", "503"]
    },
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "422", "429", "503"]
    },
    "missing_required_header": {"expected-statuses": ["400", "401", "403", "404", "422"]},
}


@dataclass(slots=True)
class Found:
    """What a run saw.  `answered`: how often each status of each operation."""

    failures: list[str] = field(default_factory=list)
    answered: dict[str, Counter[int]] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return sum(sum(counted.values()) for counted in self.answered.values())

    @property
    def succeeded(self) -> set[str]:
        """Operations that did at least once what they are there for."""
        return {
            label
            for label, counted in self.answered.items()
            if any(status < 300 for status in counted)
        }


def fuzz(
    bench: ApiBench,
    document: Mapping[str, Any],
    port: int,
    *,
    token: str | None = None,
    known: Mapping[str, str] | None = None,
    examples: int = 5,
    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful"),
) -> Found:
    """Ask what `document` says at this port, as one caller; every check of schemathesis looks.

    `known`: a value that exists at this till for each parameter of a path.
    """
    assert bench.till is not None
    data: dict[str, Any] = json.loads(json.dumps(document))
    del data["paths"][ENDLESS]
    for parameter in _parameters(data):
        if parameter["in"] == "path" and parameter["name"] in (known or {}):
            parameter["example"] = (known or {})[parameter["name"]]
    every = ("examples", "coverage", "fuzzing", "stateful")
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "continue-on-failure": True,
            "auth": {"openapi": {"token": {"bearer": token}}} if token else {},
            "checks": _CHECKS,
            "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True},
            "phases": {name: {"enabled": name in phases} for name in every},
            "base-url": f"http://127.0.0.1:{port}",
            "request-timeout": 30.0,
            "cache": {"enabled": False},
        }
    )
    schema = schemathesis.openapi.from_dict(data, config=config)
    _FRESH.seed(SEED)
    found = Found()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            bench.till.clock.advance(WINDOW_S)  # wrong tokens are tried: nobody is slowed for them
            _note(found, event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.failures.append(repr(event))
    return found


def _parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for row in document["paths"].values():
        for call in row.values():
            yield from call.get("parameters", ())


_FRESH: Final = random.Random(SEED)


@schemathesis.hook
def before_call(context: object, case: Any, kwargs: object) -> None:
    """A new request has a new key, which no generator knows; one in eight may be a repeat."""
    del context, kwargs
    given = str((case.headers or {}).get(KEY, ""))
    if UUID.fullmatch(given) and _FRESH.randrange(8):
        case.headers[KEY] = str(uuid.UUID(int=_FRESH.getrandbits(128), version=4))


def _note(found: Found, event: events.ScenarioFinished) -> None:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        operation = recorder.cases[case_id].value.operation.label
        if interaction.response is not None:
            counted = found.answered.setdefault(operation, Counter())
            counted[interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            found.checks[check.name] += 1
            if check.status is Status.FAILURE and check.failure_info is not None:
                where = recorder.cases[case_id].value.operation.label
                problem = check.failure_info
                found.failures.append(
                    f"{where}: {check.name}: {problem.failure.message}\n{problem.code_sample}"
                )
