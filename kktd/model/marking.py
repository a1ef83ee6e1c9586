"""What the FN and the state's register of marked goods (ОИСМ) say of a code: tag 2106.

Source: [FFD] 5, [SHTRIH] 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CHECKED: Final = 1 << 0  # by its own key, in the FN
GENUINE: Final = 1 << 1
ASKED: Final = 1 << 2  # ОИСМ was asked for its status
AS_PLANNED: Final = 1 << 3
PROVEN: Final = CHECKED | GENUINE | ASKED | AS_PLANNED


class MarkVerdict(StrEnum):
    """What a code is worth; only the first two may be sold."""

    GOOD = "good"  # genuine, and its status allows what is done with it
    UNCHECKED = "unchecked"  # nothing against it, and somebody could not be asked
    FORGED = "forged"  # its own check failed
    WITHDRAWN = "withdrawn"  # sold already, never brought into turnover, or stopped


@dataclass(frozen=True, slots=True)
class MarkCheck:
    """The result for the code of one line; `line` counts the receipt's lines from 0."""

    line: int
    result: int  # tag 2106

    @property
    def verdict(self) -> MarkVerdict:
        return judge(self.result)

    def as_json(self) -> dict[str, object]:
        """`marking[]` of the API."""
        return {"item": self.line, "result": self.result, "verdict": self.verdict}


def judge(result: int) -> MarkVerdict:
    """Tag 2106 in a word.  A bit that says "asked" without its "yes" is a no."""
    if result & CHECKED and not result & GENUINE:
        return MarkVerdict.FORGED
    if result & ASKED and not result & AS_PLANNED:
        return MarkVerdict.WITHDRAWN
    return MarkVerdict.GOOD if result & PROVEN == PROVEN else MarkVerdict.UNCHECKED
