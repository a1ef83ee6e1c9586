"""Shifts, reports and cash moved without a receipt.

Source: [SHTRIH] 6 (40h, 41h, 50h, 51h, E0h), 7, 11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import documents, paper
from rig.fn import SHIFT_CLOSE, SHIFT_OPEN, Document, FnRefused
from rig.paper import rubles
from rig.shtrih_requests import Request, date_time, le
from rig.shtrih_settings import REGION
from rig.till import Refused, Till

Handler = Callable[[Till, Request], bytes]

SHIFT_MONEY: Final = (*range(121, 241), 242, 243, *range(249, 253), *range(4144, 4192))
SHIFT_OPERATIONS: Final = (*range(72, 148), 153, 154, *range(179, 183))


def open_shift(till: Till, request: Request) -> bytes:
    """E0h: FD and printed report."""
    document = open_shift_document(till, request.operator)
    till.print_document(paper.report(till.settings, document, till.fn.fn_number))
    return b""


def fn_open_shift(till: Till, request: Request) -> bytes:
    """FF0Bh: the same without paper.  Answer: shift, FD, FP."""
    return _numbers(till, open_shift_document(till, request.operator))


def begin_open_shift(till: Till, _request: Request) -> bytes:
    till.fn.begin(SHIFT_OPEN)
    return b""


def begin_close_shift(till: Till, _request: Request) -> bytes:
    till.fn.begin(SHIFT_CLOSE)
    return b""


def z_report(till: Till, request: Request) -> bytes:
    """41h: closes the shift and prints."""
    lines = _totals(till)
    document = _close_shift(till, request.operator)
    report = paper.report(till.settings, document, till.fn.fn_number)
    till.print_document([*report, *lines])
    return b""


def fn_close_shift(till: Till, request: Request) -> bytes:
    """FF43h."""
    return _numbers(till, _close_shift(till, request.operator))


def x_report(till: Till, _request: Request) -> bytes:
    """40h: prints, changes nothing but its own number."""
    till.state.operations[158] += 1
    count_document(till)
    number = till.state.operations[158]
    till.print_document([f"X-ОТЧЕТ N {number}", f"СМЕНА {till.fn.shift_number}", *_totals(till)])
    return b""


def cash_in(till: Till, request: Request) -> bytes:
    return _move_cash(till, request.number(5, 5), 1)


def cash_out(till: Till, request: Request) -> bytes:
    amount = request.number(5, 5)
    if amount > till.state.money[241]:
        raise Refused(till.options.cash_out_short)
    return _move_cash(till, amount, -1)


def open_shift_document(till: Till, operator: int) -> Document:
    """Sign the opening report and clear the shift's registers."""
    now = till.now()
    if till.fn.begun not in (None, SHIFT_OPEN):
        raise FnRefused(0x02)
    sent = list(till.fn.begun_tags)
    document = till.fn.sign(
        SHIFT_OPEN,
        now,
        lambda numbers: documents.shift_open(till.settings, now, numbers, operator, sent),
    )
    _clear(till)
    count_document(till)
    return document


def count_document(till: Till) -> int:
    """Advance the through number (0..9999) and the registers that show it."""
    state = till.state
    total = (state.operations[185] | state.operations[186] << 16) + 1
    state.operations[185], state.operations[186] = total & 0xFFFF, total >> 16 & 0xFFFF
    state.through = total % 10_000
    state.operations[152] = state.through
    return state.through


def _close_shift(till: Till, operator: int) -> Document:
    now = till.now()
    if till.fn.begun not in (None, SHIFT_CLOSE):
        raise FnRefused(0x02)
    document = till.fn.sign(
        SHIFT_CLOSE,
        now,
        lambda numbers: documents.shift_close(till.settings, now, till.fn, numbers, operator),
    )
    _clear(till)
    if till.settings.number(1, 1, 2):
        till.state.money[241] = 0
    till.state.last_receipt = []
    count_document(till)
    return document


def _clear(till: Till) -> None:
    for number in SHIFT_MONEY:
        till.state.money.pop(number, None)
    for number in SHIFT_OPERATIONS:
        till.state.operations.pop(number, None)


def _move_cash(till: Till, amount: int, way: int) -> bytes:
    """50h and 51h.  No fiscal document; answer: through document number."""
    money, operations = till.state.money, till.state.operations
    money[241] += way * amount
    money[242 if way > 0 else 243] += amount
    operations[153 if way > 0 else 154] += 1
    operations[155 if way > 0 else 156] += 1
    number = count_document(till)
    till.print_document(["ВНЕСЕНИЕ" if way > 0 else "ВЫПЛАТА", f"СУММА = {rubles(amount)}"])
    return le(number, 2)


def _totals(till: Till) -> list[str]:
    money, operations = till.state.money, till.state.operations
    kinds = ("ПРИХОД", "РАСХОД", "ВОЗВРАТ ПРИХОДА", "ВОЗВРАТ РАСХОДА")
    lines = []
    for kind, name in enumerate(kinds):
        extra = sum(money[4144 + kind + 4 * index] for index in range(12))
        total = sum(money[193 + 4 * index + kind] for index in range(4)) + extra
        lines.append(f"{name}: ЧЕКОВ {operations[144 + kind]} СУММА {rubles(total)}")
    cash = money[241]
    return [*lines, f"НАЛИЧНЫЕ В КАССЕ {'-' if cash < 0 else ''}{rubles(abs(cash))}"]


def _numbers(till: Till, document: Document) -> bytes:
    extended = till.settings.number(REGION, 1, 36)
    answer = le(document.shift, 2) + le(document.fd, 4) + le(document.fp, 4)
    return answer + (date_time(document.made_at) if extended else b"")


HANDLERS: Final[Mapping[str, Handler]] = {
    "open_shift": open_shift,
    "fn_open_shift": fn_open_shift,
    "begin_open_shift": begin_open_shift,
    "begin_close_shift": begin_close_shift,
    "z_report": z_report,
    "fn_close_shift": fn_close_shift,
    "x_report": x_report,
    "cash_in": cash_in,
    "cash_out": cash_out,
}
