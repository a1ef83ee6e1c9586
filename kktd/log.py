"""One JSON object a line on stderr, keys of §5.6: timestamp, level, component, event, facts."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

import structlog

from kktd.events import Event
from kktd.trace import current_trace

COMPONENT: Final = "kkt_adapter"
_SECRET_KEYS: Final = frozenset({"token", "authorization", "email", "phone", "contact", "inn"})


Observer = Callable[[Event, Mapping[str, object]], None]
_observers: list[Observer] = []


def configure(stream: TextIO | None = None, observer: Observer | None = None) -> None:
    """Send every line to `stream` (stderr by default), one write a line.

    `observer` sees every event too, so that counters and log cannot differ; it must not raise.
    """
    _observers[:] = [observer] if observer else []
    structlog.configure(
        processors=[_stamp, _hide_secrets, structlog.processors.JSONRenderer(ensure_ascii=False)],
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries speak only of trouble, and never in a second format on the same stream.
    logging.basicConfig(level=logging.ERROR, handlers=[_LibraryHandler()], force=True)


def add_observer(observer: Observer) -> None:
    """It sees every event from now on, in the thread where it happens; it must not raise."""
    _observers.append(observer)


def remove_observer(observer: Observer) -> None:
    """It sees no more; one that `configure` dropped is no error."""
    with contextlib.suppress(ValueError):
        _observers.remove(observer)


def event(
    what: Event, *, level: str | None = None, till: str | None = None, **facts: object
) -> None:
    """Write one line.  Facts are JSON values; secrets and customers' contacts are left out.

    `till` is the pos_id for those who count: the lines of §5.6 have no place for it.
    Never raises for a stream that is full or gone: a sale does not fail for want of a log.
    """
    with contextlib.suppress(OSError, ValueError):
        structlog.get_logger().msg(what.log_name, level=level or what.level, **facts)
    seen = facts if till is None else {"pos_id": till, **facts}
    for observer in tuple(_observers):
        observer(what, seen)


class _LibraryHandler(logging.Handler):
    """What uvicorn and others report, as a line like every other."""

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        event(
            Event.LIBRARY_FAILED,
            library=record.name,
            reason=record.getMessage(),
            error=repr(cause) if cause else None,
        )


def _stamp(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    now = datetime.now(UTC)
    of = current_trace()
    return {
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "level": line.pop("level"),
        "component": COMPONENT,
        "event": line.pop("event"),
        **line,
        **({} if of is None else {"trace_id": of.trace_id}),
    }


def _hide_secrets(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: _hidden(key, value) for key, value in line.items()}


def _hidden(key: str, value: object) -> object:
    if key in _SECRET_KEYS:
        return "…" if value else value
    if isinstance(value, dict):
        return {str(inner): _hidden(str(inner), fact) for inner, fact in value.items()}
    return value
