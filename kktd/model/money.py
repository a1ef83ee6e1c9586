"""Money is whole kopecks; rubles exist only as text at the edges.  Source: [FFD] arithmetic."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NewType

Kopecks = NewType("Kopecks", int)

NO_KOPECKS: Final = Kopecks(0)
MAX_KOPECKS: Final = Kopecks(9_999_999_999)  # [SHTRIH] payload conventions: the most a sum can be
QUANTITY_DECIMALS: Final = 6
MAX_QUANTITY: Final = Decimal("281474976.710655")  # [FFD] arithmetic: a 48-bit mantissa


def kopecks_from_rubles(rubles: Decimal) -> Kopecks:
    """Exact; raises ValueError for more than two decimals, NaN, negative or over MAX_KOPECKS."""
    if not rubles.is_finite():
        raise ValueError("not a number")
    if not 0 <= rubles <= Decimal(MAX_KOPECKS) / 100:
        raise ValueError(f"outside 0..{Decimal(MAX_KOPECKS) / 100}")
    if not has_decimals(rubles, 2):
        raise ValueError("more than two decimals")
    return Kopecks(int(rubles.scaleb(2)))


def has_decimals(number: Decimal, most: int) -> bool:
    """Whether a finite `number` has at most so many; by its digits, for arithmetic would round."""
    _, digits, exponent = number.as_tuple()
    extra = -int(exponent) - most
    return extra <= 0 or not any(digits[-extra:])


def rubles(kopecks: int) -> str:
    """`19900` as `"199.00"`: the form of JSON answers and of the QR."""
    sign, whole = ("-", -kopecks) if kopecks < 0 else ("", kopecks)
    return f"{sign}{whole // 100}.{whole % 100:02d}"


def line_sum(price: Kopecks, quantity: Decimal, discount: Kopecks = NO_KOPECKS) -> Kopecks:
    """`price x quantity - discount`, the product rounded half up ([FFD] arithmetic 4)."""
    product = (Decimal(price) * quantity).quantize(Decimal(1), ROUND_HALF_UP)
    return Kopecks(int(product) - discount)
