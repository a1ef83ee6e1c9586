"""Device operations that are not receipts, each with its intent where a doubt needs one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from kktd.errors import NotFound, StaleState
from kktd.model.cash import CashCounters
from kktd.model.device import FIRST_PRINTER, Cell
from kktd.model.money import Kopecks
from kktd.model.receipt import Cashier
from kktd.model.states import OPERATION, OperationState, Step
from kktd.store.connection import Db
from kktd.store.receipts import Intent


class OperationKind(StrEnum):
    SHIFT_OPEN = "shift_open"
    Z_REPORT = "z_report"
    CASH_IN = "cash_in"
    CASH_OUT = "cash_out"
    X_REPORT = "x_report"
    DRAWER = "drawer"
    SET_CLOCK = "set_clock"
    WRITE_TABLE = "write_table"


# Of the device alone: no money moves and no totals are printed.
DEVICE_KINDS: Final = frozenset(
    {OperationKind.DRAWER, OperationKind.SET_CLOCK, OperationKind.WRITE_TABLE}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.  `amount` in kopecks and `reason` belong to cash movements.

    `utc_offset_s` of the shop belongs to setting the clock; `cell` and `value` to writing a table.
    """

    kind: OperationKind
    cashier: Cashier | None = None
    amount: Kopecks | None = None
    reason: str | None = None
    utc_offset_s: int | None = None
    cell: Cell | None = None
    value: str | None = None
    user: str | None = None  # whose wish it is, where no cashier stands for it


@dataclass(frozen=True, slots=True)
class Operation:
    """One row; `result` is the report, or why it was refused."""

    id: str
    pos_id: str
    request: Request
    state: OperationState
    result: dict[str, Any] | None
    created_at_s: int
    printer: str = FIRST_PRINTER

    @property
    def kind(self) -> OperationKind:
        return self.request.kind


_COLUMNS: Final = "id, pos_id, kind, amount, request, state, result, created_at, printer"


def accept(
    db: Db,
    operation_id: str,
    pos_id: str,
    asked: Request,
    now_s: int,
    printer: str = FIRST_PRINTER,
) -> None:
    """Put it on disk; the lane of `printer` runs it."""
    cashier = asked.cashier and {"name": asked.cashier.name, "inn": asked.cashier.inn}
    service = {
        "utc_offset_s": asked.utc_offset_s,
        "cell": asked.cell and asdict(asked.cell),
        "value": asked.value,
        "user": asked.user,
    }
    known = {name: value for name, value in service.items() if value is not None}
    request = json.dumps({"cashier": cashier, "reason": asked.reason, **known}, ensure_ascii=False)
    db.execute(
        """INSERT INTO operations (id, pos_id, printer, kind, amount, request, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (operation_id, pos_id, printer, asked.kind, asked.amount, request, now_s),
    )


def find(db: Db, operation_id: str) -> Operation:
    """Raises NotFound."""
    for row in db.execute(f"SELECT {_COLUMNS} FROM operations WHERE id = ?", (operation_id,)):
        return _from_row(row)
    raise NotFound("no such operation", operation_id=operation_id)


def find_open(db: Db, printer: str = FIRST_PRINTER) -> list[Operation]:
    """Not finished yet at this printer, oldest first."""
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM operations
            WHERE state IN ('accepted', 'sent', 'in_doubt') AND printer = ?
            ORDER BY created_at, rowid""",
        (printer,),
    )
    return [_from_row(row) for row in rows]


def begin(
    db: Db, operation_id: str, intent: Intent, now_s: int, counters: CashCounters | None = None
) -> None:
    """Store the intent and move to `sent`; on disk before the device is asked."""
    _move(db, operation_id, Step.SEND, OperationState.ACCEPTED)
    db.execute(
        """INSERT INTO intents
             (operation_id, attempt, serial, fn, last_fd, shift_number, counters, created_at)
           VALUES (?, 1, ?, ?, ?, ?, ?, ?)""",
        (
            operation_id,
            intent.serial,
            intent.fn,
            intent.last_fd,
            intent.shift_number,
            json.dumps(asdict(counters)) if counters else None,
            now_s,
        ),
    )


def find_intent(db: Db, operation_id: str) -> Intent:
    """Raises NotFound."""
    for row in db.execute(
        """SELECT serial, fn, last_fd, shift_number, mark FROM intents
           WHERE operation_id = ? ORDER BY id DESC LIMIT 1""",
        (operation_id,),
    ):
        return Intent(*row)
    raise NotFound("no intent", operation_id=operation_id)


def find_counters(db: Db, operation_id: str) -> CashCounters:
    """As its intent noted them; raises NotFound for what is no cash movement."""
    for (noted,) in db.execute(
        """SELECT counters FROM intents WHERE operation_id = ? AND counters IS NOT NULL
           ORDER BY id DESC LIMIT 1""",
        (operation_id,),
    ):
        return CashCounters(**json.loads(noted))
    raise NotFound("no counters", operation_id=operation_id)


def sum_cash_leaving(db: Db, tills: Iterable[str]) -> int:
    """Kopecks of these tills' cash-outs that are not finished yet."""
    rows = db.execute(
        """SELECT coalesce(sum(amount), 0) FROM operations
           WHERE state IN ('accepted', 'sent', 'in_doubt') AND kind = 'cash_out'
             AND pos_id IN (SELECT value FROM json_each(?))""",
        (json.dumps(list(tills)),),
    )
    return int(rows.get)


def finish(
    db: Db,
    operation_id: str,
    step: Step,
    was: OperationState,
    result: dict[str, Any],
    now_s: int,
) -> None:
    """Done or refused, with its report or its reason."""
    _move(db, operation_id, step, was)
    db.execute(
        "UPDATE operations SET result = ?2, finished_at = ?3 WHERE id = ?1",
        (operation_id, json.dumps(result, ensure_ascii=False), now_s),
    )


def lose(db: Db, operation_id: str) -> None:
    """Sent, unanswered."""
    _move(db, operation_id, Step.LOSE, OperationState.SENT)


def recover(db: Db) -> list[str]:
    """After a stop: `sent` is in doubt.  Returns the doubtful ids."""
    ids = [row[0] for row in db.execute("SELECT id FROM operations WHERE state = 'sent'")]
    for operation_id in ids:
        lose(db, operation_id)
    return ids


def _move(db: Db, operation_id: str, step: Step, was: OperationState) -> None:
    db.execute(
        "UPDATE operations SET state = ?3 WHERE id = ?1 AND state = ?2",
        (operation_id, was, OPERATION[was, step]),
    )
    if db.changes() != 1:
        raise StaleState("the operation moved meanwhile", operation_id=operation_id, was=was)


def _from_row(row: tuple[Any, ...]) -> Operation:
    asked = json.loads(row[4])
    cashier = Cashier(**asked["cashier"]) if asked["cashier"] else None
    cell = Cell(**asked["cell"]) if asked.get("cell") else None
    offset_s, value = asked.get("utc_offset_s"), asked.get("value")
    return Operation(
        id=row[0],
        pos_id=row[1],
        request=Request(
            OperationKind(row[2]),
            cashier,
            row[3],
            asked["reason"],
            offset_s,
            cell,
            value,
            asked.get("user"),
        ),
        state=OperationState(row[5]),
        result=json.loads(row[6]) if row[6] else None,
        created_at_s=row[7],
        printer=row[8],
    )
