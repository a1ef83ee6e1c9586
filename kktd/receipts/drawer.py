"""How much cash may still leave the drawer; asked in the transaction that lets it leave."""

from __future__ import annotations

from kktd.errors import NotEnoughCash, ShiftClosed
from kktd.model.money import rubles
from kktd.model.receipt import PaymentMethod
from kktd.store import operations, refunds, sessions
from kktd.store.connection import Db


def free_cash(db: Db, pos_id: str) -> int:
    """Kopecks of the open shift that no refund and no cash-out under way will take."""
    session = sessions.find_open(db, pos_id)
    drawer = session.balances[PaymentMethod.CASH] if session else 0
    leaving = operations.sum_cash_leaving(db, pos_id)
    return drawer - refunds.sum_cash_on_the_way(db, pos_id) - leaving


def check_cash_out(db: Db, pos_id: str, amount: int, *, shift_open: bool) -> None:
    """Raises ShiftClosed or NotEnoughCash.  `shift_open`: the printer is known to have one."""
    if sessions.find_open(db, pos_id) is None and not shift_open:
        raise ShiftClosed("no shift is open")
    free = free_cash(db, pos_id)
    if amount > free:
        raise NotEnoughCash(wanted=rubles(amount), available=rubles(max(free, 0)))
