"""docs/api.md, states.md and observability.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from kktd import errors
from kktd.api.app import ROUTES
from kktd.api.call import Access
from kktd.api.errors import STATUS, status_of
from kktd.api.messages import CODES
from kktd.errors import KktdError
from kktd.model.states import DELIVERY, FISCAL, OPERATION
from kktd.power.table import TRANSITIONS
from tests.support import observability

DOCS: Final = Path(__file__).parents[3] / "docs"
API: Final = (DOCS / "api.md").read_text(encoding="utf-8")
STATES: Final = (DOCS / "states.md").read_text(encoding="utf-8")

# What the daemon or a thread ends with; no request can.
NOT_ANSWERED: Final = {
    "BAD_CONFIG",
    "ALREADY_RUNNING",
    "STORE_CORRUPT",
    "STORE_TOO_NEW",
    "IN_DOUBT",
}


def _kinds(kind: type[KktdError]) -> set[type[KktdError]]:
    return {kind}.union(*(_kinds(one) for one in kind.__subclasses__()))


def _answerable() -> list[type[KktdError]]:
    kinds = [one for one in _kinds(KktdError) if one.__module__ == errors.__name__]
    return [one for one in kinds if one.code not in NOT_ANSWERED]


def test_every_route_is_documented_with_its_role() -> None:
    for route in ROUTES:
        role = route.access.value if route.access is not Access.SOCKET else ""
        row = f"| {route.method} `{route.path}` | {role}"
        assert row.rstrip() in API, row


def test_every_code_is_documented_under_its_status_and_has_a_sentence() -> None:
    rows = {
        int(cells[1]): cells[2]
        for cells in (line.split("|") for line in API.splitlines())
        if len(cells) > 2 and cells[1].strip().isdigit()
    }
    for kind in _answerable():
        if kind.code == "INTERNAL" and kind is not KktdError:
            continue  # a family, never raised itself
        assert f"`{kind.code}`" in rows[status_of(_an_error(kind))], kind
        assert kind.code in CODES, kind


def _an_error(kind: type[KktdError]) -> KktdError:
    if issubclass(kind, errors.NotReady | errors.Refused):
        return kind("", device_code=None, remedy="paper")
    return kind()


def test_no_class_is_left_to_the_root() -> None:
    families = {KktdError, errors.PrinterError, errors.StoreError, errors.RequestError}
    for kind in _answerable():
        if kind not in families:
            assert next(one for one in kind.__mro__ if one in STATUS) is not KktdError, kind


def test_the_states_are_drawn_as_they_are() -> None:
    steps = re.findall(r"^\| `\w+` \| \w+ \| `\w+` \|$", STATES, re.MULTILINE)
    expected = [
        f"| `{was}` | {step} | `{then}` |"
        for table in (FISCAL, DELIVERY, OPERATION, TRANSITIONS)
        for (was, step), then in table.items()
    ]
    assert steps == expected


def test_the_page_of_alerts_metrics_and_events_is_the_code() -> None:
    kept = (DOCS / "observability.md").read_text(encoding="utf-8")
    made = observability.as_markdown()
    assert kept == made, "python -m tests.support.observability > docs/observability.md"
