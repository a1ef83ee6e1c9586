"""Arithmetic of a receipt, for every receipt: lines sum, change comes off cash, tenders pay."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from kktd.model.money import MAX_KOPECKS, Kopecks, kopecks_from_rubles, line_sum, rubles
from kktd.model.receipt import PaymentMethod, Receipt
from tests.support.strategies import quantities, receipts


@given(st.integers(0, MAX_KOPECKS))
def test_kopecks_survive_the_way_over_rubles(kopecks: int) -> None:
    assert kopecks_from_rubles(Decimal(rubles(kopecks))) == kopecks


@given(st.integers(0, MAX_KOPECKS), quantities)
def test_a_line_is_within_half_a_kopeck_of_the_product(price: int, quantity: Decimal) -> None:
    exact = Fraction(price) * Fraction(quantity)
    rounded = line_sum(Kopecks(price), quantity)
    assert Fraction(-1, 2) < rounded - exact <= Fraction(1, 2)


@given(receipts())
def test_tenders_applied_are_the_total(receipt: Receipt) -> None:
    applied = {method: receipt.applied(method) for method in PaymentMethod}
    assert sum(applied.values()) == receipt.total == sum(line.total for line in receipt.lines)
    assert all(amount >= 0 for amount in applied.values())
    assert 0 <= receipt.change <= receipt.tendered(PaymentMethod.CASH)
    for method in PaymentMethod:
        if method is not PaymentMethod.CASH:
            assert applied[method] == receipt.tendered(method)
