"""The receipts that are not in the FN yet: what the status page lists, ids and states alone."""

from __future__ import annotations

from typing import Final

from kktd.store.connection import Db

LIMIT: Final = 20


def find(db: Db, limit: int = LIMIT) -> tuple[tuple[str, str], ...]:
    """(id, state), doubt first, then the oldest; `held` is a state here.  Takes a reader."""
    rows = db.execute(
        """SELECT id, CASE WHEN held = 1 THEN 'held' ELSE print_state END FROM receipts
           WHERE unfinished = 1 AND print_state IN ('accepted', 'printing', 'in_doubt')
           ORDER BY print_state != 'in_doubt', hlc_local_time, hlc_logical_counter LIMIT ?""",
        (limit,),
    )
    return tuple((str(receipt_id), str(state)) for receipt_id, state in rows)
