"""One sale, cut after every byte of its conversation, both ways: one document, no person asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from kktd.model.receipt import Line, PaymentMethod, Receipt
from kktd.model.states import FiscalState
from kktd.receipts.books import mark_of
from tests.support.crash import Killed
from tests.support.receipts import (
    a_correction,
    a_line,
    a_marked_line,
    a_marked_receipt,
    a_receipt,
)
from tests.support.till import TillBench

LINES = pytest.mark.parametrize("hangs_up", [True, False], ids=["tcp and usb", "rs-232"])
PROTOCOLS = pytest.mark.parametrize("protocol", ["1", "2"], ids=["protocol 1", "protocol 2"])


def _open(folder: Path, *, hangs_up: bool, protocol: str, ffd: str = "1.05") -> TillBench:
    till = TillBench(
        folder,
        capacity=10_000,
        max_unprinted=10_000,
        hangs_up=hangs_up,
        protocol=protocol,
        ffd=ffd,
    )
    till.sell(a_receipt())  # the shift is open, the printer known
    return till


def _bytes_of(till: TillBench, receipt: Receipt) -> dict[str, int]:
    """Of its whole conversation, each way."""
    sent, received = till.port.bytes_sent, till.port.bytes_received
    till.sell(receipt)
    return {
        "to_device": till.port.bytes_sent - sent,
        "to_host": till.port.bytes_received - received,
    }


def _check_one_document_each(till: TillBench, receipt_ids: Sequence[str]) -> None:
    marks = Counter(one["mark"] for one in till.printer.documents() if one["mark"])
    for receipt_id in receipt_ids:
        stored = till.stored(receipt_id)
        assert stored.state is FiscalState.PRINTED, (stored.state, stored.problem)
        assert marks[mark_of(stored.id)] == 1
    assert max(marks.values()) == 1
    left = till.printer.till.marks
    assert (left.asked, left.checked, left.bound) == (None, {}, [])


@PROTOCOLS
@LINES
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
@pytest.mark.parametrize("make", [a_receipt, a_correction], ids=["sale", "correction"])
def test_a_line_cut_after_any_byte_is_one_document(
    tmp_path: Path, make: Callable[[Line], Receipt], direction: str, hangs_up: bool, protocol: str
) -> None:
    till = _open(tmp_path, hangs_up=hangs_up, protocol=protocol)
    size = _bytes_of(till, make(a_line()))[direction]
    sold = []
    for count in range(size + 1):
        till.faults.add("printer", "cut_after", 1, bytes=count, direction=direction)
        receipt = make(a_line(1_00 + count))
        till.sell(receipt, seconds=40)
        till.faults.clear()
        till.run(3)
        sold.append(receipt.id)
    _check_one_document_each(till, sold)
    till.close()


@PROTOCOLS
@LINES
def test_a_daemon_killed_after_any_byte_is_one_document(
    tmp_path: Path, hangs_up: bool, protocol: str
) -> None:
    till = _open(tmp_path, hangs_up=hangs_up, protocol=protocol)
    size = sum(_bytes_of(till, a_receipt()).values())
    sold = []
    for count in range(1, size + 1, 3):  # every third: a kill costs a start
        receipt = a_receipt(a_line(1_00 + count), payments={PaymentMethod.CASH: 500_00})
        till.desk.leave(till.post(receipt))
        till.port.die_in_bytes = count
        with pytest.raises(Killed):
            till.run(10)
        till.crash()
        till.run(5)
        sold.append(receipt.id)
    _check_one_document_each(till, sold)
    till.close()


def test_a_daemon_that_lives_half_a_second_at_a_time_still_settles_its_doubt(
    tmp_path: Path,
) -> None:
    """An old answer that nobody confirmed is confirmed by the first connection that meets it."""
    till = _open(tmp_path, hangs_up=True, protocol="auto")
    size = sum(_bytes_of(till, a_receipt()).values())
    for count in range(5, size, 23):
        receipt = a_receipt(a_line(1_00 + count))
        till.desk.leave(till.post(receipt))
        till.port.die_in_bytes = count
        with pytest.raises(Killed):
            till.run(10)
        starts = 0
        while till.stored(receipt.id).state is not FiscalState.PRINTED:
            starts += 1
            assert starts <= 4, (count, till.stored(receipt.id).state)
            till.crash()
            till.port.die_at_s = till.clock.monotonic_s() + 0.5
            with suppress(Killed):
                till.run(0.5)
        till.port.die_at_s = None
    till.close()


def _marked(kopecks: int) -> Receipt:
    """Its code is short: bytes are counted one by one."""
    return a_marked_receipt(a_marked_line(kopecks, "0104600000000017"))


@PROTOCOLS
@pytest.mark.parametrize(
    ("command", "direction", "bytes_"),
    [
        ("check_mark", "to_device", 50),  # and the decision behind it
        ("check_mark", "to_host", 60),
        ("bind_mark", "to_device", 36),
        ("bind_mark", "to_host", 14),
    ],
)
def test_marked_goods_cut_within_their_codes_are_sold_once_and_leave_no_code(
    tmp_path: Path, protocol: str, command: str, direction: str, bytes_: int
) -> None:
    """The rest of the conversation is any sale's."""
    till = _open(tmp_path, hangs_up=True, protocol=protocol, ffd="1.2")
    sold = []
    for count in range(4, bytes_):  # within the first the command is not known yet
        till.faults.add(
            "printer", "cut_after", 1, bytes=count, direction=direction, command=command
        )
        receipt = _marked(1_00 + count)
        till.sell(receipt, seconds=40)
        assert not till.faults.as_json(), "the line was cut"
        till.run(3)
        sold.append(receipt.id)
    _check_one_document_each(till, sold)
    till.close()


@PROTOCOLS
def test_a_daemon_killed_while_it_sells_marked_goods_sells_them_once(
    tmp_path: Path, protocol: str
) -> None:
    till = _open(tmp_path, hangs_up=True, protocol=protocol, ffd="1.2")
    size = sum(_bytes_of(till, _marked(1_00)).values())
    sold = []
    for count in range(1, size + 1, 17):
        receipt = _marked(1_00 + count)
        till.desk.leave(till.post(receipt))
        till.port.die_in_bytes = count
        with pytest.raises(Killed):
            till.run(10)
        till.crash()
        till.run(5)
        sold.append(receipt.id)
    _check_one_document_each(till, sold)
    till.close()
