"""A printer that sends anything at all, in good frames, ends in a printer error and in time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig.faults import Faults
from rig.link import Link

from kktd.config import PrinterSettings
from kktd.errors import PrinterError
from kktd.printers.shtrih.driver import ShtrihPrinter
from tests.support.clock import VirtualClock
from tests.support.port import LinkDevice, Machine, MemoryPort
from tests.support.receipts import CASHIER, a_receipt

BY_MS = 10_000


def driver_of(machine: Machine) -> tuple[ShtrihPrinter, VirtualClock]:
    clock = VirtualClock()
    port = MemoryPort(LinkDevice(Link(machine, Faults())), clock, hangs_up=False)
    return ShtrihPrinter(port, clock, PrinterSettings()), clock


def code_of(question: bytes) -> bytes:
    return question[:2] if question[:1] == b"\xff" else question[:1]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_answers_end_in_a_printer_error_or_a_fact(data: st.DataObject) -> None:
    """Every answer is a surprise: of any length, with an error or without, and now and then 08h."""
    machine = Machine()

    def surprise(question: bytes) -> bytes:
        error = data.draw(st.sampled_from([0, 0, 0, 0, 0x08, 0x50, 0x58, 0x6B, 0x73]))
        tail = data.draw(st.binary(max_size=60))
        return code_of(question) + bytes((error,)) + tail

    machine.answer = surprise
    driver, clock = driver_of(machine)
    calls: list[Callable[[], object]] = [
        lambda: driver.status(clock.after_ms(BY_MS)),
        lambda: driver.register(a_receipt(), "M", clock.after_ms(BY_MS)),
        lambda: driver.archived(1, clock.after_ms(BY_MS)),
        lambda: driver.cancel_open(clock.after_ms(BY_MS)),
        lambda: driver.open_shift(CASHIER, clock.after_ms(BY_MS)),
        lambda: driver.close_shift(CASHIER, clock.after_ms(BY_MS)),
        lambda: driver.continue_print(clock.after_ms(BY_MS)),
    ]
    started_s = clock.monotonic_s()
    with suppress(PrinterError):
        data.draw(st.sampled_from(calls))()
    assert clock.monotonic_s() - started_s <= BY_MS / 1000 + 1


def test_an_archive_without_an_end_is_left() -> None:
    """FF3Bh that always has one more part fills no memory."""
    machine = Machine()
    receipt = bytes.fromhex("FF0A0003001103181435010000" + "00" + "EBEA4B2E01204E000000")

    def endless(question: bytes) -> bytes:
        if question[:2] == b"\xff\x0a":
            return receipt
        if question[:2] == b"\xff\x3a":
            return b"\xff\x3a\x00\x03\x00\xff\xff"
        return code_of(question) + b"\0" + bytes(240)

    machine.answer = endless
    driver, clock = driver_of(machine)
    found = driver.archived(1, clock.after_ms(600_000))
    assert found is not None
    assert found.mark is None
    assert len(machine.ran) < 500


def test_an_echo_is_no_status() -> None:
    driver, clock = driver_of(Machine())
    with pytest.raises(PrinterError):
        driver.status(clock.after_ms(BY_MS))
