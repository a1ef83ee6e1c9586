"""Operations of the years between 80h and FF46h: with discount and surcharge of their own.

Source: [SHTRIH] 7.1 (FF0Dh, FF44h).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig.documents import MILLION, half_up
from rig.shtrih_receipt import (
    NOT_GIVEN,
    check_department,
    item_sum,
    register,
    replaced,
    start_receipt,
)
from rig.shtrih_requests import Request
from rig.shtrih_tables import TYPE_OF_SIGN
from rig.till import Refused, Till
from rig.till_state import Item

Handler = Callable[[Till, Request], bytes]

NO_TAX_ROW: Final = 4
GROUPS: Final[Mapping[int, int]] = {0: NO_TAX_ROW, 1: 1, 2: 2, 4: 3, 8: 4}  # mask to row


def operation_discounted(till: Till, request: Request) -> bytes:
    """FF0Dh: opens the receipt when none is open."""
    return _operate(till, request, department_at=27, text_at=34)


def operation_taxed(till: Till, request: Request) -> bytes:
    """FF44h: the host's own tax sum is read over, the till computes."""
    return _operate(till, request, department_at=32, text_at=39)


def _operate(till: Till, request: Request, *, department_at: int, text_at: int) -> bytes:
    sign, row = request.number(6, 1), GROUPS.get(request.number(department_at + 1, 1))
    if sign not in TYPE_OF_SIGN or row is None:
        raise Refused(0x33)
    quantity, price = request.number(7, 5) * 1000, request.number(12, 5)
    discount, surcharge = request.number(17, 5), request.number(22, 5)
    if quantity == 0:
        raise Refused(0x62)
    before = item_sum(quantity, price, NOT_GIVEN)
    total = before - discount + surcharge
    if total < 0:
        raise Refused(0x5A)
    item = Item(
        quantity_millionths=quantity,
        price_kopecks=price if total == before else half_up(total * MILLION, quantity),
        sum_kopecks=total,
        tax_row=replaced(till, row),
        department=request.number(department_at, 1),
        method=4,
        subject=1,
        name=request.text(text_at),
    )
    check_department(item)
    kind = TYPE_OF_SIGN[sign]
    receipt = till.state.receipt or start_receipt(till, kind, request.operator)
    register(till, receipt, kind, item, request.operator)
    return b""


HANDLERS: Final[Mapping[str, Handler]] = {
    "operation_discounted": operation_discounted,
    "operation_taxed": operation_taxed,
}
