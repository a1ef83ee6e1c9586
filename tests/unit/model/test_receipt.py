"""A receipt is checked when it is made."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from kktd.errors import Invalid
from kktd.model.money import MAX_KOPECKS, Kopecks
from kktd.model.receipt import (
    MAX_LINES,
    TAG_1199,
    Line,
    PaymentMethod,
    ReceiptType,
    Sign,
    TaxSystem,
    VatRate,
)
from tests.support.receipts import a_line, a_receipt

CASH, CARD, PREPAID = PaymentMethod.CASH, PaymentMethod.CARD, PaymentMethod.PREPAID


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (a_line(quantity="0"), "items[0].qty"),
        (a_line(quantity="-1"), "items[0].qty"),
        (a_line(quantity="0.0000001"), "items[0].qty"),
        (a_line(quantity="281474976.710656", kopecks=1), "items[0].qty"),
        (a_line(quantity="1E+30"), "items[0].qty"),
        (a_line(quantity="NaN"), "items[0].qty"),
        (a_line(quantity="sNaN"), "items[0].qty"),
        (a_line(quantity="Infinity"), "items[0].qty"),
        (a_line(kopecks=-1), "items[0].price"),
        (a_line(kopecks=MAX_KOPECKS + 1), "items[0].price"),
        (a_line(discount=-1), "items[0].discount"),
        (a_line(discount=199_01), "items[0].discount"),
        (a_line(kopecks=MAX_KOPECKS, quantity="1.01"), "items[0]"),
    ],
)
def test_a_line_that_cannot_be_is_refused(line: Line, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        a_receipt(line, payments={CASH: 100})
    assert caught.value.details["field"] == field


def test_a_receipt_has_a_line_and_not_too_many() -> None:
    whole = a_receipt(a_line(kopecks=1))
    for lines in ((), whole.lines * (MAX_LINES + 1)):
        with pytest.raises(Invalid) as caught:
            dataclasses.replace(whole, lines=lines)
        assert caught.value.details["field"] == "items"
    assert a_receipt(*whole.lines * MAX_LINES).total == MAX_LINES


def test_lines_may_not_sum_to_more_than_a_printer_takes() -> None:
    with pytest.raises(Invalid):
        a_receipt(a_line(kopecks=MAX_KOPECKS), a_line(kopecks=1))


@pytest.mark.parametrize(
    "payments",
    [
        {CASH: 198_99},
        {CARD: 199_01},  # change is given from cash only
        {CARD: 300_00, CASH: 1_00},
        {CARD: 300_00, CASH: -101_00},
        {CASH: MAX_KOPECKS + 1},
    ],
)
def test_tenders_that_do_not_pay_the_total_are_refused(
    payments: dict[PaymentMethod, int],
) -> None:
    with pytest.raises(Invalid):
        a_receipt(a_line(kopecks=199_00), payments=payments)


def test_change_is_taken_off_cash() -> None:
    receipt = a_receipt(a_line(kopecks=199_00), payments={CASH: 200_00, CARD: 100_00})
    assert receipt.change == 101_00
    assert receipt.applied(CASH) == 99_00
    assert receipt.applied(CARD) == 100_00
    assert receipt.applied(PREPAID) == 0


def test_a_free_gift_is_a_receipt() -> None:
    assert a_receipt(a_line(kopecks=100, discount=100), payments={CASH: 0}).total == 0


def test_a_refund_has_the_sign_of_a_refund() -> None:
    assert a_receipt(type=ReceiptType.REFUND).sign is Sign.SALE_REFUND
    assert a_receipt().sign is Sign.SALE


def test_values_are_those_of_the_format() -> None:
    assert TAG_1199[VatRate.V20] == 1
    assert TAG_1199[VatRate.NO_VAT] == 6
    assert TAG_1199[VatRate.V22_122] == 12
    assert all(bin(one).count("1") == 1 for one in TaxSystem)


def test_a_line_sums_price_by_quantity_less_discount() -> None:
    line = Line("сыр", Decimal("0.456"), Kopecks(899_90), VatRate.V10, discount=Kopecks(10_00))
    assert line.total == 400_35
