"""How much cash may still leave the drawer; asked in the transaction that lets it leave.

A printer has one drawer: its tills share it, whoever took the money (docs/decisions, 011).
"""

from __future__ import annotations

from collections.abc import Collection

from kktd.errors import NotEnoughCash, ShiftClosed
from kktd.model.money import rubles
from kktd.store import operations, refunds, sessions
from kktd.store.connection import Db

Tills = Collection[str]
"""The pos_ids of one printer."""


def free_cash(db: Db, tills: Tills) -> int:
    """Kopecks of the open shift that no refund and no cash-out under way will take."""
    held = sessions.sum_drawer(db, tills) or 0
    leaving = operations.sum_cash_leaving(db, tills)
    return held - refunds.sum_cash_on_the_way(db, tills) - leaving


def check_cash_out(db: Db, tills: Tills, amount: int, *, shift_open: bool) -> None:
    """Raises ShiftClosed or NotEnoughCash.  `shift_open`: the printer is known to have one."""
    if sessions.sum_drawer(db, tills) is None and not shift_open:
        raise ShiftClosed("no shift is open")
    free = free_cash(db, tills)
    if amount > free:
        raise NotEnoughCash(wanted=rubles(amount), available=rubles(max(free, 0)))
