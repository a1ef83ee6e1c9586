"""A collector of traces: OTLP over HTTP at /v1/traces, protobuf in and out, kept in memory.

Source: the OTLP specification, OTLP/HTTP binary; the messages are opentelemetry-proto's.
"""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has none
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from rig.faults import Faults
from rig.faulty import FaultyServer
from rig.loopback import Reply, Request

PROTOBUF: Final = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Seen:
    """One span as it came.  Ids in hex, times in seconds since 1970; `parent_id` "" for a root."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_s: float
    end_s: float
    facts: dict[str, str]
    error: str | None


class SimulatedCollector:
    """Thread-safe."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._spans: list[Seen] = []
        self._server = FaultyServer("collector", faults, self._answer)
        self.url = f"{self._server.url}/v1/traces"

    def close(self) -> None:
        self._server.close()

    def spans(self) -> list[Seen]:
        with self._lock:
            return list(self._spans)

    def _answer(self, request: Request) -> Reply:
        if (request.method, request.path) != ("POST", "/v1/traces"):
            return Reply(404, b"")
        if request.headers.get("content-type") != PROTOBUF:
            return Reply(415, b"")
        zipped = request.headers.get("content-encoding") == "gzip"
        message = ExportTraceServiceRequest()
        try:
            message.ParseFromString(gzip.decompress(request.body) if zipped else request.body)
        except (DecodeError, OSError):
            return Reply(400, b"")
        with self._lock:
            self._spans += _spans(message)
        answer = ExportTraceServiceResponse().SerializeToString()
        return Reply(200, answer, {"Content-Type": PROTOBUF})


def _spans(message: ExportTraceServiceRequest) -> list[Seen]:
    found = []
    for resource in message.resource_spans:
        names = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                failed = span.status.code == Status.STATUS_CODE_ERROR
                facts = {one.key: one.value.string_value for one in span.attributes}
                found.append(
                    Seen(
                        names.get("service.name", ""),
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.start_time_unix_nano / 1e9,
                        span.end_time_unix_nano / 1e9,
                        facts,
                        span.status.message if failed else None,
                    )
                )
    return found
