"""The FN's table of marking codes, RAM only.  Source: [SHTRIH] 7.4."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CODES_MAX: Final = 128
POSITIVE: Final = 0x0F  # tag 2106: checked and good, by the FN and by ОИСМ, status as planned
UNCHECKED: Final = 0x00
SEPARATOR: Final = b"\x1d"
CRYPTO_PARTS: Final = (b"91", b"92", b"93")  # a code without any cannot be checked


@dataclass(slots=True)
class Marks:
    """Codes the host has had checked, and how many notifications wait."""

    checked: dict[bytes, int] = field(default_factory=dict)  # accepted codes and their 2106
    asked: bytes | None = None  # checked, and neither accepted nor rejected yet
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


def is_checkable(code: bytes) -> bool:
    return any(part.startswith(CRYPTO_PARTS) for part in code.split(SEPARATOR)[1:])


def result_of(code: bytes) -> int:
    return POSITIVE if is_checkable(code) else UNCHECKED
