"""Marking codes: check, accept, bind to an item.  Source: [SHTRIH] 7, 7.4.

ОИСМ knows every code and finds its status as planned, unless the fault `marking` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import marks, tlv
from rig.marks import CODES_MAX, SEPARATOR, Check, Marks
from rig.shtrih_requests import Request, date_time, le
from rig.till import Refused, Till
from rig.till_state import Item, Receipt

Handler = Callable[[Till, Request], bytes]

CODE_AT: Final = 10  # in FF61
PLANNED: Final = {1, 2, 3, 4, 255}  # tag 2003
REASON_CHECKED, REASON_KIND = 0, 1
ANSWERED, BAD_ANSWER, TIMED_OUT = 0x00, 0x20, 0xFF  # the FN of the check by ОИСМ
BAD_CRC: Final = 5  # after BAD_ANSWER
STATUS_SAID: Final[Mapping[str, int]] = {marks.GOOD: 1, marks.WITHDRAWN: 2, marks.STOPPED: 3}
# FF67h: 0 КМ88, 1 symmetric, 2 tobacco, 3 КМ44
BOUND_KIND: Final[Mapping[int, int]] = {
    marks.CRYPTO_88: 0,
    marks.CRYPTO_4: 1,
    marks.SHORT: 2,
    marks.CRYPTO_44: 3,
}
WRONG_SEQUENCE, TABLE_FULL, NOT_CHECKED = 0xA1, 0xA3, 0xA5
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
    check = _check(till, code)
    till.marks.asked = code, check
    reason = REASON_CHECKED if check.kind in marks.KEY_IN_FN else REASON_KIND
    return bytes([check.local, reason, check.kind]) + _online(till, check)


def decide_mark(till: Till, request: Request) -> bytes:
    """FF69h: 0 rejects, 1 accepts the code checked last; 2 empties the table."""
    decision = request.number(6, 1)
    if decision == CLEAR:
        till.marks.clear()
        return b"\0"
    if decision not in (REJECT, ACCEPT):
        raise Refused(0x33)
    if till.marks.asked is None:
        raise Refused(WRONG_SEQUENCE)
    code, check = till.marks.asked
    if decision == ACCEPT:
        till.marks.checked[code] = check
    till.marks.asked = None
    return bytes([check.result])


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
    known = till.marks.checked.get(code)
    check = known or _check(till, code)
    short = code.split(SEPARATOR)[0]
    item = receipt.items[-1]
    item.tags = [tag for tag in item.tags if tag.tag not in (1163, 2106)]
    item.tags.append(tlv.nested(1163, [tlv.Tlv(GS1_SHORT, short)]))
    item.tags.append(tlv.number(2106, check.result, 1))
    till.marks.bound.append(code)
    head = short[:2].ljust(2, b"\0") + bytes([BOUND_KIND[check.kind]])
    return head if known else head + _online(till, check)


def require_checked(till: Till, receipt: Receipt) -> None:
    """A receipt that outlived a power cut has codes the FN knows nothing of any more."""
    if sum(map(_is_marked, receipt.items)) > len(till.marks.bound):
        raise Refused(NOT_CHECKED)


def _is_marked(item: Item) -> bool:
    code = tlv.find(item.tags, 1163)
    return code is not None and tlv.find(tlv.decode_all(code.value), GS1_SHORT) is not None


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


def _check(till: Till, code: bytes) -> Check:
    fault = till.faults.take(
        "printer",
        "marking",
        applies=lambda fault: str(fault.settings.get("match", "")).encode() in code,
    )
    return marks.check_code(code, marks.GOOD if fault is None else str(fault.settings["says"]))


def _online(till: Till, check: Check) -> bytes:
    """What ОИСМ said: length, the FN's answer to the check, tag 2106 and the server's own tags."""
    if check.says == marks.ALONE:
        return b"\0"
    if check.says == marks.AWAY:
        part = bytes([TIMED_OUT, check.result])
    elif check.says == marks.GARBLED:
        part = bytes([BAD_ANSWER, BAD_CRC, check.result])
    else:
        told = [tlv.moment(2114, till.now()), tlv.number(2105, 0, 1)]
        if check.says in STATUS_SAID:
            told.append(tlv.number(2109, STATUS_SAID[check.says], 1))
        told.append(tlv.number(2005, check.result, 1))
        part = bytes([ANSWERED, check.result]) + tlv.encode_all(told)
    return bytes([len(part)]) + part


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
