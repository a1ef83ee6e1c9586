"""Traces: the header of the W3C, what is kept on disk, what reaches a collector, what it costs."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig.collector import Seen, SimulatedCollector
from rig.faults import Faults

from kktd.clock import SystemClock
from kktd.trace import NO_SPAN, Span, Trace, Tracing, current_trace, parse_traceparent
from kktd.trace_export import CLOSE_S, QUEUE_SPANS, SpanExporter
from tests.support.receipts import a_receipt
from tests.support.shop import Shop
from tests.support.till import digest

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE_ID}-{SPAN_ID}-01"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (HEADER, True),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", False),
        (f"00-{TRACE_ID}-{SPAN_ID}-03", True),
        (f" {HEADER} ", True),
        (f"01-{TRACE_ID}-{SPAN_ID}-01", True),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-what-comes-later", True),
    ],
)
def test_a_header_of_the_standard_is_read(header: str, sampled: bool) -> None:
    assert parse_traceparent(header) == Trace(TRACE_ID, SPAN_ID, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"00-{TRACE_ID[1:]}-{SPAN_ID}-01",
        f"cc-{TRACE_ID}-{SPAN_ID}-01.more",
    ],
)
def test_what_is_no_header_is_as_good_as_none(header: str) -> None:
    assert parse_traceparent(header) is None


def test_a_header_survives_its_own_writing() -> None:
    assert Trace(TRACE_ID, SPAN_ID, sampled=False).as_header() == f"00-{TRACE_ID}-{SPAN_ID}-00"
    assert parse_traceparent(HEADER) == Trace(TRACE_ID, SPAN_ID)


def test_two_headers_are_none() -> None:
    assert Tracing(SystemClock()).begin([HEADER, HEADER]) is None
    assert Tracing(SystemClock()).begin([]) is None


def test_without_a_collector_the_trace_of_the_caller_is_handed_on_as_it_is() -> None:
    tracing = Tracing(SystemClock())
    parent = tracing.begin([HEADER])
    with tracing.span("accept", parent):
        assert current_trace() == parent
    assert current_trace() is None


def test_spans_are_children_of_their_parent_and_say_what_went_wrong() -> None:
    made: list[Span] = []
    tracing = Tracing(SystemClock(), made.append)
    with pytest.raises(ValueError, match="x"), tracing.span("accept", tracing.begin([HEADER])):
        raise ValueError("x")
    (span,) = made
    assert (span.trace.trace_id, span.parent_id, span.error) == (TRACE_ID, SPAN_ID, "ValueError")
    root = tracing.begin([])
    assert root is not None
    assert root.span_id == NO_SPAN
    with tracing.span("accept", parse_traceparent(HEADER[:-1] + "0")):
        pass
    assert len(made) == 1, "the caller did not want it sampled"


# ---- a receipt's way ----------------------------------------------------------------------------


class Bench:
    """A shop whose till tells a collector."""

    def __init__(self, folder: Path) -> None:
        self.faults = Faults()
        self.collector = SimulatedCollector(self.faults)
        self.shop = Shop(folder, has_odoo=True)
        self.shop.configure("[odoo]", f'[tracing]\notlp_url = "{self.collector.url}"\n[odoo]')
        self.shop.restart()
        self.shop.run(100)

    def sell(self, header: str | None = HEADER) -> str:
        """As POST /v1/kkt/receipt does."""
        receipt, tracing = a_receipt(), self.shop.parts.tracing
        with tracing.span("accept", tracing.begin([header] if header else [])):
            self.shop.parts.desk.accept(receipt, str(uuid.uuid4()), digest(receipt))
        self.shop.wait(lambda: self.shop.stored(receipt.id).document is not None, 10)
        return receipt.id

    def spans(self, *names: str) -> list[Seen]:
        until(lambda: set(names) <= {span.name for span in self.collector.spans()})
        return self.collector.spans()

    def close(self) -> None:
        self.shop.parts.tracing.close()
        self.shop.close()
        self.collector.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def until(so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_receipt_is_one_trace_from_the_point_of_sale_to_odoo(bench: Bench) -> None:
    receipt_id = bench.sell()
    bench.shop.wait(lambda: bench.shop.queued() == 0, 60)
    bench.shop.run(10)
    spans = bench.spans("accept", "print", "deliver", "odoo_event")
    assert {span.trace_id for span in spans} == {TRACE_ID}
    accept = next(span for span in spans if span.name == "accept")
    assert (accept.service, accept.parent_id) == ("kktd", SPAN_ID)
    rest = [span for span in spans if span.name != "accept"]
    assert {span.parent_id for span in rest} == {accept.span_id}
    assert all(span.end_s >= span.start_s > 1_700_000_000 for span in spans)
    assert {span.facts["receipt_id"] for span in rest if span.name != "odoo_event"} == {receipt_id}
    told = [one for one in bench.shop.odoo.events.values() if one.get("receipt_id") == receipt_id]
    assert {one["data"]["traceparent"] for one in told} == {f"00-{TRACE_ID}-{accept.span_id}-01"}


def test_every_line_of_the_receipt_has_its_trace(bench: Bench) -> None:
    receipt_id = bench.sell()
    bench.shop.wait(lambda: bench.shop.queued() == 0, 60)
    lines = [line for line in bench.shop.all_lines() if line.get("receipt_id") == receipt_id]
    assert len(lines) >= 7
    assert {line.get("trace_id") for line in lines} == {TRACE_ID}


def test_a_sale_nobody_traces_begins_a_trace_of_its_own(bench: Bench) -> None:
    bench.sell(None)
    bench.sell(None)
    spans = bench.spans("accept", "print")
    accepts = [span for span in spans if span.name == "accept"]
    assert [span.parent_id for span in accepts] == ["", ""]
    assert len({span.trace_id for span in accepts}) == 2


def test_a_restart_between_sale_and_delivery_keeps_the_trace(bench: Bench) -> None:
    bench.shop.ofd.outage = "refused"
    bench.sell()
    bench.shop.run(30)
    failed = [span for span in bench.spans("deliver") if span.name == "deliver"]
    assert {span.error for span in failed} == {"ConnectionRefused"}
    bench.shop.restart()
    bench.shop.ofd.outage = None
    bench.shop.wait(lambda: bench.shop.queued() == 0, 600)
    until(lambda: any(s.name == "deliver" and s.error is None for s in bench.collector.spans()))
    assert {span.trace_id for span in bench.collector.spans()} == {TRACE_ID}


@pytest.mark.parametrize("fault", ["hang", "refuse_connection", "status", "lose_answer"])
def test_a_bad_collector_costs_spans_and_nothing_else(bench: Bench, fault: str) -> None:
    bench.faults.add("collector", fault, None, **({"code": 503} if fault == "status" else {}))
    for _ in range(5):
        bench.sell()
    bench.shop.wait(lambda: bench.shop.queued() == 0, 60)
    assert bench.collector.spans() == []
    assert len(bench.shop.fn_receipts()) == 5


def test_the_queue_is_bounded_and_a_stop_does_not_wait_for_a_collector(tmp_path: Path) -> None:
    faults = Faults()
    collector = SimulatedCollector(faults)
    faults.add("collector", "hang")
    exporter = SpanExporter(collector.url, "POS-001")
    span = Span("print", Trace(TRACE_ID, SPAN_ID), NO_SPAN, 1.0, 0.5, {}, None)
    began_s = time.monotonic()
    for _ in range(10 * QUEUE_SPANS):
        exporter.export(span)
    exporter.close()
    assert time.monotonic() - began_s < CLOSE_S + 20, "it neither hangs nor waits for the time-out"
    collector.close()


def test_nothing_is_loaded_while_no_collector_is_named() -> None:
    code = (
        "import sys, kktd.daemon\n"
        "loaded = [name for name in sys.modules if name.startswith(('opentelemetry', 'google'))]\n"
        "sys.exit(', '.join(loaded) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
