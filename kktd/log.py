"""One JSON object a line on stderr, keys of §5.6: timestamp, level, component, event, facts."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

import structlog

from kktd.events import Event

COMPONENT: Final = "kkt_adapter"
_SECRET_KEYS: Final = frozenset({"token", "authorization", "email", "phone", "contact", "inn"})


def configure(stream: TextIO | None = None) -> None:
    """Send every line to `stream` (stderr by default), one write a line."""
    structlog.configure(
        processors=[_stamp, _hide_secrets, structlog.processors.JSONRenderer(ensure_ascii=False)],
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries speak only of trouble, and never in a second format on the same stream.
    logging.basicConfig(level=logging.CRITICAL, stream=stream or sys.stderr)


def event(what: Event, *, level: str | None = None, **facts: object) -> None:
    """Write one line.  Facts are JSON values; secrets and customers' contacts are left out."""
    structlog.get_logger().msg(what.log_name, level=level or what.level, **facts)


def _stamp(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    now = datetime.now(UTC)
    return {
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "level": line.pop("level"),
        "component": COMPONENT,
        "event": line.pop("event"),
        **line,
    }


def _hide_secrets(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: "…" if key in _SECRET_KEYS and value else value for key, value in line.items()}
