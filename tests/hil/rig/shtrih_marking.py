"""Marking codes: check, accept, bind to an item.  Source: [SHTRIH] 7, 7.4.

The ОИСМ always knows the code and finds its status as planned; a code without a crypto part
cannot be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import tlv
from rig.marks import CODES_MAX, SEPARATOR, Marks, is_checkable, result_of
from rig.shtrih_requests import Request, date_time, le
from rig.till import Refused, Till

Handler = Callable[[Till, Request], bytes]

CODE_AT: Final = 10  # in FF61
PLANNED: Final = {1, 2, 3, 4, 255}  # tag 2003
POSITIVE_LOCALLY, NOT_CHECKED = 3, 0  # tag 2004
REASON_CHECKED, REASON_FORMAT = 0, 3
TYPE_GS1: Final = 3  # tag 2100; КМ44 in FF67
ONLINE_DONE: Final = 0
WRONG_SEQUENCE, TABLE_FULL = 0xA1, 0xA3
REJECT, ACCEPT, CLEAR = 0, 1, 2
ALL_ALLOWED: Final = 0xFF
GS1_SHORT: Final = 1305  # inside 1163: the code without its crypto part


def check_mark(till: Till, request: Request) -> bytes:
    """FF61h; the verdict is kept when FF69h accepts it."""
    size, extra = request.number(8, 1), request.number(9, 1)
    code = request.rest(CODE_AT)[:size]
    if request.number(6, 1) not in PLANNED or not code:
        raise Refused(0x33)
    if len(request.payload) != CODE_AT + size + extra:
        raise Refused(0x33)
    try:
        tlv.decode_all(request.rest(CODE_AT + size))
    except tlv.BadTlv:
        raise Refused(0x33) from None
    if len(till.marks.checked) >= CODES_MAX:
        raise Refused(TABLE_FULL)
    till.marks.asked = code
    good = is_checkable(code)
    return bytes(
        [
            POSITIVE_LOCALLY if good else NOT_CHECKED,
            REASON_CHECKED if good else REASON_FORMAT,
            TYPE_GS1,
            *_online(code),
        ]
    )


def decide_mark(till: Till, request: Request) -> bytes:
    """FF69h: 0 rejects, 1 accepts the code checked last; 2 empties the table."""
    decision, marks = request.number(6, 1), till.marks
    if decision == CLEAR:
        marks.clear()
        return b"\0"
    if decision not in (REJECT, ACCEPT):
        raise Refused(0x33)
    if marks.asked is None:
        raise Refused(WRONG_SEQUENCE)
    result = result_of(marks.asked)
    if decision == ACCEPT:
        marks.checked[marks.asked] = result
    marks.asked = None
    return bytes([result])


def bind_mark(till: Till, request: Request) -> bytes:
    """FF67h: the code of the last item; one not checked before is checked now."""
    code = request.rest(7)[: request.number(6, 1)]
    receipt = till.state.receipt
    if receipt is None or not receipt.items:
        raise Refused(0x02)
    if not code or len(code) != request.number(6, 1):
        raise Refused(0x33)
    if len(till.marks.bound) >= CODES_MAX:
        raise Refused(TABLE_FULL)
    known = code in till.marks.checked
    short = code.split(SEPARATOR)[0]
    item = receipt.items[-1]
    item.tags = [tag for tag in item.tags if tag.tag not in (1163, 2106)]
    item.tags.append(tlv.nested(1163, [tlv.Tlv(GS1_SHORT, short)]))
    item.tags.append(tlv.number(2106, result_of(code), 1))
    till.marks.bound.append(code)
    head = short[:2].ljust(2, b"\0") + bytes([TYPE_GS1])
    return head if known else head + bytes(_online(code))


def marking_status(till: Till, _request: Request) -> bytes:
    """FF70h."""
    marks = till.marks
    state = 4 if marks.asked is not None else 1
    return bytes(
        [state, 1 if marks.bound else 0, ALL_ALLOWED, len(marks.checked), len(marks.bound), 0]
    ) + le(marks.notifications, 2)


def notification_status(till: Till, _request: Request) -> bytes:
    """FF68h: notifications wait until somebody takes them; nobody does here."""
    count = till.marks.notifications
    made_at = till.fn.documents[-1].made_at
    return (
        b"\0"
        + le(count, 2)
        + le(1 if count else 0, 4)
        + (date_time(made_at) if count else bytes(5))
        + b"\0"
    )


def _online(code: bytes) -> list[int]:
    """Length, the FN's answer to the check and tag 2106."""
    return [2, ONLINE_DONE, result_of(code)]


def forget(marks: Marks) -> None:
    """The receipt is gone: its codes may be bound again."""
    marks.bound.clear()


HANDLERS: Final[Mapping[str, Handler]] = {
    "check_mark": check_mark,
    "decide_mark": decide_mark,
    "bind_mark": bind_mark,
    "marking_status": marking_status,
    "notification_status": notification_status,
}
AFTERWARDS: Final[Mapping[str, Callable[[Marks], None]]] = {
    "close_receipt": Marks.sold,
    "close_receipt_old": Marks.sold,
    "cancel_receipt": forget,
    "cancel_document": forget,
}
