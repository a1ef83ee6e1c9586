"""What is known of the printer at this moment, and the one place that asks it how it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.errors import PrinterError, Unreachable
from kktd.events import Event
from kktd.model.device import FIRST_PRINTER, FnLife
from kktd.model.fiscal import FiscalDocument
from kktd.printers.base import FiscalPrinter, Paper, PrinterIdentity, PrinterStatus
from kktd.receipts.answers import problem_of
from kktd.receipts.clock_check import ClockCheck
from kktd.receipts.identity import Identity
from kktd.store.devices import Device

STATUS_MS: Final = 4_000
FN_ENDED: Final = frozenset({"fn_full", "fn_expired"})  # remedies, printers/remedies.py


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """Immutable; replaced whole, so that any thread may read it.

    `ready`: the printer answered and takes documents.  `remedy` names the sentence that says what a
    person should do, None when nothing.  `since_s` is the wall clock of the last change of `ready`.
    `fn_ended` is the remedy of an FN that signs nothing more: only another one sells.  `fn_life` is
    read now and then, and None until it was.
    """

    ready: bool
    remedy: str | None
    since_s: float
    status: PrinterStatus | None = None
    identity: PrinterIdentity | None = None
    device_code: int | None = None
    fn_ended: str | None = None
    status_at_s: float = 0.0  # wall clock of `status`
    fn_life: FnLife | None = None
    clock_drift_s: float | None = None  # its clock before ours
    stranger: Device | None = None  # answers, and is not the one that was accepted


class PrinterWatch:
    """Reads the status and keeps `health`.  Used by the lane's thread alone."""

    def __init__(
        self,
        printer: FiscalPrinter,
        clock: Clock,
        identity: Identity,
        clock_check: ClockCheck,
        status_read: Callable[[PrinterStatus], None] = lambda _: None,
        name: str = FIRST_PRINTER,
    ) -> None:
        """`status_read` is told of every reading."""
        self._name = name
        self._identity = identity
        self._clock_check = clock_check
        self._status_read = status_read
        self._printer = printer
        self._clock = clock
        self.read_at_s = self.fn_read_at_s = -1e9  # monotonic
        self._fn_read: str | None = None
        self.health = LaneHealth(ready=False, remedy="printer_away", since_s=clock.wall_s())

    def read(self) -> PrinterStatus:
        """One reading; raises what the printer raises, and FnChanged of a stranger."""
        status = self._printer.status(Deadline.after_ms(self._clock, STATUS_MS))
        try:
            self._identity.check(status)
        finally:
            stranger = self._identity.stranger
            self.health = replace(self.health, stranger=stranger)
            if stranger is not None and stranger.fn != self._fn_read:
                # The end was the old FN's: what is to do now is to accept the new one.
                self.health = replace(self.health, fn_ended=None)
        if self._fn_read != status.fn:
            self._fn_read = status.fn
            self.health = replace(self.health, fn_ended=None, fn_life=None)
            self.fn_read_at_s = -1e9
        self.read_at_s = self._clock.monotonic_s()
        self._status_read(status)
        drift_s, at_s = self._clock_check.note(status), self._clock.wall_s()
        self.health = replace(self.health, status=status, status_at_s=at_s, clock_drift_s=drift_s)
        return status

    def status(self) -> PrinterStatus:
        """The same before a document: whether it takes one is noted too."""
        status = self.read()
        if status.paper is Paper.OUT:
            self.blocked("paper")
        elif not self.health.ready:
            self._connected()
        return status

    def read_fn(self) -> None:
        """What the FN holds back for the ОФД and how long it lasts: a few short questions."""
        self.fn_read_at_s = self._clock.monotonic_s()
        life = self._printer.fn_life(Deadline.after_ms(self._clock, STATUS_MS))
        self.health = replace(self.health, fn_life=life)

    def note_document(self, document: FiscalDocument) -> None:
        """What it made changes the status by as much; the next reading tells whether by more."""
        status = self.health.status
        if status is not None and status.fn == document.fn:
            status = replace(status, last_fd=document.fd, receipt_no=document.receipt_no)
            self.health = replace(self.health, status=status, fn_ended=None)

    def note_refusal(self, remedy: str | None) -> None:
        """A document was refused for good; if for the FN's end, so will be the next."""
        if remedy in FN_ENDED:
            self.health = replace(self.health, fn_ended=remedy)

    def forget_status(self) -> None:
        """The shift changed: what was read before is no longer so."""
        self.read_at_s = -1e9
        self.health = replace(self.health, status=None)

    def blocked(self, remedy: str, device_code: int | None = None) -> None:
        """It answers, or does not, and takes no documents."""
        since_s = self._clock.wall_s() if self.health.ready else self.health.since_s
        self.health = replace(
            self.health, ready=False, remedy=remedy, since_s=since_s, device_code=device_code
        )

    def lost(self, error: PrinterError) -> dict[str, Any]:
        """A call ended without a document; returns what to tell those who wait."""
        problem = problem_of(error)
        if self.health.ready or self.health.remedy != problem["remedy"]:
            away = isinstance(error, Unreachable)
            what = Event.PRINTER_LOST if away else Event.KKT_NOT_READY
            log.event(what, printer=self._name, facts=problem)
        self.blocked(problem["remedy"], problem["device_code"])
        return problem

    def _connected(self) -> None:
        identity = self._printer.identify(Deadline.after_ms(self._clock, STATUS_MS))
        self.health = replace(
            self.health,
            ready=True,
            remedy=None,
            since_s=self._clock.wall_s(),
            identity=identity,
            device_code=None,
        )
        log.event(
            Event.PRINTER_CONNECTED,
            printer=self._name,
            model=identity.model,
            serial=identity.serial,
            fn=identity.fn,
        )
