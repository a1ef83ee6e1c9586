"""Device operations that are not receipts: shift opening and Z-report, each with its intent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kktd.errors import NotFound, StaleState
from kktd.model.receipt import Cashier
from kktd.model.states import OPERATION, OperationState, Step
from kktd.store.connection import Db
from kktd.store.receipts import Intent


class OperationKind(StrEnum):
    SHIFT_OPEN = "shift_open"
    Z_REPORT = "z_report"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row; `result` is the report, or why it was refused."""

    id: str
    pos_id: str
    kind: OperationKind
    state: OperationState
    cashier: Cashier
    result: dict[str, Any] | None


_COLUMNS: Final = "id, pos_id, kind, state, request, result"


def accept(
    db: Db, operation_id: str, pos_id: str, kind: OperationKind, cashier: Cashier, now_s: int
) -> None:
    """Put it on disk; the lane runs it."""
    request = json.dumps({"name": cashier.name, "inn": cashier.inn}, ensure_ascii=False)
    db.execute(
        "INSERT INTO operations (id, pos_id, kind, request, created_at) VALUES (?, ?, ?, ?, ?)",
        (operation_id, pos_id, kind, request, now_s),
    )


def find(db: Db, operation_id: str) -> Operation:
    """Raises NotFound."""
    for row in db.execute(f"SELECT {_COLUMNS} FROM operations WHERE id = ?", (operation_id,)):
        return _from_row(row)
    raise NotFound("no such operation", operation_id=operation_id)


def find_open(db: Db) -> list[Operation]:
    """Not finished yet, oldest first."""
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM operations WHERE state IN ('accepted', 'sent', 'in_doubt')
            ORDER BY created_at, rowid"""
    )
    return [_from_row(row) for row in rows]


def begin(db: Db, operation_id: str, intent: Intent, now_s: int) -> None:
    """Store the intent and move to `sent`; on disk before the device is asked."""
    _move(db, operation_id, Step.SEND, OperationState.ACCEPTED)
    db.execute(
        """INSERT INTO intents
             (operation_id, attempt, serial, fn, last_fd, shift_number, created_at)
           VALUES (?, 1, ?, ?, ?, ?, ?)""",
        (operation_id, intent.serial, intent.fn, intent.last_fd, intent.shift_number, now_s),
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
    return Operation(
        id=row[0],
        pos_id=row[1],
        kind=OperationKind(row[2]),
        state=OperationState(row[3]),
        cashier=Cashier(**json.loads(row[4])),
        result=json.loads(row[5]) if row[5] else None,
    )
