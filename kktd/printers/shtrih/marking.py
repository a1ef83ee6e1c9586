"""Marking codes of one receipt: checked before it is begun, bound to their lines in it.

Nothing of it is registered: a code is the FN's to remember only while its receipt is made, and what
a receipt that was never made has left there is forgotten before the next document.
Source: [SHTRIH] 7 (FF61h, FF67h, FF69h), 7.4; [FFD] 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kktd.clock import Deadline
from kktd.errors import Refused
from kktd.model.marking import MarkCheck, MarkVerdict, judge
from kktd.model.receipt import Line, Measure, Sign
from kktd.printers.shtrih import answers, payload, tlv
from kktd.printers.shtrih.answers import DeviceRefused
from kktd.printers.shtrih.commands import CHECK_MARK, DECIDE_MARK
from kktd.printers.shtrih.session import Session

TAG_QUANTITY: Final = 1023
TAG_MEASURE: Final = 2108
REJECT, ACCEPT, FORGET = b"\0", b"\1", b"\2"  # [SHTRIH] FF69h

# [FFD] 5, tag 2003: what the code's goods will be; whole and measured
SOLD: Final = (1, 2)
RETURNED: Final = (3, 4)

FORBIDDEN: Final = {
    MarkVerdict.FORGED: ("marking_forged", "код маркировки не прошёл проверку"),
    MarkVerdict.WITHDRAWN: ("marking_withdrawn", "с этим кодом маркировки товар не продать"),
    MarkVerdict.UNCHECKED: ("marking_unchecked", "код маркировки некому проверить"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One code to check: `index` and `name` of its line, parameters of FF61h."""

    index: int
    name: str
    question: bytes


def mark_of(index: int, line: Line, sign: Sign) -> Mark:
    """Raises ValueError for a line without a code, or a code no command takes."""
    planned = SOLD if sign in (Sign.SALE, Sign.BUY_REFUND) else RETURNED
    measured = line.measure is not Measure.PIECE
    tags = b""
    if measured:
        quantity = tlv.fvln(TAG_QUANTITY, line.quantity)
        tags = tlv.byte(TAG_MEASURE, line.measure).encoded() + quantity.encoded()
    code = payload.mark_code(line.mark_code or "")
    return Mark(index, line.name, payload.check_mark(planned[measured], code, tags))


class Marking:
    """Of one till.  Raises what `Session.call` raises, and Refused for what may not be sold."""

    def __init__(self, session: Session, *, offered: bool, sells_unchecked: bool) -> None:
        self._session = session
        self._sells_unchecked = sells_unchecked
        self._may_hold_codes = offered  # whoever was here before may have left some

    def forget(self, by: Deadline) -> None:
        """Empty the FN's table of checked codes, unless it surely is."""
        if not self._may_hold_codes:
            return
        with suppress(DeviceRefused):  # [SHTRIH] 7: not every model; an old entry binds nothing
            self._session.call(DECIDE_MARK, by, FORGET)
        self._may_hold_codes = False

    def check(self, marks: Iterable[Mark], by: Deadline) -> tuple[MarkCheck, ...]:
        """Each code asked about and accepted; at the first that may not be sold nothing is."""
        return tuple(self._check(mark, by) for mark in marks)

    def check_bound(self, mark: Mark, answer: bytes) -> None:
        """FF67h: a code the FN had forgotten (its power went) is checked once more there."""
        result = answers.bound_mark(answer)
        if result is not None:
            self._allow(mark, result)

    def _check(self, mark: Mark, by: Deadline) -> MarkCheck:
        self._may_hold_codes = True
        first = answers.checked_mark(self._session.call(CHECK_MARK, by, mark.question))
        if judge(first) in (MarkVerdict.FORGED, MarkVerdict.WITHDRAWN):
            self._session.call(DECIDE_MARK, by, REJECT)
            self._allow(mark, first)
        # The two bytes of FF61h that matter stand in either order, by the source; FF69h is sure.
        result = answers.decided_mark(self._session.call(DECIDE_MARK, by, ACCEPT))
        self._allow(mark, result)
        return MarkCheck(mark.index, result)

    def _allow(self, mark: Mark, result: int) -> None:
        verdict = judge(result)
        if verdict is MarkVerdict.GOOD or (
            verdict is MarkVerdict.UNCHECKED and self._sells_unchecked
        ):
            return
        remedy, text = FORBIDDEN[verdict]
        raise Refused(
            f"{mark.name}: {text}",
            device_code=None,
            remedy=remedy,
            field=f"items[{mark.index}].mark_code",
            marking=MarkCheck(mark.index, result).as_json(),
        )
