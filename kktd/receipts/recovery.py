"""Before the API opens: what was under way when the daemon stopped is named, nothing is asked yet.

Milliseconds, no device: `printing` becomes `in_doubt`; the lane settles it later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.model.money import rubles
from kktd.model.receipt import PaymentMethod
from kktd.store import buffer, devices, journal, lanes, leases, operations, receipts, sessions
from kktd.store.connection import Db
from kktd.store.store import Store


@dataclass(frozen=True, slots=True)
class Recovered:
    """For the log, the metrics and the first status line."""

    in_doubt: int
    queued: int
    sessions: tuple[str, ...]  # pos_id of every shift found open
    mismatched: tuple[str, ...] = ()  # and of those whose sums are not those of their movements


def recover(store: Store, clock: Clock, printer_of: Mapping[str, str]) -> Recovered:
    """Bring every row into a state that is true after a stop, and check the drawer (§5.4.1).

    `printer_of` names the printer of each till, as the settings have it now.
    """
    now_s = int(clock.wall_s())

    def work(db: Db) -> Recovered:
        doubtful = receipts.recover(db)
        for receipt_id in doubtful:
            journal.append(db, Event.KKT_IN_DOUBT, now_s * 1000, receipt_id=receipt_id)
            log.event(Event.KKT_IN_DOUBT, receipt_id=receipt_id, error="stopped while printing")
        lost = operations.recover(db)
        leases.free_all(db)  # the file lock is ours: whoever held one is dead
        lanes.rehome(db, printer_of)
        devices.forget_others(db, printer_of.values())
        agrees = {pos_id: _restore_session(db, pos_id, now_s) for pos_id in printer_of}
        return Recovered(
            len(doubtful) + len(lost),
            buffer.count_queued(db),
            tuple(pos_id for pos_id, found in agrees.items() if found is not None),
            tuple(pos_id for pos_id, found in agrees.items() if found is False),
        )

    return store.write(work)


def _restore_session(db: Db, pos_id: str, now_s: int) -> bool | None:
    """Whether its sums agree with its movements; None when no shift was open."""
    session = sessions.find_open(db, pos_id)
    if session is None:
        log.event(Event.SESSION_MISSING, pos_id=pos_id)
        return None
    unsynced = sessions.count_unsynced_transactions(db, pos_id)
    log.event(
        Event.SESSION_RESTORED,
        pos_id=pos_id,
        session_id=session.session_id,
        cash_balance=rubles(session.balances[PaymentMethod.CASH]),
        card_balance=rubles(session.balances[PaymentMethod.CARD]),
        opened_at=session.opened_at_s,
        unsynced_transactions=unsynced,
    )
    different = sessions.find_differences(db, session.session_id)
    if different:
        facts = {method: [rubles(a), rubles(b)] for method, (a, b) in different.items()}
        log.event(Event.BALANCE_MISMATCH, pos_id=pos_id, level="ERROR", facts=facts)
        journal.append(db, Event.BALANCE_MISMATCH, now_s * 1000, pos_id=pos_id, facts=facts)
    else:
        sessions.note_reconciled(db, session.session_id, now_s)
        log.event(Event.SESSION_RECONCILED, pos_id=pos_id)
    return not different
