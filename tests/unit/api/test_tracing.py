"""The traceparent of a sale over HTTPS is kept with its receipt."""

from __future__ import annotations

import pytest

from kktd.trace import Trace
from tests.support.api import ApiBench

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


def kept(bench: ApiBench, **headers: str) -> Trace | None:
    assert bench.till is not None
    return bench.till.stored(bench.sell(**headers).body["receipt_id"]).trace


def test_a_sale_with_a_trace_keeps_it_over_a_restart(own_bench: ApiBench) -> None:
    receipt_id = own_bench.sell(traceparent=TRACE.as_header()).body["receipt_id"]
    own_bench.restart()
    assert own_bench.till is not None
    assert own_bench.till.stored(receipt_id).trace == TRACE


@pytest.mark.parametrize("header", ["nonsense", "00-0-0-01", "ф" * 55])
def test_a_bad_trace_refuses_no_sale(bench: ApiBench, header: str) -> None:
    assert kept(bench, traceparent=header.encode().decode("latin-1")) is None


def test_a_sale_without_one_has_none(bench: ApiBench) -> None:
    assert kept(bench) is None
