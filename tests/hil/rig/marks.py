"""The FN's table of marking codes, RAM only, and what is said of a code.  Source: [SHTRIH] 7.4.

[FFD] 5: tag 2100 (kinds), 2106 (results).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

CODES_MAX: Final = 128
SEPARATOR: Final = b"\x1d"

# tag 2100
SHORT, CRYPTO_88, CRYPTO_44, CRYPTO_4 = 1, 2, 4, 5
CRYPTO_PARTS: Final[Mapping[tuple[bytes, int], int]] = {
    (b"92", 88): CRYPTO_88,
    (b"92", 44): CRYPTO_44,
    (b"93", 4): CRYPTO_4,
}
KEY_IN_FN: Final = {CRYPTO_88, CRYPTO_44}

# tags 2004 and 2106
CHECKED, POSITIVE, ASKED, AS_PLANNED, AUTONOMOUS = 1, 2, 4, 8, 16

# What ОИСМ says; the first is said without a fault.
GOOD, FORGED, WITHDRAWN, STOPPED, AWAY, GARBLED, ALONE = (
    "good",
    "forged",
    "withdrawn",
    "stopped",
    "away",
    "garbled",
    "autonomous",
)
SAYINGS: Final = frozenset({GOOD, FORGED, WITHDRAWN, STOPPED, AWAY, GARBLED, ALONE})


@dataclass(frozen=True, slots=True)
class Check:
    """One answer about a code: what the FN found by its key, and what stands in tag 2106."""

    kind: int
    local: int
    says: str

    @property
    def result(self) -> int:
        if self.says == GOOD:
            return CHECKED | POSITIVE | ASKED | AS_PLANNED
        if self.says == FORGED:
            return CHECKED | ASKED  # as a real one said it: FF61h in the traces
        if self.says in (WITHDRAWN, STOPPED):
            return CHECKED | POSITIVE | ASKED
        return self.local | (AUTONOMOUS if self.says == ALONE else 0)


@dataclass(slots=True)
class Marks:
    """Codes the host has had checked, and how many notifications wait."""

    checked: dict[bytes, Check] = field(default_factory=dict)  # accepted
    asked: tuple[bytes, Check] | None = None  # neither accepted nor rejected yet
    bound: list[bytes] = field(default_factory=list)  # in the open receipt
    notifications: int = 0

    def clear(self) -> None:
        self.checked.clear()
        self.bound.clear()
        self.asked = None

    def sold(self) -> None:
        """The receipt is closed: one notification for all its codes."""
        self.notifications += 1 if self.bound else 0
        self.clear()


def kind_of(code: bytes) -> int:
    """Tag 2100, by the crypto part."""
    for part in code.split(SEPARATOR)[1:]:
        kind = CRYPTO_PARTS.get((part[:2], len(part) - 2))
        if kind is not None:
            return kind
    return SHORT


def check_code(code: bytes, says: str) -> Check:
    """The FN can check the codes whose key it holds; of the others only ОИСМ knows."""
    kind = kind_of(code)
    local = 0
    if kind in KEY_IN_FN:
        local = CHECKED if says == FORGED else CHECKED | POSITIVE
    return Check(kind, local, says)
