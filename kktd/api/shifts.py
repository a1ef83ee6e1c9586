"""A shift as the till's own rows tell it: what is in the drawer."""

from __future__ import annotations

from kktd.api.call import Call
from kktd.api.times import iso
from kktd.errors import UnknownPos
from kktd.model.money import rubles
from kktd.receipts.answers import Answer
from kktd.store import sessions
from kktd.store.connection import Db


async def session(call: Call) -> Answer:
    """GET /v1/kkt/session/{pos_id}: the open shift, else the last one."""
    pos_id = str(call.request.path_params["pos_id"])
    if pos_id not in call.till.settings().till.pos_ids:
        raise UnknownPos("this till does not serve that pos_id", pos_id=pos_id[:64])

    def query(db: Db) -> Answer:
        found = sessions.find_last(db, pos_id)
        return Answer(
            200,
            {
                "session_id": found.session_id,
                "pos_id": found.pos_id,
                "status": "open" if found.closed_at_s is None else "closed",
                "fn": found.fn,
                "shift_number": found.shift_number,
                "opened_at": iso(found.opened_at_s),
                "closed_at": iso(found.closed_at_s),
                "balances": {
                    method.value: rubles(amount) for method, amount in found.balances.items()
                },
                "total_sales": rubles(found.sales_total),
                "total_refunds": rubles(found.refunds_total),
                "unsynced_transactions": sessions.count_unsynced_transactions(db, pos_id),
                "last_reconciled": iso(found.last_reconciled_s),
            },
        )

    return await call.read(lambda: call.till.store.read(query))
