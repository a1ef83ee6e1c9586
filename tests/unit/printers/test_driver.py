"""Guards of the Shtrih-M driver against a till that does one thing and says another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rig.link import Device

from kktd.errors import InDoubt, NotReady, Refused, Unreachable
from kktd.printers.base import Shift
from tests.contract.conftest import SHIFT_MS, PrinterBench, shtrih
from tests.support.receipts import CASHIER, a_line, a_receipt

Run = Callable[[bytes], bytes]

FIRST_TAG_CASHIER = bytes.fromhex("fd03")  # tag 1021 as it lies in a document


class Tampered:
    """Between link and registrar: `rule` may swallow a command or change its answer."""

    def __init__(self, inner: Device, rule: Callable[[bytes, Run], bytes]) -> None:
        self._inner, self._rule = inner, rule
        self.asked: list[bytes] = []

    def execute(self, payload: bytes, now_s: float) -> bytes:
        self.asked.append(payload)
        return self._rule(payload, lambda question: self._inner.execute(question, now_s))

    def power_off(self, now_s: float) -> None:
        self._inner.power_off(now_s)

    def power_on(self, now_s: float) -> None:
        self._inner.power_on(now_s)


def tamper(bench: PrinterBench, rule: Callable[[bytes, Run], bytes]) -> Tampered:
    tampered = Tampered(bench.device.registrar, rule)
    bench.device.link._device = tampered
    return tampered


@pytest.fixture
def bench() -> PrinterBench:
    bench = shtrih()
    bench.open_shift()
    return bench


def swallow(code: bytes, times: int) -> Callable[[bytes, Run], bytes]:
    """A command that is answered and not carried out, as a garbled one may be."""
    left = times

    def rule(question: bytes, run: Run) -> bytes:
        nonlocal left
        if question.startswith(code) and left > 0:
            left -= 1
            return code + b"\0"
        return run(question)

    return rule


def test_a_line_that_did_not_arrive_is_entered_again(bench: PrinterBench) -> None:
    tamper(bench, swallow(b"\xff\x46", times=1))
    receipt = a_receipt(a_line(100), a_line(200))
    assert bench.sell(receipt).total == 300
    assert len(bench.receipts()) == 1


def test_a_till_that_counts_otherwise_registers_nothing(bench: PrinterBench) -> None:
    tamper(bench, swallow(b"\xff\x46", times=100))
    with pytest.raises(Refused) as caught:
        bench.sell()
    assert caught.value.remedy == "setup"
    assert bench.receipts() == []
    assert not bench.driver.status(bench.by()).receipt_open


@pytest.mark.parametrize("code", [0x33, 0x50, 0x73])
def test_a_refusal_that_the_fn_contradicts_is_a_doubt(bench: PrinterBench, code: int) -> None:
    def lie(question: bytes, run: Run) -> bytes:
        answer = run(question)
        return b"\xff\x45" + bytes((code,)) if question.startswith(b"\xff\x45") else answer

    before = bench.driver.status(bench.by()).last_fd
    tamper(bench, lie)
    with pytest.raises(InDoubt):
        bench.sell(mark="M")
    assert bench.find_mark("M", before) == before + 1


@pytest.mark.parametrize("at", [8, 12], ids=["number", "sign"])
def test_a_closing_answer_that_the_archive_contradicts_is_a_doubt(
    bench: PrinterBench, at: int
) -> None:
    def lie(question: bytes, run: Run) -> bytes:
        answer = bytearray(run(question))
        if question.startswith(b"\xff\x45"):
            answer[at] ^= 1
        return bytes(answer)

    tamper(bench, lie)
    with pytest.raises(InDoubt):
        bench.sell(mark="M")
    assert len(bench.marked("M")) == 1


def test_a_till_left_giving_out_data_is_read_to_the_end(bench: PrinterBench) -> None:
    """Desktop models stay in mode 1 until FF3Bh has answered 08h."""
    left = 3

    def desktop(question: bytes, run: Run) -> bytes:
        nonlocal left
        if question.startswith(b"\xff\x3b") and left:
            left -= 1
            return b"\xff\x3b\0\x10\x04\x01\0\0" if left else b"\xff\x3b\x08"
        answer = bytearray(run(question))
        if question.startswith(b"\x10") and left:
            answer[5] = 0x01
        return bytes(answer)

    tampered = tamper(bench, desktop)
    assert bench.sell().total == 199_00
    assert [asked[:2] for asked in tampered.asked].count(b"\xff\x3b") == 3


def test_a_reading_that_was_cut_is_finished_before_the_next(bench: PrinterBench) -> None:
    document = bench.sell(mark="M")
    bench.fault("lose_reply", times=None, command=bench.reading)
    with pytest.raises(Unreachable):
        bench.driver.archived(document.fd, bench.by())
    bench.mend()
    tampered = tamper(bench, lambda question, run: run(question))
    bench.driver.archived(document.fd, bench.by())
    codes = [asked[:2] for asked in tampered.asked]
    assert b"\xff\x3b" in codes[: codes.index(b"\xff\x3a")]


@pytest.mark.parametrize("line", ["tcp", "serial"])
def test_a_report_begun_and_lost_is_dropped_by_the_next_call(line: str) -> None:
    bench = shtrih(line=line)
    bench.fault("cut_after", bytes=2, direction="to_host", command="send_tlv")
    bench.fault("lose_reply", times=None, command="send_tlv")
    with pytest.raises(Unreachable):
        bench.driver.open_shift(CASHIER, bench.by())
    bench.mend()
    assert bench.driver.status(bench.by()).shift is Shift.CLOSED
    bench.driver.cancel_open(bench.by())
    assert bench.device.fn_status()["current_document"] == 0
    bench.open_shift()


def test_reports_name_their_cashier(bench: PrinterBench) -> None:
    bench.driver.close_shift(CASHIER, bench.by(SHIFT_MS))
    opened, closed = bench.device.documents(with_tlv=True)[-2:]
    name = CASHIER.name.encode("cp866")
    for report in (opened, closed):
        body = bytes.fromhex(str(report["tlv"]))
        at = body.index(FIRST_TAG_CASHIER)
        assert body[at + 4 :].startswith(name)


def test_a_till_that_cannot_begin_a_report_still_opens_its_shift() -> None:
    bench = shtrih()

    def old(question: bytes, run: Run) -> bytes:
        return b"\xff\x41\x37" if question.startswith(b"\xff\x41") else run(question)

    tamper(bench, old)
    bench.open_shift()
    assert bench.driver.status(bench.by()).shift is Shift.OPEN


def test_an_old_till_without_tables_and_parameters_still_says_who_it_is() -> None:
    bench = shtrih()

    def old(question: bytes, run: Run) -> bytes:
        unknown = question[:1] in (b"\xf7", b"\x1f")
        return question[:1] + b"\x37" if unknown else run(question)

    tamper(bench, old)
    identity = bench.driver.identify(bench.by())
    assert identity.fn == bench.device.fn_status()["fn"]


def test_identity_is_read_once_for_a_connection(bench: PrinterBench) -> None:
    tampered = tamper(bench, lambda question, run: run(question))
    bench.sell()
    bench.sell()
    assert [asked[:1] for asked in tampered.asked].count(b"\xfc") == 1
    bench.driver.close()
    bench.sell()
    assert [asked[:1] for asked in tampered.asked].count(b"\xfc") == 2


@pytest.mark.parametrize("code", [0x55, 0x73])
def test_a_receipt_that_vanished_under_way_may_be_tried_again(
    bench: PrinterBench, code: int
) -> None:
    """Somebody switched the till off and on; the receipt is as good as before."""
    bench.fault("refuse", command=bench.entering, code=code)
    with pytest.raises(NotReady):
        bench.sell()
    assert bench.sell().total == 199_00


def test_a_receipt_is_not_closed_in_the_last_second(bench: PrinterBench) -> None:
    bench.driver.status(bench.by())
    bench.fault("slow", ms=9_500, command=bench.entering)
    with pytest.raises(Unreachable):
        bench.sell()
    bench.mend()
    assert bench.receipts() == []
    assert bench.sell().total == 199_00
