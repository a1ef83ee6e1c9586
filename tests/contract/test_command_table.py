"""Every row of the command table is worth its place: some call of the driver sends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rig.fn import CORRECTION

from kktd.config import PrinterSettings
from kktd.model.device import Cell
from kktd.model.money import Kopecks
from kktd.printers.shtrih import payload
from kktd.printers.shtrih.commands import COMMANDS, Command
from tests.contract.conftest import PRINT_MS, PrinterBench, shtrih
from tests.support.receipts import (
    CASHIER,
    a_correction,
    a_line,
    a_marked_receipt,
    a_receipt,
)

HEADER = Cell(4, 1, 1)  # a line of the receipt's text
SPEEDS = {  # [SHTRIH] 2.4: the vendor's own waits, ms
    b"\x10": 3_000,
    b"\x11": 3_000,
    b"\x40": 30_000,
    b"\x41": 65_000,
    b"\xe0": 120_000,
    b"\xff\x61": 40_000,
    b"\xff\x67": 40_000,
}


def watched(bench: PrinterBench) -> set[bytes]:
    """Codes of all commands the device is asked from now on."""
    seen: set[bytes] = set()
    execute = bench.device.registrar.execute

    def watch(payload: bytes, now_s: float) -> bytes:
        seen.add(payload[: 2 if payload[:1] == b"\xff" else 1])
        return execute(payload, now_s)

    bench.device.registrar.execute = watch  # type: ignore[method-assign]
    return seen


def a_day(bench: PrinterBench) -> None:
    """From morning to evening, with everything a till and its engineer may ask."""
    driver = bench.driver
    driver.set_clock(bench.clock.local() + timedelta(days=1), bench.by())
    driver.write_field(HEADER, "Спасибо", bench.by())
    driver.read_field(HEADER, bench.by())
    driver.table(HEADER.table, bench.by())
    bench.open_shift()
    driver.cash_in(Kopecks(500_00), bench.by())
    document = bench.sell(a_receipt(a_line()))
    driver.archived(document.fd, bench.by())
    driver.print_copy(bench.by())
    driver.cut_paper(bench.by())
    driver.open_drawer(bench.by())
    driver.cash_out(Kopecks(100_00), bench.by())
    bench.fault("paper_out", command="x_report", when="during")
    driver.x_report(bench.by())
    bench.device.insert_paper()
    driver.continue_print(bench.by())
    bench.device.till.fn.begin(CORRECTION)  # somebody began a correction and left
    driver.cancel_open(bench.by())
    driver.fn_life(bench.by())
    driver.money_register(241, bench.by())
    driver.operation_register(152, bench.by())


@pytest.mark.parametrize("protocol", ["1", "2"])
def test_a_day_uses_every_command(tmp_path: Path, protocol: str) -> None:
    seen: set[bytes] = set()
    for ffd in ("1.05", "1.2"):
        settings = replace(PrinterSettings(), ffd=ffd)
        bench = shtrih(protocol=protocol, folder=tmp_path, settings=settings)
        codes = watched(bench)
        a_day(bench)
        bench.sell(a_correction(a_line()) if ffd == "1.05" else a_marked_receipt())
        bench.fault("refuse", command="close_receipt", code="45")
        with pytest.raises(Exception, match="оплат"):
            bench.sell()
        bench.driver.close_shift(CASHIER, bench.by(PRINT_MS * 10))
        seen |= codes
    assert seen == {command.code for command in COMMANDS}


@pytest.mark.parametrize(("code", "reply_ms"), SPEEDS.items(), ids=lambda one: str(one))
def test_waits_are_the_vendors(code: bytes, reply_ms: int) -> None:
    (command,) = (one for one in COMMANDS if one.code == code)
    assert command.reply_ms == reply_ms


@pytest.mark.parametrize(
    "row", [one for one in COMMANDS if one.repeatable], ids=lambda one: one.name
)
def test_a_command_that_may_be_repeated_changes_nothing(row: Command, tmp_path: Path) -> None:
    """Asked twice, the device is as after one: the driver asks it again by itself."""
    bench = shtrih(folder=tmp_path)
    bench.open_shift()
    parameters = {
        b"\x1a": payload.register(241),
        b"\x1b": payload.register(152),
        b"\x1e": payload.read_table(4, 1, 1) + b"a" * 48,
        b"\x1f": payload.read_table(4, 1, 1),
        b"\x2d": b"\x04",
        b"\x2e": b"\x04\x01",
        b"\xf7": b"\x01",
        b"\xff\x0a": payload.unsigned(1, 4),
        b"\xff\x3a": payload.unsigned(1, 4),
    }.get(row.code, b"")
    question = payload.question(row, 30, parameters)
    execute, till = bench.device.registrar.execute, bench.device.till
    first = execute(question, 0.0)
    after = till.state.as_record(), dict(till.settings.changed), bench.device.documents()
    assert execute(question, 0.0)[:2] == first[:2]
    assert (till.state.as_record(), till.settings.changed, bench.device.documents()) == after
