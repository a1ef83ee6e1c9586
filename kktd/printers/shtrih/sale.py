"""A receipt as the commands that make it: worked out whole before the first is sent.

Source: [SHTRIH] 7.1, 7.2, 7.6, 13; [FFD] 3.3, 3.4, 3.15, 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from kktd.model.money import QUANTITY_DECIMALS, Kopecks
from kktd.model.receipt import (
    Basis,
    Cashier,
    Correction,
    Line,
    PaymentMethod,
    Receipt,
    Sign,
    Subject,
    VatRate,
)
from kktd.printers.shtrih import answers, marking, payload, tlv
from kktd.printers.shtrih.commands import (
    BEGIN_CORRECTION,
    BIND_MARK,
    CLOSE_RECEIPT,
    CORRECTION,
    LINE_TLV,
    OPEN_RECEIPT,
    OPERATION,
    SEND_TLV,
    Command,
)

MARK_NAME: Final = "kktd"  # 1085; 1084 needs both of its parts
TAG_CONTACT: Final = 1008
TAG_CASHIER: Final = 1021
TAG_CASHIER_INN: Final = 1203
TAG_RECEIPT_PROP: Final = 1192
TAG_USER_PROP: Final = 1084
TAG_USER_PROP_NAME: Final = 1085
TAG_USER_PROP_VALUE: Final = 1086
TAG_MEASURE: Final = 2108
CASHIER_BYTES_MAX: Final = 64
INN_BYTES: Final = 12
CONTACT_BYTES_MAX: Final = 64
RECEIPT_PROP_BYTES_MAX: Final = 16
MARK_BYTES_MAX: Final = 200  # 1086 takes 256, the command 250 with all heads
TAG_CORRECTION_TYPE: Final = 1173
TAG_BASIS: Final = 1174
TAG_BASIS_NAME: Final = 1177
TAG_BASIS_DATE: Final = 1178
TAG_ORDER_NUMBER: Final = 1179
BASIS_BYTES_MAX: Final = 200  # 1177 takes 256, the command 250 with all heads
ORDER_BYTES_MAX: Final = 32
BASIS_NAMES: Final = {Basis.SELF: "Самостоятельно", Basis.ORDER: "По предписанию"}
# [FFD] 4, tag 1212: the same goods with a code of marking
SUBJECT_MARKED: Final = {Subject.COMMODITY: 33, Subject.EXCISE: 31}
NO_NUMBER: Final = "б/н"
FFD_1_05: Final = "1.05"
FFD_1_2: Final = "1.2"


class Unprintable(ValueError):
    """This family cannot make such a receipt; `remedy` as in `printers/remedies`."""

    def __init__(self, message: str, remedy: str = "data") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Step:
    """One command and its parameters; `mark` of the one that binds a marking code."""

    command: Command
    parameters: bytes
    mark: marking.Mark | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """Everything up to the close, and the close itself."""

    steps: tuple[Step, ...]
    closing: bytes  # parameters of `command`
    total: Kopecks
    has_lines: bool = True  # the till counts a subtotal of them
    command: Command = CLOSE_RECEIPT
    closed: Callable[[bytes], answers.ClosedReceipt] = answers.closed_receipt

    @property
    def marks(self) -> list[marking.Mark]:
        """To be checked before the first step."""
        return [step.mark for step in self.steps if step.mark is not None]


def plan(receipt: Receipt, mark: str | None, model: int, ffd: str) -> Sale:
    """The commands for `receipt`; raises Unprintable before anything is sent."""
    if ffd != FFD_1_2 and any(line.mark_code is not None for line in receipt.lines):
        raise Unprintable("marked goods need FFD 1.2", "marking_ffd")
    if receipt.correction is not None and ffd != FFD_1_2:
        return _plan_correction(receipt, receipt.correction, mark)
    vat_byte = payload.VAT_BYTE_NANO if model in payload.NANO_MODELS else payload.VAT_BYTE
    try:
        corrects = receipt.correction is not None
        steps = [Step(OPEN_RECEIPT, payload.open_receipt(receipt.sign, corrects=corrects))]
        for index, line in enumerate(receipt.lines):
            for operation in operations(line):
                data = payload.operation(receipt.sign, operation, vat_byte)
                steps.append(Step(OPERATION, data))
                if ffd == FFD_1_2:
                    steps.append(Step(LINE_TLV, tlv.byte(TAG_MEASURE, line.measure).encoded()))
            if line.mark_code is not None:
                steps.append(_bind_mark(index, line, receipt.sign, operation))
        tags = receipt_tags(receipt, mark)
        if receipt.correction is not None:
            tags += correction_tags(receipt.correction, ffd)
        steps += [Step(SEND_TLV, block) for block in blocks(tags)]
        tendered = {method: receipt.tendered(method) for method in PaymentMethod}
        closing = payload.close_receipt(tendered, receipt.tax_system or 0)
    except ValueError as error:
        raise Unprintable(str(error)) from error
    return Sale(tuple(steps), closing, receipt.total)


def _plan_correction(receipt: Receipt, correction: Correction, mark: str | None) -> Sale:
    """FFD 1.05: a document of sums alone, by commands of its own ([SHTRIH] 7.2)."""
    try:
        tags = [*receipt_tags(receipt, mark), *correction_tags(correction, FFD_1_05)]
        steps = [Step(BEGIN_CORRECTION, b"")]
        steps += [Step(SEND_TLV, block) for block in blocks(tags)]
        closing = payload.correction(
            correction.basis,
            correction.sign,
            receipt.total,
            {method: receipt.applied(method) for method in PaymentMethod},
            vat_sums(receipt.lines),
            receipt.tax_system or 0,
        )
    except ValueError as error:
        raise Unprintable(str(error)) from error
    return Sale(tuple(steps), closing, receipt.total, False, CORRECTION, answers.corrected)


def _bind_mark(index: int, line: Line, sign: Sign, last: payload.Operation) -> Step:
    """A code is bound to the line before it."""
    if last.total_kopecks != line.total:
        raise Unprintable("no price gives the sum of a marked line", "marking_discount")
    mark = marking.mark_of(index, line, sign)
    return Step(BIND_MARK, payload.bind_mark(payload.mark_code(line.mark_code or "")), mark)


def vat_sums(lines: Iterable[Line]) -> list[int]:
    """The six sums of FF4Ah: tax at the base rate and 10 %, turnover at 0 % and without, and the
    two calculated ones.  Raises ValueError for a rate that the command has no place for."""
    turnover: dict[VatRate, int] = {}
    for line in lines:
        turnover[line.vat] = turnover.get(line.vat, 0) + line.total
    sums = [0] * len(payload.VAT_PLACES)
    for rate, kopecks in turnover.items():
        place = payload.VAT_PLACE.get(rate)
        if place is None:
            raise ValueError(f"a correction of FFD 1.05 has no place for VAT {rate}")
        percent = payload.VAT_PERCENT.get(rate)
        tax = kopecks
        if percent is not None:
            exact = Decimal(kopecks) * percent / (100 + percent)
            tax = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
        sums[place] += tax
    return sums


def correction_tags(correction: Correction, ffd: str) -> list[tlv.Tlv]:
    """1173 goes with FF4Ah itself, elsewhere as a tag; 1174 says what is corrected."""
    midnight = datetime.combine(correction.date, time(), UTC)  # local time written as UTC: [FFD] 1
    parts = [tlv.u32(TAG_BASIS_DATE, int(midnight.timestamp()))]
    if ffd == FFD_1_05:  # both are asked for there, whatever the basis
        parts.insert(0, tlv.string(TAG_BASIS_NAME, BASIS_NAMES[correction.basis], BASIS_BYTES_MAX))
        parts.append(tlv.string(TAG_ORDER_NUMBER, correction.number or NO_NUMBER, ORDER_BYTES_MAX))
    elif correction.number:
        parts.append(tlv.string(TAG_ORDER_NUMBER, correction.number, ORDER_BYTES_MAX))
    tags = [tlv.stlv(TAG_BASIS, parts)]
    if ffd != FFD_1_05:
        tags.insert(0, tlv.byte(TAG_CORRECTION_TYPE, correction.basis))
    return tags


def operations(line: Line) -> Iterator[payload.Operation]:
    """`line` as one operation, or as two where no whole price gives its sum.

    The FN wants price x quantity within a kopeck of the sum ([FFD] 6.1), and that price is the one
    after discounts.  1.00 off seven pieces of 10.00 leaves 69.00, which no price gives: two go at
    9.85 and five at 9.86.  Not a kopeck is lost or invented, no line is over a kopeck off.
    """
    quantity, total = line.quantity, line.total
    if quantity <= 0:
        raise Unprintable(f"quantity {quantity}")
    price = line.price
    if line.discount:
        price = Kopecks(int((Decimal(total) / quantity).quantize(Decimal(1), ROUND_HALF_UP)))
    if abs(price * quantity - total) <= 1:
        yield _operation(line, quantity, price, total)
        return
    low = Kopecks(int(total // quantity))
    dearer = total - low * quantity  # as many units cost one kopeck more: then all is exact
    first = Kopecks(int((low * (quantity - dearer)).quantize(Decimal(1), ROUND_HALF_UP)))
    yield _operation(line, quantity - dearer, low, first)
    yield _operation(line, dearer, Kopecks(low + 1), Kopecks(total - first))


def _operation(line: Line, quantity: Decimal, price: int, total: int) -> payload.Operation:
    millionths = quantity.scaleb(QUANTITY_DECIMALS)
    if millionths != int(millionths):
        raise Unprintable(f"quantity {quantity} has more than six decimals")
    # A name that begins with // goes to the ОФД and is not printed ([SHTRIH] 7.1): the customer
    # gets every line on paper.
    hidden = line.name.startswith("//")
    return payload.Operation(
        name=f" {line.name}"[: payload.NAME_BYTES_MAX] if hidden else line.name,
        quantity_millionths=int(millionths),
        price_kopecks=price,
        total_kopecks=total,
        vat=line.vat,
        settlement=line.settlement,
        subject=SUBJECT_MARKED[line.subject] if line.mark_code else line.subject,
    )


def cashier_tags(cashier: Cashier) -> list[tlv.Tlv]:
    """Who answers for the document."""
    tags = [tlv.string(TAG_CASHIER, cashier.name, CASHIER_BYTES_MAX)]
    if cashier.inn:
        tags.append(tlv.fixed_string(TAG_CASHIER_INN, cashier.inn, INN_BYTES))
    return tags


def receipt_tags(receipt: Receipt, mark: str | None) -> list[tlv.Tlv]:
    """Tags of the whole receipt; `mark` makes it known again in the FN."""
    tags = cashier_tags(receipt.cashier)
    contact = receipt.customer.contact if receipt.customer else None
    if contact:
        tags.append(tlv.string(TAG_CONTACT, contact, CONTACT_BYTES_MAX))
    if receipt.original and receipt.original.document:
        # No tag links a refund to its original; the ФП in 1192 is what is done ([FFD] 10).
        fp = receipt.original.document.fp
        tags.append(tlv.string(TAG_RECEIPT_PROP, fp, RECEIPT_PROP_BYTES_MAX))
    if mark:
        if len(mark) > MARK_BYTES_MAX:
            raise Unprintable("the mark is too long")
        name = tlv.string(TAG_USER_PROP_NAME, MARK_NAME, len(MARK_NAME))
        value = tlv.string(TAG_USER_PROP_VALUE, mark, MARK_BYTES_MAX)
        tags.append(tlv.stlv(TAG_USER_PROP, (name, value)))
    return tags


def blocks(tags: Iterable[tlv.Tlv]) -> Iterator[bytes]:
    """Whole tags, as many as one command takes."""
    block = b""
    for tag in tags:
        data = tag.encoded()
        if len(data) > payload.TLV_BYTES_MAX:
            raise Unprintable(f"tag {tag.tag} takes {len(data)} bytes")
        if len(block) + len(data) > payload.TLV_BYTES_MAX:
            yield block
            block = b""
        block += data
    if block:
        yield block
