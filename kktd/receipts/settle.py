"""What became of a document nobody heard of: only the FN's archive settles it (contract 2.3).

Reads the device, writes nothing.  "The next document is ours" would be wrong: a shift may have
opened by itself, another program may have printed, so every document after the noted one is read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from kktd.clock import Deadline
from kktd.model.cash import CashCounters
from kktd.model.fiscal import ArchivedDocument, DocumentType, FiscalDocument, ShiftReport
from kktd.model.marking import MarkCheck
from kktd.model.receipt import Receipt
from kktd.printers.base import FiscalPrinter, Paper, PrinterStatus, Shift
from kktd.receipts.answers import Ran
from kktd.store.operations import OperationKind, Request
from kktd.store.receipts import Intent

READ_BACK_MAX: Final = 200  # documents after the noted one; more means somebody else sells here
_RECEIPTS: Final = (DocumentType.RECEIPT, DocumentType.CORRECTION)
_REPORT_TYPE: Final = {
    OperationKind.SHIFT_OPEN: DocumentType.SHIFT_OPEN,
    OperationKind.Z_REPORT: DocumentType.SHIFT_CLOSE,
}


@dataclass(frozen=True, slots=True)
class Registered:
    """The FN holds the receipt."""

    document: FiscalDocument


@dataclass(frozen=True, slots=True)
class Made:
    """The operation ran: the FN holds its report, or the device has counted it."""

    report: ShiftReport | Ran


@dataclass(frozen=True, slots=True)
class Absent:
    """It did not run and nothing begun is left: it may be sent again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The printer still works; ask again soon."""


@dataclass(frozen=True, slots=True)
class AskPerson:
    """The FN cannot tell.  `remedy` names the sentence, `facts` what is known."""

    remedy: str
    facts: dict[str, object]


Verdict = Registered | Made | Absent | Wait | AskPerson


def settle_receipt(
    printer: FiscalPrinter,
    status: PrinterStatus,
    receipt: Receipt,
    intent: Intent,
    known: frozenset[int],
    by: Deadline,
) -> Verdict:
    """Find the receipt in the FN, or make sure that it is not and will not be there.

    `status` was read just now; `known` are the documents of other receipts of ours: never this one.
    Raises Unreachable, NotReady, Refused of the printer: then nothing is settled yet.
    """
    if (strange := _another_device(status, intent)) is not None:
        return strange
    found = [
        document
        for document in _documents_after(printer, intent, status, by)
        if document.fd not in known and _is_ours(document, receipt, intent)
    ]
    if len(found) > 1:
        return AskPerson("several_match", {"fd": [document.fd for document in found]})
    if found:
        return Registered(_as_receipt(found[0], receipt, status))
    if status.paper is Paper.PRINTING:
        return Wait()
    if status.receipt_open:
        # What lies begun in the printer can never be closed by anybody once it is cancelled.
        printer.cancel_open(by)
        after = printer.status(by)
        if after.receipt_open or after.last_fd != status.last_fd:
            return Wait()
    return Absent()


def settle_report(
    printer: FiscalPrinter,
    status: PrinterStatus,
    kind: OperationKind,
    intent: Intent,
    by: Deadline,
) -> Verdict:
    """The same for a shift opening or a Z-report."""
    if (strange := _another_device(status, intent)) is not None:
        return strange
    wanted = _REPORT_TYPE[kind]
    for document in _documents_after(printer, intent, status, by):
        if document.type is wanted:
            return Made(
                ShiftReport(
                    fn=status.fn,
                    fd=document.fd,
                    fp=document.fp,
                    shift=document.shift or status.shift_number,
                    issued_at=document.issued_at,
                )
            )
    if status.paper is Paper.PRINTING:
        return Wait()
    return Absent()


def settle_cash(
    printer: FiscalPrinter,
    status: PrinterStatus,
    asked: Request,
    intent: Intent,
    noted: CashCounters,
    by: Deadline,
) -> Verdict:
    """Whether a cash movement ran, by the device's counters of the shift (docs/decisions, 008)."""
    if (strange := _another_device(status, intent)) is not None:
        return strange
    now = printer.cash_counters(by)
    ran = None
    if status.shift is not Shift.CLOSED and status.shift_number == intent.shift_number:
        ran = _has_moved(asked, noted, now)
    if ran is None:
        return AskPerson("cash_unclear", {"noted": asdict(noted), "now": asdict(now)})
    if ran:
        return Made(Ran(status.fn, status.shift_number, status.clock))
    return Wait() if status.paper is Paper.PRINTING else Absent()


def _has_moved(asked: Request, noted: CashCounters, now: CashCounters) -> bool | None:
    """True, False, or None where more than one movement of this kind was counted since.

    The lane sends nothing meanwhile: one movement of our sum is ours, one of another sum is not.
    """
    if asked.kind is OperationKind.CASH_IN:
        count, kopecks = now.ins - noted.ins, now.in_kopecks - noted.in_kopecks
    else:
        count, kopecks = now.outs - noted.outs, now.out_kopecks - noted.out_kopecks
    if count == 0 and kopecks == 0:
        return False
    if count == 1 and kopecks > 0:
        return kopecks == asked.amount
    return None


def _another_device(status: PrinterStatus, intent: Intent) -> AskPerson | None:
    if status.fn != intent.fn or status.serial != intent.serial:
        return AskPerson(
            "fn_changed",
            {
                "fn_noted": intent.fn,
                "fn_now": status.fn,
                "serial_noted": intent.serial,
                "serial_now": status.serial,
            },
        )
    if not intent.last_fd <= status.last_fd <= intent.last_fd + READ_BACK_MAX:
        return AskPerson("counters_strange", {"fd_noted": intent.last_fd, "fd_now": status.last_fd})
    return None


def _documents_after(
    printer: FiscalPrinter, intent: Intent, status: PrinterStatus, by: Deadline
) -> list[ArchivedDocument]:
    documents = [printer.archived(fd, by) for fd in range(intent.last_fd + 1, status.last_fd + 1)]
    return [document for document in documents if document is not None]


def _is_ours(document: ArchivedDocument, receipt: Receipt, intent: Intent) -> bool:
    if document.type not in _RECEIPTS:
        return False
    if intent.mark is not None and document.receipt_no is not None:
        return document.mark == intent.mark  # the whole document was read: the mark decides
    return document.sign == receipt.sign and document.total == receipt.total


def _as_receipt(
    document: ArchivedDocument, receipt: Receipt, status: PrinterStatus
) -> FiscalDocument:
    """The archive's words; what a short archive entry lacks is taken from the shift it is in."""
    return FiscalDocument(
        fn=status.fn,
        fd=document.fd,
        fp=document.fp,
        shift=document.shift if document.shift is not None else status.shift_number,
        receipt_no=document.receipt_no if document.receipt_no is not None else status.receipt_no,
        issued_at=document.issued_at,
        sign=document.sign or receipt.sign,
        total=document.total if document.total is not None else receipt.total,
        marks=_mark_checks(document, receipt),
    )


def _mark_checks(document: ArchivedDocument, receipt: Receipt) -> tuple[MarkCheck, ...]:
    """What the FN wrote of the codes; none where it says not as many as were sold."""
    marked = [index for index, line in enumerate(receipt.lines) if line.mark_code is not None]
    if len(marked) != len(document.mark_results):
        return ()
    return tuple(map(MarkCheck, marked, document.mark_results))
