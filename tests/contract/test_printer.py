"""What every printer family promises to the services above it (`kktd/printers/base.py`)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import pytest

from kktd.errors import InDoubt, NotReady, PrinterError, Refused, Unreachable
from kktd.model.cash import CashCounters
from kktd.model.fiscal import DocumentType, FiscalDocument
from kktd.model.money import Kopecks
from kktd.model.receipt import PaymentMethod, ReceiptType, Sign, VatRate
from kktd.printers.base import Paper, Shift
from tests.contract.conftest import SHIFT_MS, PrinterBench
from tests.support.receipts import CASHIER, a_correction, a_line, a_receipt

NOTHING_MADE = (Unreachable, NotReady, Refused)

# ---- the good day ------------------------------------------------------------------------------


def test_a_sale_is_what_the_fn_says_it_is(printer: PrinterBench) -> None:
    document = printer.sell(mark="MARK")
    (made,) = printer.receipts()
    assert document.fd == made["fd"]
    assert document.fp == str(made["fp"])
    assert document.total == made["total_kopecks"] == 199_00
    assert (document.shift, document.receipt_no) == (made["shift"], made["receipt_no"])
    assert document.fn == printer.device.fn_status()["fn"]
    assert document.sign is Sign.SALE
    assert made["mark"] == "MARK"


def test_the_printer_says_who_it_is(printer: PrinterBench) -> None:
    identity = printer.driver.identify(printer.by())
    assert identity.fn == printer.device.fn_status()["fn"]
    assert identity.serial == "0380490041048485"
    assert "НАНО" in identity.model
    assert identity.firmware


def test_status_follows_the_shift(printer: PrinterBench) -> None:
    printer.sell()
    status = printer.driver.status(printer.by())
    assert (status.shift, status.receipt_no, status.receipt_open) == (Shift.OPEN, 1, False)
    assert status.last_fd == printer.device.fn_status()["last_fd"]
    assert status.paper is Paper.READY
    assert status.clock == printer.clock.local().replace(microsecond=0)
    printer.driver.close_shift(CASHIER, printer.by(SHIFT_MS))
    assert printer.driver.status(printer.by()).shift is Shift.CLOSED


def test_shift_reports_carry_their_shift(make_bench: Callable[..., PrinterBench]) -> None:
    printer = make_bench()
    opened = printer.driver.open_shift(CASHIER, printer.by(SHIFT_MS))
    printer.sell()
    closed = printer.driver.close_shift(CASHIER, printer.by(SHIFT_MS))
    assert (opened.shift, closed.shift) == (1, 1)
    assert closed.fd == opened.fd + 2
    kinds = [one["type"] for one in printer.device.documents()][-3:]
    assert kinds == ["shift_open", "receipt", "shift_close"]


def test_a_refund_is_a_return_of_a_sale(printer: PrinterBench) -> None:
    printer.sell(a_receipt(a_line(), payments={PaymentMethod.CASH: 199_00}))
    cash = {PaymentMethod.CASH: 199_00}
    document = printer.sell(a_receipt(payments=cash, type=ReceiptType.REFUND))
    assert document.sign is Sign.SALE_REFUND
    assert printer.receipts()[-1]["sign"] == 2
    [*_, made] = printer.device.documents(with_tlv=True)
    assert b"1060838650" in bytes.fromhex(str(made["tlv"])), "the original's sign, tag 1192"


@pytest.mark.parametrize(
    "tenders",
    [
        {PaymentMethod.CASH: 500_00},
        {PaymentMethod.CASH: 100_00, PaymentMethod.CARD: 99_00},
        {PaymentMethod.CASH: 200_00, PaymentMethod.CARD: 50_00},
        {PaymentMethod.PREPAID: 100_00, PaymentMethod.CREDIT: 50_00, PaymentMethod.OTHER: 49_00},
    ],
)
def test_split_tenders_and_change_make_the_same_total(
    printer: PrinterBench, tenders: dict[PaymentMethod, int]
) -> None:
    assert printer.sell(a_receipt(payments=tenders)).total == 199_00
    cash = tenders.get(PaymentMethod.CASH, 0)
    change = sum(tenders.values()) - 199_00
    assert printer.device.fn_status()["cash_kopecks"] == cash - change


@pytest.mark.parametrize(
    ("price", "quantity", "discount"),
    [
        (10_00, "7", 1_00),
        (10_00, "3", 1_00),
        (99_99, "0.333", 7),
        (49_90, "3.337", 12_34),
        (10, "100", 7),
        (1, "500", 499),
        (10_00, "3", 30_00),
        (12_345_67, "17", 1),
    ],
)
def test_discounts_keep_every_kopeck(
    printer: PrinterBench, price: int, quantity: str, discount: int
) -> None:
    line = a_line(price, quantity, discount=discount)
    receipt = a_receipt(line, a_line(100), payments={PaymentMethod.CASH: line.total + 100})
    assert printer.sell(receipt).total == receipt.total


@pytest.mark.parametrize("rate", list(VatRate))
def test_every_vat_rate_is_taken(make_bench: Callable[..., PrinterBench], rate: VatRate) -> None:
    printer = make_bench(vat_bytes="nano")  # the model the rig shows belongs to that family
    printer.open_shift()
    assert printer.sell(a_receipt(a_line(vat=rate))).total == 199_00


def test_quantities_by_weight_are_rounded_as_the_model_rounds(printer: PrinterBench) -> None:
    line = a_line(249_99, "0.294")
    assert line.quantity == Decimal("0.294")
    assert printer.sell(a_receipt(line)).total == 73_50


def test_names_a_code_page_lacks_are_still_sold(printer: PrinterBench) -> None:
    assert printer.sell(a_receipt(a_line(name="Кофе ☕\n“Ünicode”"))).fd


def test_no_name_hides_a_line_from_the_paper(printer: PrinterBench) -> None:
    printer.sell(a_receipt(a_line(name="//Скидочный купон")))
    assert any("Скидочный купон" in line for line in printer.device.paper())


def test_a_hundred_lines_are_one_receipt(printer: PrinterBench) -> None:
    receipt = a_receipt(*(a_line(100 + number) for number in range(100)))
    assert printer.driver.register(receipt, "M", printer.by(60_000)).total == receipt.total


# ---- the archive -------------------------------------------------------------------------------


def test_the_archive_shows_a_receipt_with_its_mark(printer: PrinterBench) -> None:
    document = printer.sell(mark="KKTD-7Q2M")
    found = printer.driver.archived(document.fd, printer.by())
    assert found is not None
    assert (found.type, found.mark) == (DocumentType.RECEIPT, "KKTD-7Q2M")
    assert (found.shift, found.receipt_no) == (document.shift, document.receipt_no)
    assert (found.fp, found.total, found.sign) == (document.fp, document.total, document.sign)
    assert found.issued_at == document.issued_at


def test_the_archive_shows_reports_and_the_end(printer: PrinterBench) -> None:
    status = printer.driver.status(printer.by())
    found = printer.driver.archived(status.last_fd, printer.by())
    assert found is not None
    assert (found.type, found.shift) == (DocumentType.SHIFT_OPEN, 1)
    assert printer.driver.archived(status.last_fd + 1, printer.by()) is None


def test_a_sale_goes_on_after_reading_the_archive(printer: PrinterBench) -> None:
    first = printer.sell(mark="A")
    printer.driver.archived(first.fd, printer.by())
    assert printer.sell(mark="B").fd == first.fd + 1


@pytest.mark.parametrize("shows_mode", [False, True])
def test_a_reading_of_the_archive_that_was_cut_is_finished_later(
    make_bench: Callable[..., PrinterBench], shows_mode: bool
) -> None:
    printer = make_bench(reading_is_mode_1=shows_mode)
    printer.open_shift()
    document = printer.sell(mark="A")
    printer.fault("lose_reply", times=None, command=printer.reading)
    with pytest.raises(Unreachable):
        printer.driver.archived(document.fd, printer.by())
    printer.mend()
    assert printer.sell(mark="B").fd == document.fd + 1
    found = printer.driver.archived(document.fd, printer.by())
    assert found is not None
    assert found.mark == "A"


# ---- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0x33, 0x45, 0x4D, 0x06, 0x15])
@pytest.mark.parametrize("moment", ["entering", "closing"])
def test_a_refused_receipt_leaves_the_fn_unchanged(
    printer: PrinterBench, moment: str, code: int
) -> None:
    before = printer.device.fn_status()["last_fd"]
    printer.fault("refuse", command=getattr(printer, moment), code=code)
    with pytest.raises(Refused) as caught:
        printer.sell()
    assert caught.value.device_code == code
    status = printer.driver.status(printer.by())
    assert status.last_fd == before
    assert not status.receipt_open
    assert printer.sell().fd == status.last_fd + 1


def test_a_sale_without_a_shift_is_refused_with_what_to_do(
    make_bench: Callable[..., PrinterBench],
) -> None:
    printer = make_bench()
    with pytest.raises(Refused) as caught:
        printer.sell()
    assert caught.value.remedy == "open_shift"
    assert printer.driver.status(printer.by()).shift is Shift.CLOSED  # none opened by the way


def test_a_sale_in_a_shift_of_yesterday_is_refused_with_what_to_do(printer: PrinterBench) -> None:
    printer.clock.advance(24 * 3600 + 60)
    assert printer.driver.status(printer.by()).shift is Shift.EXPIRED
    with pytest.raises(Refused) as caught:
        printer.sell()
    assert caught.value.remedy == "close_shift"
    printer.driver.close_shift(CASHIER, printer.by(SHIFT_MS))


def test_a_shift_is_opened_and_closed_once(printer: PrinterBench) -> None:
    with pytest.raises(Refused):
        printer.driver.open_shift(CASHIER, printer.by(SHIFT_MS))
    printer.driver.close_shift(CASHIER, printer.by(SHIFT_MS))
    with pytest.raises(Refused):
        printer.driver.close_shift(CASHIER, printer.by(SHIFT_MS))
    assert printer.device.fn_status()["current_document"] == 0


def test_a_correction_is_what_the_fn_says_it_is(printer: PrinterBench) -> None:
    document = printer.sell(a_correction(a_line(199_00)))
    made = printer.device.documents()[-1]
    assert (made["type"], made["total_kopecks"]) == ("correction", 199_00)
    assert (document.fd, document.fp) == (made["fd"], str(made["fp"]))


def test_a_correction_nothing_can_write_is_refused_before_anything_is_sent(
    printer: PrinterBench,
) -> None:
    printer.driver.status(printer.by())
    sent = len(printer.device.documents())
    with pytest.raises(Refused):
        printer.sell(a_correction(a_line(199_00, vat=VatRate.V5_105)))  # no place in FFD 1.05
    assert not printer.driver.status(printer.by()).receipt_open
    assert len(printer.device.documents()) == sent


def test_a_busy_printer_is_waited_for(printer: PrinterBench) -> None:
    printer.fault("busy", times=3)
    assert printer.sell().total == 199_00


def test_a_printer_busy_for_ever_is_not_ready(printer: PrinterBench) -> None:
    printer.fault("busy", times=None, command=printer.entering)
    started_s = printer.clock.monotonic_s()
    with pytest.raises(NotReady) as caught:
        printer.sell()
    assert caught.value.remedy == "busy"
    assert printer.clock.monotonic_s() - started_s <= 10.5
    printer.mend()
    assert printer.sell().total == 199_00
    assert len(printer.receipts()) == 1


def test_a_printing_printer_is_waited_for(make_bench: Callable[..., PrinterBench]) -> None:
    printer = make_bench(print_ms=1_500)
    printer.open_shift()
    first = printer.sell()
    assert printer.driver.status(printer.by()).paper is Paper.PRINTING
    assert printer.sell().fd == first.fd + 1


# ---- paper -------------------------------------------------------------------------------------


def test_paper_out_before_the_sale_registers_nothing(printer: PrinterBench) -> None:
    printer.device.take_paper_out()
    with pytest.raises(NotReady) as caught:
        printer.sell()
    assert caught.value.remedy == "paper"
    assert printer.driver.status(printer.by()).paper is Paper.OUT
    printer.mend()
    assert printer.sell().total == 199_00
    assert len(printer.receipts()) == 1


@pytest.mark.parametrize("moment", ["entering", "closing"])
@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_paper_out_while_selling_never_lies(printer: PrinterBench, moment: str, when: str) -> None:
    printer.fault("paper_out", command=getattr(printer, moment), when=when)
    outcome = attempt(printer, "M")
    assert len(printer.marked("M")) == (1 if isinstance(outcome, FiscalDocument) else 0)
    printer.mend()
    settle(printer, outcome, "M")


def test_paper_out_after_the_fn_signed_is_continued_not_repeated(printer: PrinterBench) -> None:
    printer.fault("paper_out", command=printer.closing, when="during")
    document = printer.sell(mark="M")
    assert printer.driver.status(printer.by()).paper is Paper.OUT
    with pytest.raises(NotReady):
        printer.driver.continue_print(printer.by())
    printer.device.insert_paper()
    assert printer.driver.status(printer.by()).paper is Paper.WAITS_CONTINUE
    printer.driver.continue_print(printer.by())
    assert printer.driver.status(printer.by()).paper is Paper.READY
    printer.driver.continue_print(printer.by())  # nothing left to do is no mistake
    assert [one["fd"] for one in printer.receipts()] == [document.fd]


def test_a_copy_registers_nothing(printer: PrinterBench) -> None:
    document = printer.sell()
    printer.driver.print_copy(printer.by())
    assert printer.driver.status(printer.by()).last_fd == document.fd


# ---- doubt -------------------------------------------------------------------------------------


def attempt(printer: PrinterBench, mark: str) -> FiscalDocument | PrinterError:
    try:
        return printer.sell(mark=mark)
    except PrinterError as error:
        return error


def settle(
    printer: PrinterBench, outcome: FiscalDocument | PrinterError, mark: str, after_fd: int = 0
) -> None:
    """Finish the sale as the service would; the FN holds it exactly once in the end."""
    made = isinstance(outcome, FiscalDocument)
    if isinstance(outcome, InDoubt):
        made = printer.find_mark(mark, after_fd) is not None
    if not made:
        printer.sell(mark=mark)
    assert len(printer.marked(mark)) == 1


def test_a_lost_reply_is_a_doubt_that_the_archive_settles(printer: PrinterBench) -> None:
    before = printer.driver.status(printer.by()).last_fd
    printer.fault("lose_reply", times=None, command=printer.closing)
    with pytest.raises(InDoubt):
        printer.sell(mark="LOST")
    printer.mend()
    assert printer.find_mark("LOST", before) == before + 1
    assert len(printer.receipts()) == 1


def test_a_reply_lost_once_is_asked_for_again(printer: PrinterBench) -> None:
    printer.fault("lose_reply", times=1, command=printer.closing)
    assert printer.sell(mark="M").fd
    assert len(printer.receipts()) == 1


@pytest.mark.parametrize("command", ["opening_shift", "closing_shift"])
def test_a_lost_shift_report_is_a_doubt(
    make_bench: Callable[..., PrinterBench], command: str
) -> None:
    printer = make_bench()
    if command == "closing_shift":
        printer.open_shift()
    printer.fault("lose_reply", times=None, command=getattr(printer, command))
    operation = (
        printer.driver.open_shift if command == "opening_shift" else printer.driver.close_shift
    )
    with pytest.raises(InDoubt):
        operation(CASHIER, printer.by(SHIFT_MS))
    printer.mend()
    wanted = Shift.OPEN if command == "opening_shift" else Shift.CLOSED
    assert printer.driver.status(printer.by()).shift is wanted


@pytest.mark.parametrize("survives", [True, False], ids=["receipt kept", "receipt lost"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", ["entering", "closing"])
def test_a_power_cut_never_makes_a_liar_of_the_driver(
    make_bench: Callable[..., PrinterBench], moment: str, when: str, survives: bool
) -> None:
    printer = make_bench(receipt_survives_power_cut=survives)
    printer.open_shift()
    printer.fault("power_cut", command=getattr(printer, moment), when=when)
    outcome = attempt(printer, "M")
    assert not isinstance(outcome, Refused)  # the receipt is not at fault
    if isinstance(outcome, NOTHING_MADE):
        assert printer.marked("M") == []
    printer.mend()
    settle(printer, outcome, "M")


def test_an_unplugged_printer_is_unreachable_until_it_is_back(printer: PrinterBench) -> None:
    printer.device.unplug()
    with pytest.raises(Unreachable):
        printer.sell()
    with pytest.raises(Unreachable):
        printer.driver.status(printer.by())
    printer.device.plug()
    printer.clock.advance(1)
    assert printer.sell().total == 199_00


def test_a_half_entered_receipt_is_dropped_by_the_next_sale(printer: PrinterBench) -> None:
    printer.fault("cut_after", bytes=1, direction="to_host", command=printer.entering)
    printer.fault("unplug", times=None)
    outcome = attempt(printer, "A")
    printer.mend()
    settle(printer, outcome, "A")
    assert printer.sell(mark="B").receipt_no == len(printer.receipts())


def test_cancelling_drops_an_open_receipt_and_does_nothing_otherwise(
    printer: PrinterBench,
) -> None:
    printer.driver.cancel_open(printer.by())
    printer.fault("refuse", command=printer.entering, code=0x33)
    printer.fault("refuse", command=printer.cancelling, code=0x73)
    assert isinstance(attempt(printer, "A"), Refused)
    assert printer.driver.status(printer.by()).receipt_open
    printer.driver.cancel_open(printer.by())
    assert not printer.driver.status(printer.by()).receipt_open
    assert printer.receipts() == []


@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_a_line_cut_after_any_byte_of_a_sale_makes_one_document_at_most(
    printer: PrinterBench, direction: str
) -> None:
    """And the verdict is true: what is called not registered is not in the FN."""
    driver, port = printer.driver, printer.port
    driver.status(printer.by())
    sent, received = port.bytes_sent, port.bytes_received
    printer.sell(mark="whole-00")
    length = port.bytes_sent - sent if direction == "to_device" else port.bytes_received - received
    verdicts: set[type] = set()
    for cut in range(length + 1):
        mark = f"cut-{cut:04}"
        before = driver.status(printer.by()).last_fd
        printer.fault("cut_after", bytes=cut, direction=direction)
        outcome = attempt(printer, mark)
        verdicts.add(type(outcome))
        if isinstance(outcome, NOTHING_MADE):
            assert printer.marked(mark) == [], (cut, outcome)
        printer.mend()
        settle(printer, outcome, mark, before)
    assert FiscalDocument in verdicts
    assert len(printer.receipts()) == length + 2


# ---- a bad line --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_over_a_bad_line_documents_and_verdicts_agree(
    make_bench: Callable[..., PrinterBench], seed: int
) -> None:
    """One byte of a hundred garbled, lost or added: far more than a shop's cable ever does."""
    printer = make_bench(baud=115_200)
    printer.open_shift()
    printer.fault("noise", times=None, rate=0.01, seed=seed)
    made = 0
    for number in range(40):
        receipt = a_receipt(a_line(100 + number), payments={PaymentMethod.CASH: 500_00})
        mark, count = f"M{number:05}", len(printer.receipts())
        try:
            document = printer.driver.register(receipt, mark, printer.by(30_000))
        except InDoubt:
            continue
        except NOTHING_MADE:
            assert len(printer.receipts()) == count
            continue
        made += 1
        assert len(printer.receipts()) == count + 1
        last = printer.receipts()[-1]
        assert (last["fd"], last["total_kopecks"]) == (document.fd, receipt.total)
    assert made > 30


# ---- cash --------------------------------------------------------------------------------------


MOVES: Final = ("cash_in", "cash_out")


def move(printer: PrinterBench, name: str, kopecks: int) -> PrinterError | None:
    """None once it is done."""
    try:
        getattr(printer.driver, name)(Kopecks(kopecks), printer.by())
    except PrinterError as error:
        return error
    return None


def moved(printer: PrinterBench, name: str, before: CashCounters) -> tuple[int, int]:
    """How many movements of this kind the device has counted since, and of how many kopecks."""
    try:
        now = printer.driver.cash_counters(printer.by())
    except Unreachable:  # the line went with the last byte: this call found out
        printer.mend()
        now = printer.driver.cash_counters(printer.by())
    if name == "cash_in":
        return now.ins - before.ins, now.in_kopecks - before.in_kopecks
    return now.outs - before.outs, now.out_kopecks - before.out_kopecks


def test_cash_goes_in_and_out_and_is_counted(printer: PrinterBench) -> None:
    before = printer.driver.cash_counters(printer.by())
    last_fd = printer.driver.status(printer.by()).last_fd
    assert move(printer, "cash_in", 1_000_07) is None
    assert move(printer, "cash_out", 300_02) is None
    after = printer.driver.cash_counters(printer.by())
    assert after.cash_kopecks == printer.device.fn_status()["cash_kopecks"] == 700_05
    assert (after.ins, after.outs) == (before.ins + 1, before.outs + 1)
    assert (after.in_kopecks, after.out_kopecks) == (1_000_07, 300_02)
    assert after.through == before.through + 2
    assert printer.driver.status(printer.by()).last_fd == last_fd, "no fiscal document"


def test_more_than_the_device_holds_is_refused_with_what_to_do(printer: PrinterBench) -> None:
    move(printer, "cash_in", 100_00)
    before = printer.driver.cash_counters(printer.by())
    error = move(printer, "cash_out", 100_01)
    assert isinstance(error, Refused)
    assert error.remedy == "cash"
    assert printer.driver.cash_counters(printer.by()) == before


@pytest.mark.parametrize("name", MOVES)
def test_a_cash_movement_without_an_answer_is_a_doubt_that_the_counters_settle(
    printer: PrinterBench, name: str
) -> None:
    move(printer, "cash_in", 500_00)
    before = printer.driver.cash_counters(printer.by())
    printer.fault("lose_reply", times=None, command=name)
    assert isinstance(move(printer, name, 77_00), InDoubt)
    printer.mend()
    assert moved(printer, name, before) == (1, 77_00)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", MOVES)
def test_a_power_cut_in_a_cash_movement_never_makes_a_liar_of_the_driver(
    printer: PrinterBench, name: str, when: str
) -> None:
    move(printer, "cash_in", 500_00)
    before = printer.driver.cash_counters(printer.by())
    printer.fault("power_cut", command=name, when=when)
    error = move(printer, name, 77_00)
    assert error is not None
    printer.mend()
    count, kopecks = moved(printer, name, before)
    assert (count, kopecks) == ((1, 77_00) if when == "after" else (0, 0))
    assert isinstance(error, InDoubt) or count == 0


@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_a_line_cut_in_a_cash_movement_never_moves_it_twice(
    printer: PrinterBench, direction: str
) -> None:
    for cut in range(0, 160, 7):
        before = printer.driver.cash_counters(printer.by())
        printer.fault("cut_after", bytes=cut, direction=direction)
        error = move(printer, "cash_in", 100 + cut)
        printer.mend()
        count, kopecks = moved(printer, "cash_in", before)
        assert count in (0, 1)
        assert kopecks == count * (100 + cut)
        if error is None:
            assert count == 1, cut
        elif not isinstance(error, InDoubt):
            assert count == 0, (cut, error)


def test_cash_waits_for_paper(printer: PrinterBench) -> None:
    printer.device.take_paper_out()
    error = move(printer, "cash_in", 100)
    assert isinstance(error, NotReady)
    assert error.remedy == "paper"
    printer.mend()
    assert move(printer, "cash_in", 100) is None
    assert printer.device.fn_status()["cash_kopecks"] == 100


def test_an_x_report_prints_and_registers_nothing(printer: PrinterBench) -> None:
    before = printer.driver.status(printer.by()).last_fd
    printer.driver.x_report(printer.by())
    printer.driver.x_report(printer.by())
    assert printer.driver.status(printer.by()).last_fd == before
    assert printer.sell().fd == before + 1


def test_the_drawer_opens_without_a_shift_and_without_paper(
    make_bench: Callable[..., PrinterBench],
) -> None:
    printer = make_bench()
    printer.device.take_paper_out()
    printer.driver.open_drawer(printer.by())
    printer.fault("lose_reply", times=None, command="drawer")
    with pytest.raises(Unreachable):
        printer.driver.open_drawer(printer.by())
