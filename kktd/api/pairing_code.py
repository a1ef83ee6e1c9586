"""The code of a pairing: short, for ten minutes and five wrong tries of all callers together.

5 of 10^8 to guess it.  It lives in memory alone and stands in no log; a new one replaces the old.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from kktd.errors import Forbidden
from kktd.store.tokens import Role

CODE_DIGITS: Final = 8
LIFE_S: Final = 600
TRIES: Final = 5


@dataclass(slots=True)
class Offer:
    """A code that waits for its front end; what the token will be."""

    code: str = field(repr=False)
    role: Role
    name: str
    ends_s: float  # monotonic
    tries_left: int = TRIES


@dataclass(slots=True)
class Pairing:
    """At most one offer; touched by the API's loop alone."""

    offer: Offer | None = None

    def open(self, role: Role, name: str, now_s: float) -> Offer:
        """A fresh code; the one before is worth nothing from now on."""
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        self.offer = Offer(code, role, name, now_s + LIFE_S)
        return self.offer

    def take(self, code: str, now_s: float) -> Offer:
        """The offer of this code, which is spent by it.  Raises Forbidden, always the same."""
        offer = self.offer
        if offer is not None and now_s < offer.ends_s:
            right = hmac.compare_digest(code.encode(), offer.code.encode())
            offer.tries_left -= not right
            if right or not offer.tries_left:
                self.offer = None
            if right:
                return offer
        raise Forbidden("no such code, or it is over", remedy="pair_again")

    def give_back(self, offer: Offer) -> None:
        """Its token could not be stored; a newer code stays."""
        self.offer = self.offer or offer
