"""What the receipt service needs from any printer family.

Calls block until the deadline.  Each may raise Unreachable (nothing was registered), NotReady
(nothing was registered, a person can mend it), Refused (the printer said no for good; the FN is
unchanged) or, where it registers a document, InDoubt (sent, unanswered): then only the FN's archive
settles it, read by `status` and `archived`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kktd.clock import Deadline
from kktd.model.cash import CashCounters
from kktd.model.device import Cell, FieldShape, FnLife, TableShape
from kktd.model.fiscal import ArchivedDocument, FiscalDocument, ShiftReport
from kktd.model.money import Kopecks
from kktd.model.receipt import Cashier, Receipt


class Shift(StrEnum):
    """Shift of the FN, as the printer sees it."""

    CLOSED = "closed"
    OPEN = "open"
    EXPIRED = "expired"  # open for more than 24 hours: only a Z-report helps


class Paper(StrEnum):
    """Of the document that was last begun."""

    READY = "ready"  # nothing is being printed
    PRINTING = "printing"
    OUT = "out"  # no paper or cover open
    WAITS_CONTINUE = "waits_continue"  # paper is back, the printer waits to be told


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """One reading; everything that decides about a receipt in doubt."""

    serial: str  # of the device
    fn: str  # 16 digits
    last_fd: int
    shift: Shift
    shift_number: int  # of the open shift, or of the last closed one
    receipt_no: int  # last receipt of that shift, 0 if none
    receipt_open: bool  # a receipt is begun and not closed
    paper: Paper
    clock: datetime | None  # the printer's local time where the reading carries it


@dataclass(frozen=True, slots=True)
class PrinterIdentity:
    """Who is at the other end; read once for each connection.

    `ffd` is the format its documents have and `inn` whose they are, None where it does not say.
    """

    model: str
    serial: str
    fn: str
    firmware: str
    ffd: str | None = None
    inn: str | None = None


class FiscalPrinter(Protocol):
    """One device.  Not thread-safe: its lane owns it."""

    def identify(self, by: Deadline) -> PrinterIdentity: ...

    def status(self, by: Deadline) -> PrinterStatus: ...

    def paper(self, by: Deadline) -> Paper:
        """Of the last document alone: one short question."""

    def register(self, receipt: Receipt, mark: str | None, by: Deadline) -> FiscalDocument:
        """Make the document and return what the FN gave it; does not wait for the paper.

        `mark` goes into tag 1084 so that the document can be known again.  The shift must be open.
        Also raises InDoubt.
        """

    def archived(self, fd: int, by: Deadline) -> ArchivedDocument | None:
        """Document `fd` of the FN's archive with all it still knows; None if there is none."""

    def cancel_open(self, by: Deadline) -> None:
        """Drop the receipt that is begun and not closed, if any.  Registers nothing."""

    def open_shift(self, cashier: Cashier, by: Deadline) -> ShiftReport:
        """Also raises InDoubt."""

    def close_shift(self, cashier: Cashier, by: Deadline) -> ShiftReport:
        """The Z-report.  Also raises InDoubt."""

    def x_report(self, by: Deadline) -> None:
        """Print the totals of the open shift; registers and counts nothing, may be repeated."""

    def cash_in(self, amount: Kopecks, by: Deadline) -> None:
        """Count `amount` into the drawer and print the slip; not a fiscal document.

        Also raises InDoubt: then `cash_counters`, compared with a reading from before, settle it.
        """

    def cash_out(self, amount: Kopecks, by: Deadline) -> None:
        """The same out of the drawer; Refused with the remedy `cash` if it holds less."""

    def cash_counters(self, by: Deadline) -> CashCounters:
        """How often and how much cash was moved in this shift, and what is in the drawer."""

    def open_drawer(self, by: Deadline) -> None:
        """Pulse the drawer; prints and counts nothing.  Whether one is connected nobody knows."""

    def cut_paper(self, by: Deadline) -> None:
        """Cut what hangs out; documents are cut by themselves."""

    def continue_print(self, by: Deadline) -> None:
        """Finish the paper of the document that was interrupted; registers nothing."""

    def print_copy(self, by: Deadline) -> None:
        """Print the last receipt once more, marked as a copy; registers nothing."""

    # The device itself: engineers ask.

    def fn_life(self, by: Deadline) -> FnLife:
        """What the FN has not handed over to the ОФД, and how long it lasts."""

    def set_clock(self, moment: datetime, by: Deadline) -> datetime:
        """Set the printer's local time; what it shows then.  The shift must be closed."""

    def table(self, number: int, by: Deadline) -> TableShape: ...

    def field(self, cell: Cell, by: Deadline) -> FieldShape:
        """Of a column; the row does not matter."""

    def read_field(self, cell: Cell, by: Deadline) -> tuple[FieldShape, int | str]:
        """Also raises Refused for passwords, which are shown to nobody."""

    def write_field(self, cell: Cell, value: str, by: Deadline) -> None: ...

    def money_register(self, number: int, by: Deadline) -> Kopecks: ...

    def operation_register(self, number: int, by: Deadline) -> int: ...

    def close(self) -> None:
        """Let go of the port.  Never raises."""
