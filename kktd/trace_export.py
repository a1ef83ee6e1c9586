"""Spans to an OTLP/HTTP collector.  Loaded only when one is configured: it is large.

The queue is bounded and its thread is the SDK's: a collector that hangs costs spans, never a sale.
"""

from __future__ import annotations

import threading
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from kktd import __version__
from kktd.trace import NO_SPAN, Span, Trace

QUEUE_SPANS: Final = 1_024  # then the oldest are dropped
BATCH_SPANS: Final = 128
DELAY_MS: Final = 1_000
TIMEOUT_S: Final = 5.0
CLOSE_S: Final = 1.0  # a stop waits no longer for a collector
_SCOPE: Final = InstrumentationScope("kktd", __version__)


class SpanExporter:
    """`export` neither waits nor raises; any thread may call it."""

    def __init__(self, url: str, pos_id: str) -> None:
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc: only what the settings name
        self._resource = Resource(
            {"service.name": "kktd", "service.version": __version__, "service.instance.id": pos_id}
        )
        self._processor = BatchSpanProcessor(
            OTLPSpanExporter(url, timeout=TIMEOUT_S, session=session),
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=DELAY_MS,
            max_export_batch_size=BATCH_SPANS,
            export_timeout_millis=TIMEOUT_S * 1_000,
        )

    def export(self, span: Span) -> None:
        start_ns = int(span.start_s * 1e9)
        parent = None
        if span.parent_id != NO_SPAN:
            parent = _context(Trace(span.trace.trace_id, span.parent_id))
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.trace),
                parent=parent,
                resource=self._resource,
                attributes=span.facts,
                status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
                start_time=start_ns,
                end_time=start_ns + int(span.duration_s * 1e9),
                instrumentation_scope=_SCOPE,
            )
        )

    def close(self) -> None:
        """Send what waits, if the collector takes it at once."""
        closing = threading.Thread(target=self._processor.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_S)


def _context(trace: Trace) -> SpanContext:
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
