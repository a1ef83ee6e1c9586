"""Traces: which work belongs together, from the point of sale over the FN to the ОФД and Odoo.

Source: [W3C-TRACE], traceparent; tracestate is dropped.
A receipt keeps its trace on disk, so that a delivery of tomorrow is of the sale of today.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final

from kktd.clock import Clock

NO_SPAN: Final = "0" * 16
_HEADER: Final = re.compile(r"(?P<version>[0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace: what is done next has `span_id` for its parent, NO_SPAN for none."""

    trace_id: str
    span_id: str
    sampled: bool = True

    def as_header(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work that is over.  Wall clock, s; `error` is a short name or None."""

    name: str
    trace: Trace
    parent_id: str
    start_s: float
    duration_s: float
    facts: dict[str, str | int]
    error: str | None


@dataclass(slots=True)
class Open:
    """Work under way; `trace` None where nobody asked for one."""

    trace: Trace | None
    error: str | None = None


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace | None:
    """Of the work this thread is at."""
    return _current.get()


@contextmanager
def bound(trace: Trace | None) -> Iterator[None]:
    """Lines of the log and calls to others inside belong to it."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def parse_traceparent(header: str) -> Trace | None:
    """A traceparent; None for what is none.  A later version may be longer."""
    match = _HEADER.match(header.strip())
    if match is None or match["version"] == "ff":
        return None
    rest = header.strip()[match.end() :]
    if rest and (match["version"] == "00" or not rest.startswith("-")):
        return None
    trace_id, span_id = match[2], match[3]
    if trace_id.strip("0") == "" or span_id == NO_SPAN:
        return None
    return Trace(trace_id, span_id, bool(int(match[4], 16) & 1))


class Tracing:
    """Thread-safe.  Without `export` traces are kept and handed on, and no span is made."""

    def __init__(
        self,
        clock: Clock,
        export: Callable[[Span], None] | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """`export` must neither wait nor raise."""
        self._clock = clock
        self._export = export
        self.close = close

    def begin(self, headers: Sequence[str]) -> Trace | None:
        """The caller's trace; else a new one if somebody looks at it."""
        found = parse_traceparent(headers[0]) if len(headers) == 1 else None
        if found is not None or self._export is None:
            return found
        return Trace(secrets.token_hex(16), NO_SPAN)

    @contextmanager
    def span(self, name: str, parent: Trace | None, **facts: str | int) -> Iterator[Open]:
        """Work within `parent`, which becomes the thread's current one; None: just work."""
        if parent is None or self._export is None:
            with bound(parent):
                yield Open(parent)
            return
        opened = Open(replace(parent, span_id=secrets.token_hex(8)))
        start_s, began_s = self._clock.wall_s(), self._clock.monotonic_s()
        try:
            with bound(opened.trace):
                yield opened
        except BaseException as error:
            opened.error = type(error).__name__
            raise
        finally:
            if opened.trace is not None and parent.sampled:
                duration_s = self._clock.monotonic_s() - began_s
                self._export(
                    Span(
                        name,
                        opened.trace,
                        parent.span_id,
                        start_s,
                        duration_s,
                        facts,
                        opened.error,
                    )
                )

    def note(self, name: str, parent: Trace | None, start_s: float, **facts: str | int) -> None:
        """The same for work that several shared, begun at `start_s` (wall clock) and over now."""
        if self._export is None or parent is None or not parent.sampled:
            return
        own = replace(parent, span_id=secrets.token_hex(8))
        duration_s = max(0.0, self._clock.wall_s() - start_s)
        self._export(Span(name, own, parent.span_id, start_s, duration_s, facts, None))
