"""`pos_sessions` and `cash_transactions`: what is in the drawer, to the kopeck (§5.4.1)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from kktd.errors import NotFound
from kktd.model.receipt import PaymentMethod, Receipt
from kktd.store.connection import Db

METHODS: Final = tuple(PaymentMethod)


@dataclass(frozen=True, slots=True)
class Session:
    """One shift of one till.  Balances in kopecks, by tender."""

    session_id: str
    pos_id: str
    fn: str
    shift_number: int
    opened_at_s: int
    closed_at_s: int | None
    balances: dict[PaymentMethod, int]
    sales_total: int
    refunds_total: int
    last_reconciled_s: int | None
    z_report: dict[str, Any] | None


_COLUMNS: Final = """session_id, pos_id, fn, shift_number, opened_at, closed_at, cash_balance,
  card_balance, prepaid_balance, credit_balance, other_balance, sales_total, refunds_total,
  last_reconciled, z_report_data"""


def open_session(db: Db, pos_id: str, fn: str, shift_number: int, now_s: int) -> str:
    """Begin the row of a shift; returns its id.  The till must have no open one."""
    session_id = str(uuid.uuid4())
    db.execute(
        """INSERT INTO pos_sessions
             (session_id, pos_id, fn, shift_number, opened_at, last_updated)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (session_id, pos_id, fn, shift_number, now_s, now_s),
    )
    return session_id


def find_open(db: Db, pos_id: str) -> Session | None:
    """The till's open shift, or None."""
    for row in db.execute(
        f"SELECT {_COLUMNS} FROM pos_sessions WHERE pos_id = ? AND status != 'closed'", (pos_id,)
    ):
        return _from_row(row)
    return None


def find_last(db: Db, pos_id: str) -> Session:
    """The open shift, else the last closed one; raises NotFound."""
    for row in db.execute(
        f"""SELECT {_COLUMNS} FROM pos_sessions WHERE pos_id = ?
            ORDER BY status = 'closed', opened_at DESC, rowid DESC LIMIT 1""",
        (pos_id,),
    ):
        return _from_row(row)
    raise NotFound("no shift yet", pos_id=pos_id)


def ensure(db: Db, pos_id: str, fn: str, shift_number: int, now_s: int) -> str:
    """The row of this shift, found or begun; another shift still open is closed without a report.

    The printer's shift is the truth: somebody may have closed it at the device.
    """
    for (session_id,) in db.execute(
        "SELECT session_id FROM pos_sessions WHERE pos_id = ? AND fn = ? AND shift_number = ?",
        (pos_id, fn, shift_number),
    ):
        return str(session_id)
    if (stale := find_open(db, pos_id)) is not None:
        close_session(db, stale.session_id, None, now_s)
    close_shift(db, fn, shift_number - 1, None, now_s)  # of the other tills on this printer
    return open_session(db, pos_id, fn, shift_number, now_s)


@dataclass(frozen=True, slots=True)
class ShiftSums:
    """A whole shift of one FN: all tills that share its printer.  Kopecks."""

    cash: int
    card: int
    sales: int
    refunds: int


def sum_shift(db: Db, fn: str, shift_number: int) -> ShiftSums:
    """What our rows say of it."""
    sums = db.execute(
        """SELECT coalesce(sum(cash_balance), 0), coalesce(sum(card_balance), 0),
             coalesce(sum(sales_total), 0), coalesce(sum(refunds_total), 0)
           FROM pos_sessions WHERE fn = ? AND shift_number = ?""",
        (fn, shift_number),
    ).fetchone()
    return ShiftSums(*(sums or (0, 0, 0, 0)))


def sum_drawer(db: Db, tills: Iterable[str]) -> int | None:
    """Cash of the open shift that `tills`, all of one printer, share; None while none is open."""
    rows = db.execute(
        """WITH shift (fn, number) AS (
             SELECT fn, shift_number FROM pos_sessions
             WHERE status != 'closed' AND pos_id IN (SELECT value FROM json_each(?1))
             ORDER BY opened_at DESC, rowid DESC LIMIT 1)
           SELECT sum(cash_balance) FROM pos_sessions, shift
           WHERE status != 'closed' AND pos_sessions.fn = shift.fn AND shift_number = number""",
        (json.dumps(list(tills)),),
    )
    found = rows.get
    return None if found is None else int(str(found))


def close_session(db: Db, session_id: str, report: dict[str, Any] | None, now_s: int) -> None:
    """The Z-report is made (or was found made)."""
    db.execute(
        """UPDATE pos_sessions SET status = 'closed', closed_at = ?2, last_updated = ?2,
             z_report_data = ?3 WHERE session_id = ?1""",
        (session_id, now_s, json.dumps(report, ensure_ascii=False) if report else None),
    )


def close_shift(
    db: Db, fn: str, shift_number: int, report: dict[str, Any] | None, now_s: int
) -> None:
    """The tills of one printer share its shift: all their rows end with it, and with those before.

    `report` belongs to this shift alone; None where it was closed without our doing.
    """
    db.execute(
        """UPDATE pos_sessions SET status = 'closed', closed_at = ?3, last_updated = ?3,
             z_report_data = CASE shift_number WHEN ?2 THEN ?4 END
           WHERE fn = ?1 AND shift_number <= ?2 AND status != 'closed'""",
        (fn, shift_number, now_s, json.dumps(report, ensure_ascii=False) if report else None),
    )


def book_receipt(db: Db, session_id: str, receipt: Receipt, now_s: int) -> None:
    """Add every tender where it belongs: one transaction row and one balance each."""
    refund = receipt.gives_back
    factor = -1 if refund else 1
    for method in METHODS:
        amount = factor * receipt.applied(method)
        if amount == 0:
            continue
        db.execute(
            """INSERT INTO cash_transactions (id, session_id, pos_id, receipt_id,
                 transaction_type, amount, payment_method, timestamp)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                str(uuid.uuid4()),
                session_id,
                receipt.pos_id,
                receipt.id,
                receipt.type,
                amount,
                method,
                now_s,
            ),
        )
        db.execute(
            f"""UPDATE pos_sessions SET {method}_balance = {method}_balance + ?2
                WHERE session_id = ?1""",
            (session_id, amount),
        )
    db.execute(
        """UPDATE pos_sessions SET sales_total = sales_total + ?2,
             refunds_total = refunds_total + ?3, last_updated = ?4 WHERE session_id = ?1""",
        (session_id, 0 if refund else receipt.total, receipt.total if refund else 0, now_s),
    )


def book_cash(
    db: Db, session_id: str, operation_id: str, pos_id: str, kind: str, amount: int, now_s: int
) -> int:
    """Add a cash-in (positive kopecks) or a cash-out (negative); returns the new cash balance."""
    db.execute(
        """INSERT INTO cash_transactions (id, session_id, pos_id, operation_id,
             transaction_type, amount, payment_method, timestamp)
           VALUES (?, ?, ?, ?, ?, ?, 'cash', ?)""",
        (str(uuid.uuid4()), session_id, pos_id, operation_id, kind, amount, now_s),
    )
    balances = db.execute(
        """UPDATE pos_sessions SET cash_balance = cash_balance + ?2, last_updated = ?3
           WHERE session_id = ?1 RETURNING cash_balance""",
        (session_id, amount, now_s),
    )
    return int(balances.get)


def find_differences(db: Db, session_id: str) -> dict[PaymentMethod, tuple[int, int]]:
    """Tenders whose balance is not the sum of its rows: (balance, sum)."""
    session = _find(db, session_id)
    sums = {
        str(method): int(str(amount))
        for method, amount in db.execute(
            """SELECT payment_method, sum(amount) FROM cash_transactions
               WHERE session_id = ? GROUP BY payment_method""",
            (session_id,),
        )
    }
    return {
        method: (session.balances[method], sums.get(method, 0))
        for method in METHODS
        if session.balances[method] != sums.get(method, 0)
    }


def note_reconciled(db: Db, session_id: str, now_s: int) -> None:
    """Every balance was found right."""
    db.execute(
        "UPDATE pos_sessions SET last_reconciled = ?2 WHERE session_id = ?1", (session_id, now_s)
    )


def count_unsynced_transactions(db: Db, pos_id: str) -> int:
    """Tenders Odoo has not seen."""
    rows = db.execute(
        "SELECT count(*) FROM cash_transactions WHERE pos_id = ? AND synced_to_odoo = 0",
        (pos_id,),
    )
    return int(rows.get)


def _find(db: Db, session_id: str) -> Session:
    for row in db.execute(
        f"SELECT {_COLUMNS} FROM pos_sessions WHERE session_id = ?", (session_id,)
    ):
        return _from_row(row)
    raise NotFound("no such session", session_id=session_id)


def _from_row(row: tuple[Any, ...]) -> Session:
    return Session(
        session_id=row[0],
        pos_id=row[1],
        fn=row[2],
        shift_number=row[3],
        opened_at_s=row[4],
        closed_at_s=row[5],
        balances=dict(zip(METHODS, row[6:11], strict=True)),
        sales_total=row[11],
        refunds_total=row[12],
        last_reconciled_s=row[13],
        z_report=json.loads(row[14]) if row[14] else None,
    )
