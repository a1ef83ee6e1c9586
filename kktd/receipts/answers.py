"""What a caller is told of a receipt or an operation: status, body, and the key of a sentence.

The sentences are the API's (api/messages.py, Russian and English); `hint` and `code` name them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from kktd.errors import PrinterError
from kktd.model.fiscal import ShiftReport
from kktd.model.money import rubles
from kktd.model.states import IN_FN, FiscalState, OperationState
from kktd.store.operations import Operation, OperationKind, Request
from kktd.store.receipts import StoredReceipt
from kktd.store.sessions import ShiftSums

RETRY_AFTER_S: Final = 2  # while the printer works on it


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is set for errors: then `body` holds the details.  `hint` picks a sentence."""

    status: int
    body: dict[str, Any]
    code: str | None = None
    hint: str | None = None
    location: str | None = None
    retry_after_s: int | None = None

    @property
    def final(self) -> bool:
        """A repeat with the same key gets it again."""
        return self.status != 202

    def as_stored(self) -> dict[str, Any]:
        """For the key's row."""
        return {"body": self.body, "code": self.code, "hint": self.hint}

    @classmethod
    def from_stored(cls, stored: tuple[int, dict[str, Any]]) -> Answer:
        status, row = stored
        return cls(status, row["body"], row["code"], row["hint"])


SyncAt = Callable[[int], str | None]
"""When the receipt at this place of the queue will be at the ОФД, ISO; None while nobody knows."""


def never(_position: int) -> str | None:
    """Nobody knows."""
    return None


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a receipt stands on its way to the ОФД; `estimated_sync_time` ISO or None."""

    position: int
    total: int
    estimated_sync_time: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "queue_position": self.position,
            "total_queued": self.total,
            "estimated_sync_time": self.estimated_sync_time,
        }


def receipt_answer(stored: StoredReceipt, place: QueuePlace | None) -> Answer:
    """The answer to POST receipt in the receipt's present state (contract 1.1)."""
    if stored.state is FiscalState.REFUSED:
        problem = stored.problem or {}
        return Answer(
            422,
            {"receipt_id": stored.id, **problem},
            code="PRINTER_REFUSED",
            hint=problem.get("remedy"),
        )
    if stored.state is FiscalState.CANCELLED:
        return Answer(409, {"receipt_id": stored.id}, code="TOO_LATE", hint="cancelled")
    in_fn = stored.state in IN_FN
    body: dict[str, Any] = {
        "receipt_id": stored.id,
        "status": "printed" if in_fn else "buffered",
        "print_state": stored.state,
        "fiscal_doc": stored.document.as_json() if stored.document else None,
        "buffer_info": place.as_json() if place else None,
        "change": rubles(stored.receipt.change),
    }
    if in_fn:
        if stored.state is FiscalState.REGISTERED:
            body["paper"] = "pending"
            return Answer(200, body, hint=(stored.problem or {}).get("remedy", "paper_pending"))
        return Answer(200, body)
    return Answer(
        202,
        body,
        hint=_waiting_hint(stored),
        location=f"/v1/kkt/receipt/{stored.id}",
        retry_after_s=RETRY_AFTER_S,
    )


def _waiting_hint(stored: StoredReceipt) -> str:
    if stored.state in (FiscalState.IN_DOUBT, FiscalState.PRINTING):
        return str((stored.problem or {}).get("remedy", "in_doubt"))
    if stored.held:
        return "held"
    return str((stored.problem or {}).get("remedy", "waiting"))


def problem_of(error: PrinterError) -> dict[str, Any]:
    """What is kept and told of a printer's error."""
    return {
        **error.details,
        "remedy": error.remedy,
        "device_code": error.device_code,
        "reason": str(error),
    }


@dataclass(frozen=True, slots=True)
class Ran:
    """An operation was done that makes no fiscal document.

    `issued_at`: the printer's local time, None where it did not say it.
    """

    fn: str
    shift: int
    issued_at: datetime | None


_REPORT_TYPE: Final = {OperationKind.X_REPORT: 1, OperationKind.Z_REPORT: 2}


def report_result(
    kind: OperationKind, report: ShiftReport | Ran, totals: ShiftSums, *, offline: bool
) -> dict[str, Any]:
    """What is stored of a shift opening, an X- or a Z-report and told to the caller."""
    result: dict[str, Any] = {
        "shift_number": report.shift,
        "fiscal_document_number": report.fd if isinstance(report, ShiftReport) else None,
        "fiscal_sign": report.fp if isinstance(report, ShiftReport) else None,
        "fn": report.fn,
        "datetime": minutes(report.issued_at),
        "offline": offline,
    }
    if kind in _REPORT_TYPE:
        result |= {
            "report_type": _REPORT_TYPE[kind],
            "cash_total": rubles(totals.cash),
            "card_total": rubles(totals.card),
            "total_sales": rubles(totals.sales),
            "total_refunds": rubles(totals.refunds),
        }
    return result


def device_result(asked: Request, report: ShiftReport | Ran) -> dict[str, Any]:
    """What is told of an operation that neither moves money nor prints totals."""
    if asked.kind is OperationKind.SET_CLOCK and report.issued_at is not None:
        return {"clock": f"{report.issued_at:%Y-%m-%dT%H:%M:%S}"}
    if asked.cell is not None:
        cell = asked.cell
        return {"table": cell.table, "row": cell.row, "field": cell.field, "value": asked.value}
    return {"datetime": minutes(report.issued_at)}


def minutes(local: datetime | None) -> str | None:
    """The printer's local time as it stands on paper."""
    return None if local is None else f"{local:%Y-%m-%dT%H:%M}"


def operation_answer(operation: Operation) -> Answer:
    """The answer to the POST of an operation in its present state."""
    result = operation.result or {}
    if operation.state is OperationState.DONE:
        return Answer(200, {"operation_id": operation.id, **result})
    if operation.state is OperationState.REFUSED:
        code = str(result.get("code", "PRINTER_REFUSED"))
        status = 422 if code == "PRINTER_REFUSED" else 409
        return Answer(
            status, {"operation_id": operation.id, **result}, code=code, hint=result.get("remedy")
        )
    doubtful = operation.state in (OperationState.SENT, OperationState.IN_DOUBT)
    return Answer(
        202,
        {"operation_id": operation.id, "state": operation.state},
        hint="operation_in_doubt" if doubtful else "operation_waiting",
        retry_after_s=RETRY_AFTER_S,
    )


@dataclass(slots=True)
class Ticket:
    """What `Desk` hands out: an answer at once, or a future that the lane fills."""

    id: str
    pos_id: str
    answer: Answer | None = None
    replayed: bool = False
    waiter: Future[Answer] | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # of a new receipt, for the log
