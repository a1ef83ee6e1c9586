"""The registrar as a device: the FN's life, clock, tables, registers, and that it is the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from kktd.errors import NotReady, PrinterError, Refused, Unreachable
from kktd.model.device import Cell
from kktd.model.money import Kopecks
from tests.contract.conftest import PrinterBench
from tests.support.receipts import CASHIER

DISCOUNT_MODE = Cell(17, 1, 3)
CASHIER_NAME = Cell(2, 1, 2)


def test_the_fn_tells_what_it_has_not_handed_over(printer: PrinterBench) -> None:
    sold = printer.sell()
    life = printer.driver.fn_life(printer.by())
    assert (life.fn, life.last_fd) == (sold.fn, sold.fd)
    assert life.unsent == sold.fd
    assert life.first_unsent_fd == 1
    assert life.oldest_unsent is not None
    assert life.delivered_fd == 0
    assert life.documents_left is not None
    assert life.documents_left > 100
    assert life.expires is not None


def test_what_the_ofd_has_taken_is_counted_off(printer: PrinterBench) -> None:
    first = printer.sell()
    second = printer.sell()
    printer.device.confirm_by_ofd(first.fd)
    assert printer.driver.fn_life(printer.by()).delivered_fd == first.fd
    printer.device.confirm_by_ofd(second.fd)
    life = printer.driver.fn_life(printer.by())
    assert (life.unsent, life.first_unsent_fd, life.oldest_unsent) == (0, None, None)
    assert life.delivered_fd == second.fd


def test_the_clock_is_set_and_confirmed(make_bench: Callable[..., PrinterBench]) -> None:
    bench = make_bench()
    shown = bench.driver.status(bench.by()).clock
    assert shown is not None
    for ahead in (timedelta(minutes=7), timedelta(days=1, hours=3)):
        wanted = shown + ahead
        assert abs(bench.driver.set_clock(wanted, bench.by()) - wanted) <= timedelta(seconds=2)
        assert bench.driver.status(bench.by()).clock is not None


def test_a_clock_is_not_set_behind_the_fn(printer: PrinterBench) -> None:
    printer.sell()
    printer.driver.close_shift(CASHIER, printer.by(60_000))
    shown = printer.driver.status(printer.by()).clock
    assert shown is not None
    with pytest.raises(Refused) as refused:
        printer.driver.set_clock(shown - timedelta(days=1), printer.by())
    assert refused.value.remedy == "clock_back"
    assert printer.driver.status(printer.by()).clock == shown


def test_a_date_left_unconfirmed_is_confirmed_on_the_way(
    make_bench: Callable[..., PrinterBench],
) -> None:
    bench = make_bench()
    shown = bench.driver.status(bench.by()).clock
    assert shown is not None
    wanted = shown + timedelta(days=2)
    bench.fault("refuse", command="confirm_date", code=0x50 + 0x25)  # power fails between both
    with pytest.raises(PrinterError):
        bench.driver.set_clock(wanted, bench.by())
    assert bench.driver.set_clock(wanted, bench.by()).date() == wanted.date()
    bench.open_shift()


def test_an_open_shift_keeps_its_clock(printer: PrinterBench) -> None:
    shown = printer.driver.status(printer.by()).clock
    assert shown is not None
    with pytest.raises((Refused, NotReady)):
        printer.driver.set_clock(shown + timedelta(minutes=5), printer.by())


def test_a_table_is_read_and_written_by_its_own_words(printer: PrinterBench) -> None:
    table = printer.driver.table(17, printer.by())
    assert table.name
    assert table.rows == 1
    assert table.fields > 30
    shape, value = printer.driver.read_field(DISCOUNT_MODE, printer.by())
    assert shape == printer.driver.field(DISCOUNT_MODE, printer.by())
    assert not shape.is_text
    assert isinstance(value, int)
    assert shape.most is not None
    printer.driver.write_field(DISCOUNT_MODE, str(shape.most), printer.by())
    assert printer.driver.read_field(DISCOUNT_MODE, printer.by())[1] == shape.most
    printer.driver.write_field(CASHIER_NAME, "Петрова", printer.by())
    assert printer.driver.read_field(CASHIER_NAME, printer.by())[1] == "Петрова"


@pytest.mark.parametrize("value", ["-1", "256", "65536", "много", ""])
def test_a_value_that_does_not_fit_is_not_sent(printer: PrinterBench, value: str) -> None:
    before = printer.driver.read_field(DISCOUNT_MODE, printer.by())
    with pytest.raises(Refused) as refused:
        printer.driver.write_field(DISCOUNT_MODE, value, printer.by())
    assert refused.value.remedy == "table_value"
    assert printer.driver.read_field(DISCOUNT_MODE, printer.by()) == before


def test_passwords_are_neither_shown_nor_changed(printer: PrinterBench) -> None:
    with pytest.raises(Refused):
        printer.driver.read_field(Cell(2, 30, 1), printer.by())
    with pytest.raises(Refused):
        printer.driver.write_field(Cell(2, 30, 1), "1", printer.by())


def test_a_table_that_is_not_there_is_refused(printer: PrinterBench) -> None:
    with pytest.raises(Refused):
        printer.driver.table(250, printer.by())


def test_registers_count_what_was_sold(printer: PrinterBench) -> None:
    receipts_before = printer.driver.operation_register(148, printer.by())
    printer.sell()
    printer.driver.cash_in(Kopecks(50_000), printer.by())
    assert printer.driver.money_register(242, printer.by()) == 50_000
    assert printer.driver.operation_register(148, printer.by()) == receipts_before + 1


@pytest.mark.parametrize("fault", ["swap_fn", "other_printer"])
def test_another_device_at_an_open_line_is_noticed(printer: PrinterBench, fault: str) -> None:
    before = printer.driver.status(printer.by())
    printer.fault(fault, times=None)
    after = printer.driver.status(printer.by())
    assert after.fn != before.fn
    assert (after.serial != before.serial) == (fault == "other_printer")
    assert printer.driver.identify(printer.by()).fn == after.fn


@pytest.mark.parametrize("fault", ["swap_fn", "other_printer"])
def test_nothing_is_sent_to_another_device_than_the_one_last_asked(
    printer: PrinterBench, fault: str
) -> None:
    printer.driver.status(printer.by())
    made = len(printer.receipts())
    printer.driver.close()  # the line was lost and leads elsewhere now
    printer.fault(fault, times=None)
    with pytest.raises(Unreachable):
        printer.sell()
    with pytest.raises(Unreachable):
        printer.driver.print_copy(printer.by())
    assert len(printer.receipts()) == made
