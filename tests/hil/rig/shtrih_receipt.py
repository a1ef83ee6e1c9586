"""Receipts: opening, operations, closing, cancelling.

Sources: [SHTRIH] 6.3, 7.1, 7.2, 7.5; [FFD] 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import documents, paper
from rig.documents import MILLION, Payment, half_up, tax_totals
from rig.fn import CORRECTION, RECEIPT, SHIFT_OPEN, Document
from rig.shtrih_marking import require_checked
from rig.shtrih_requests import Request, date_time, le
from rig.shtrih_settings import FISCAL, REGION
from rig.shtrih_shift import count_document, open_shift_document
from rig.shtrih_tables import (
    REPLACED_IN_2026,
    SIGN_OF_TYPE,
    TAX_BY_BYTE,
    TYPE_OF_SIGN,
)
from rig.till import Refused, Till
from rig.till_state import Item, Receipt

Handler = Callable[[Till, Request], bytes]

NOT_GIVEN: Final = 0xFF_FFFF_FFFF
MONEY_MAX: Final = 9_999_999_999
CORRECTS: Final = 0x80  # 8Dh 80h..83h
CORRECTION_TAGS: Final = {1173, 1174}  # no correction without them (FFD 1.2)
MISSING_TAGS: Final = 0xA4
WHOLE: Final = 10_000  # percentages of 85h are hundredths
PERCENT_MAX: Final = 9_999
RECEIPT_BYTES_MAX: Final = 30_000
PRINT_CANCELLED_FIELD: Final = 15  # table 17
EXTENDED_ANSWER_FIELD: Final = 36  # table 17


def open_receipt(till: Till, request: Request) -> bytes:
    """8Dh.  In mode 4 the shift is opened too, unless the option says 73."""
    corrects, kind = divmod(request.number(5, 1), CORRECTS)
    if kind not in SIGN_OF_TYPE:
        raise Refused(0x33)
    start_receipt(till, kind, request.operator).corrects = bool(corrects)
    return b""


def operation(till: Till, request: Request) -> bytes:
    """FF46h: one item."""
    sign = request.number(6, 1)
    if sign not in TYPE_OF_SIGN:
        raise Refused(0x33)
    quantity, price = request.number(7, 6), request.number(13, 5)
    if quantity == 0:
        raise Refused(0x62)
    item = Item(
        quantity_millionths=quantity,
        price_kopecks=price,
        sum_kopecks=item_sum(quantity, price, request.number(18, 5)),
        tax_row=_tax_row(till, request.number(28, 1)),
        department=request.number(29, 1),
        method=request.number(30, 1),
        subject=request.number(31, 1),
        name=request.text(32).removeprefix("//"),
        printed=not request.text(32).startswith("//"),
    )
    if not (1 <= item.method <= 7 and 1 <= item.subject <= 33):
        raise Refused(0x33)
    check_department(item)
    receipt = till.state.receipt
    if receipt is None:
        if not till.options.operation_opens_receipt or till.mode != 2:
            raise Refused(0x4E if till.mode == 3 else till.options.wrong_mode)
        receipt = start_receipt(till, TYPE_OF_SIGN[sign], request.operator)
    register(till, receipt, TYPE_OF_SIGN[sign], item, request.operator)
    return b""


def old_operation(till: Till, request: Request) -> bytes:
    """80h..83h: quantity in thousandths; opens the receipt when none is open."""
    kind = request.command.code - 0x80
    quantity, price = request.number(5, 5) * 1000, request.number(10, 5)
    group = request.number(16, 1)
    if quantity == 0:
        raise Refused(0x62)
    if group > 4:
        raise Refused(0x33)
    item = Item(
        quantity_millionths=quantity,
        price_kopecks=price,
        sum_kopecks=item_sum(quantity, price, NOT_GIVEN),
        tax_row=replaced(till, group) if group else 4,
        department=request.number(15, 1),
        method=4,
        subject=1,
        name=request.text(20),
    )
    check_department(item)
    receipt = till.state.receipt or start_receipt(till, kind, request.operator)
    register(till, receipt, kind, item, request.operator)
    return b""


def subtotal(till: Till, request: Request) -> bytes:
    return le(_open(till, request.operator).total_kopecks, 5)


def close_receipt(till: Till, request: Request) -> bytes:
    """FF45h: the fiscal document is made here.  Answer: change, FD, FP."""
    given = [request.number(6 + 5 * index, 5) for index in range(16)]
    rounding = request.number(86, 1)
    if rounding > 99:
        raise Refused(0x33)
    document, change = _close(till, request, given, rounding, request.number(117, 1))
    answer = le(change, 5) + le(document.fd, 4) + le(document.fp, 4)
    return answer + extended(till, document)


def close_receipt_old(till: Till, request: Request) -> bytes:
    """85h: four payment types, a percentage instead of rounding: positive is a discount.

    Answer: change.
    """
    given = [request.number(5 + 5 * index, 5) for index in range(4)] + [0] * 12
    percent = int.from_bytes(request.payload[25:27], "little", signed=True)
    if abs(percent) > PERCENT_MAX:
        raise Refused(0x40)
    if percent:
        _discount(_open(till, request.operator), percent)
    _document, change = _close(till, request, given, 0, 0)
    return le(change, 5)


def _discount(receipt: Receipt, percent: int) -> None:
    """A percentage off (or onto) the receipt: the format knows it as cheaper items."""
    for item in receipt.items:
        item.sum_kopecks = half_up(item.sum_kopecks * (WHOLE - percent), WHOLE)
        item.price_kopecks = half_up(item.sum_kopecks * MILLION, item.quantity_millionths)


def cancel_receipt(till: Till, request: Request) -> bytes:
    """88h; FF08h ends here too."""
    receipt = _open(till, request.operator)
    state = till.state
    state.money[249 + receipt.kind] += receipt.total_kopecks
    state.operations[179 + receipt.kind] += 1
    state.operations[157] += 1
    state.receipt = None
    if till.settings.number(REGION, 1, PRINT_CANCELLED_FIELD):
        till.print_document([paper.CANCELLED])
    return b""


def repeat_document(till: Till, _request: Request) -> bytes:
    """8Ch: a copy of the last closed receipt."""
    if not till.state.last_receipt:
        raise Refused(0x56)
    till.print_document(paper.copy(till.state.last_receipt))
    return b""


def extended(till: Till, document: Document) -> bytes:
    """DATE_TIME after the sign, when table 17 says so."""
    wanted = till.settings.number(REGION, 1, EXTENDED_ANSWER_FIELD)
    return date_time(document.made_at) if wanted else b""


def start_receipt(till: Till, kind: int, operator: int) -> Receipt:
    if till.mode == 3:
        raise Refused(0x4E)
    if till.fn.begun is not None and till.fn.begun != SHIFT_OPEN:
        raise Refused(0x02)
    if till.mode == 4:
        if not till.options.open_receipt_opens_shift:
            raise Refused(till.options.wrong_mode)
        open_shift_document(till, operator)
    for number in range(120):
        till.state.money.pop(number, None)
        if number < 72:
            till.state.operations.pop(number, None)
    till.state.receipt = Receipt(kind, operator)
    return till.state.receipt


def _open(till: Till, operator: int) -> Receipt:
    """The open receipt, if this operator may touch it."""
    receipt = till.state.receipt
    if receipt is None:
        raise Refused(till.options.wrong_mode)
    if operator not in (receipt.operator, 30):
        raise Refused(0x59)
    return receipt


def register(till: Till, receipt: Receipt, kind: int, item: Item, operator: int) -> None:
    _open(till, operator)
    if receipt.kind != kind:
        raise Refused(0x49)
    if receipt.total_kopecks + item.sum_kopecks > MONEY_MAX:
        raise Refused(0x48)
    receipt.items.append(item)
    if sum(len(documents.item(line).encode()) for line in receipt.items) > RECEIPT_BYTES_MAX:
        raise Refused(0x4B)
    slot = 4 * (_department(item) - 1) + kind
    till.state.money[slot] += item.sum_kopecks
    till.state.operations[slot] += 1


def check_department(item: Item) -> None:
    """Before anything is opened for the item."""
    if item.department > 16 and item.department != 255:
        raise Refused(0x63)


def _department(item: Item) -> int:
    """Where registers count it: 0 and "by code" go to the first department."""
    return item.department if 1 <= item.department <= 16 else 1


def item_sum(quantity_millionths: int, price: int, given: int) -> int:
    """Price by quantity; the host's own sum may differ by one kopeck."""
    if price > MONEY_MAX:
        raise Refused(0x61)
    computed = half_up(price * quantity_millionths, MILLION)
    if computed > MONEY_MAX:
        raise Refused(0x60)
    if given == NOT_GIVEN:
        return computed
    if abs(given - computed) > 1:
        raise Refused(0x33)
    return given


def _tax_row(till: Till, byte: int) -> int:
    tax = TAX_BY_BYTE[till.options.vat_bytes].get(byte)
    if tax is None:
        raise Refused(0x33)
    return replaced(till, tax.row)


def replaced(till: Till, row: int) -> int:
    """Table 17 field 71 = 1 turns 20 % into 22 % from 2026-01-01."""
    if till.settings.number(REGION, 1, 71) == 1 and till.now().year >= 2026:
        return REPLACED_IN_2026.get(row, row)
    return row


def _close(
    till: Till, request: Request, given: list[int], rounding: int, tax_system: int
) -> tuple[Document, int]:
    receipt = _open(till, request.operator)
    if receipt.corrects and not {tag.tag for tag in receipt.tags} >= CORRECTION_TAGS:
        raise Refused(MISSING_TAGS)
    require_checked(till, receipt)
    paid = _payment(till, receipt, given, rounding, tax_system)
    now = till.now()
    document = till.fn.sign(
        CORRECTION if receipt.corrects else RECEIPT,
        now,
        lambda numbers: documents.receipt(till.settings, now, numbers, receipt, paid),
    )
    _count(till, receipt, given, paid)
    till.state.last_receipt = paper.receipt(
        till.settings, receipt, paid, document, till.fn.fn_number
    )
    till.state.receipt = None
    till.print_document(till.state.last_receipt)
    return document, paid.change


def _payment(
    till: Till, receipt: Receipt, given: list[int], rounding: int, tax_system: int
) -> Payment:
    total = receipt.total_kopecks - rounding
    if not receipt.items or total < 0:
        raise Refused(0x8E)
    cashless = sum(given[1:])
    if cashless > total:
        raise Refused(0x4D)
    if given[0] + cashless < total:
        raise Refused(0x45)
    cash = total - cashless
    takes_cash = receipt.kind in (1, 2)  # buy, sale return
    if till.options.refund_needs_cash and takes_cash and cash > till.state.money[241]:
        raise Refused(0x46)
    return Payment(
        total=total,
        cash=cash,
        cashless=sum(given[1:13]),
        advance=given[13],
        credit=given[14],
        provision=given[15],
        change=given[0] - cash,
        tax_system=chosen_tax_system(till, tax_system),
    )


def chosen_tax_system(till: Till, asked: int) -> int:
    """One registered bit; 0 stands for the only one registered."""
    registered = till.settings.number(FISCAL, 1, 5)
    if asked == 0 and registered.bit_count() == 1:
        return registered
    if asked.bit_count() != 1 or not asked & registered:
        raise Refused(0x33)
    return asked


def _count(till: Till, receipt: Receipt, given: list[int], paid: Payment) -> None:
    """Feed the registers of [SHTRIH] 11."""
    money, operations, kind = till.state.money, till.state.operations, receipt.kind
    for item in receipt.items:
        slot = 4 * (_department(item) - 1) + kind
        money[121 + slot] += item.sum_kopecks
        operations[72 + slot] += 1
    applied = [paid.cash, *given[1:]]
    for index, value in enumerate(applied[:4]):
        money[72 + 4 * index + kind] = value
        money[193 + 4 * index + kind] += value
    for index, value in enumerate(applied[4:]):
        money[4144 + kind + 4 * index] += value
    for row, value in tax_totals(receipt.items).items():
        if row <= 4:
            turnover = sum(line.sum_kopecks for line in receipt.items if line.tax_row == row)
            money[209 + 4 * (row - 1) + kind] += turnover
            money[225 + 4 * (row - 1) + kind] += 0 if row > 2 else value
    money[241] += paid.cash if kind in (0, 3) else -paid.cash
    money[120] = money[241]
    operations[144 + kind] += 1
    operations[148 + kind] += 1
    count_document(till)


HANDLERS: Final[Mapping[str, Handler]] = {
    "open_receipt": open_receipt,
    "operation": operation,
    "sale": old_operation,
    "buy": old_operation,
    "sale_return": old_operation,
    "buy_return": old_operation,
    "subtotal": subtotal,
    "close_receipt": close_receipt,
    "close_receipt_old": close_receipt_old,
    "cancel_receipt": cancel_receipt,
    "repeat_document": repeat_document,
}
