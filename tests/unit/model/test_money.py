"""Kopecks at the edges: what is taken, what is refused, how a line is rounded."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kktd.model.money import MAX_KOPECKS, Kopecks, kopecks_from_rubles, line_sum, rubles


@pytest.mark.parametrize(
    ("text", "kopecks"),
    [
        ("0", 0),
        ("-0", 0),
        ("0.01", 1),
        ("199", 199_00),
        ("199.9", 199_90),
        ("199.90000", 199_90),
        ("1E+3", 1_000_00),
        ("99999999.99", MAX_KOPECKS),
    ],
)
def test_rubles_become_kopecks_exactly(text: str, kopecks: int) -> None:
    assert kopecks_from_rubles(Decimal(text)) == kopecks


@pytest.mark.parametrize(
    "text",
    [
        "0.001",
        "1.00000000000000000000000000000000000001",  # past the precision of the context
        "1E-999999",
        "-0.01",
        "100000000.00",
        "NaN",
        "sNaN",
        "Infinity",
    ],
)
def test_what_is_no_sum_of_money_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for people
        kopecks_from_rubles(Decimal(text))


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [
        (36_99, "0.7", 25_89),  # receipts of real tills, [FFD] arithmetic 4
        (249_99, "0.294", 73_50),
        (41_99, "2.412", 101_28),
        (1, "0.5", 1),
        (1, "0.499999", 0),
        (MAX_KOPECKS, "1", MAX_KOPECKS),
    ],
)
def test_a_line_is_rounded_half_up(price: int, quantity: str, total: int) -> None:
    assert line_sum(Kopecks(price), Decimal(quantity)) == total


def test_rubles_are_written_with_two_decimals() -> None:
    assert [rubles(one) for one in (0, 5, 199_00, -1_05)] == ["0.00", "0.05", "199.00", "-1.05"]
