"""The query string of a request: closed like a body, each value checked, errors name the field."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kktd.api.call import Call
from kktd.errors import Invalid
from kktd.receipts.lane import Lane

PAGE_MAX: Final = 1_000_000
LIMIT_MAX: Final = 500
LIMIT: Final = 100


def only(call: Call, *names: str) -> None:
    """Raises Invalid for a parameter nobody reads, or one that stands twice."""
    given = [name for name, _ in call.request.query_params.multi_items()]
    for name in given:
        if name not in names:
            raise Invalid("unknown field", field=name[:64], known=list(names))
        if given.count(name) > 1:
            raise Invalid("given twice", field=name)


def printer(call: Call) -> Lane:
    """`printer` by its name; the first where it is left out.  Raises NotFound."""
    name = call.request.query_params.get("printer")
    return call.till.lanes.first if name is None else call.till.lanes.named(name)


def flag(call: Call, name: str) -> bool:
    """`true` or `false`; absent is false.  Raises Invalid."""
    value = call.request.query_params.get(name, "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise Invalid("not true or false", field=name)
    return value in ("true", "1")


def page_of(call: Call) -> tuple[int, int]:
    """`page`, counted from 1, and `limit`.  Raises Invalid."""
    return _number(call, "page", 1, PAGE_MAX), _number(call, "limit", LIMIT, LIMIT_MAX)


def one_of(call: Call, name: str, known: tuple[str, ...]) -> str | None:
    """One of the names in any case; None when absent.  Raises Invalid."""
    value = call.request.query_params.get(name)
    if value is None:
        return None
    if value.upper() not in known:
        raise Invalid("not one of the known names", field=name, known=list(known))
    return value.upper()


def instant_ms(call: Call, name: str) -> int | None:
    """ISO 8601 as Unix time in ms, the till's zone where it names none.  Raises Invalid."""
    value = call.request.query_params.get(name)
    if value is None:
        return None
    try:
        # A bare + of the zone arrives as a space.
        at = datetime.fromisoformat(value.strip().replace(" ", "+" if "T" in value else " "))
        if at.tzinfo is None:
            at = at.replace(tzinfo=call.till.settings().zone)
        return int(at.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid("not an ISO timestamp", field=name) from error


def _number(call: Call, name: str, default: int, most: int) -> int:
    value = call.request.query_params.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= most):
        raise Invalid("not a number in range", field=name, least=1, most=most)
    return int(value)
