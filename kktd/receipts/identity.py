"""Is it still the same printer with the same FN?  Another one gets nothing until a person says so.

The port is only a hint: cables are swapped, and an FN is replaced while the till is off.  What was
last accepted stands in the database, so that a restart changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict

from kktd import log
from kktd.clock import Clock
from kktd.errors import DoubtOpen, FnChanged, UnsentLeft
from kktd.events import Event
from kktd.printers.base import PrinterStatus
from kktd.store import devices, journal
from kktd.store.connection import Db
from kktd.store.devices import Device, Unsettled
from kktd.store.store import Store

ITSELF = "kktd"  # who accepted the first printer of a new till


class Identity:
    """Of one printer's place.  `check` in the lane's thread, `accept` in any."""

    def __init__(self, store: Store, clock: Clock, printer: str) -> None:
        self._store = store
        self._clock = clock
        self._printer = printer
        self.known = store.read(lambda db: devices.find(db, printer))
        self.stranger: Device | None = None  # answers now and was not accepted

    def check(self, status: PrinterStatus) -> None:
        """After each reading, before anything is sent; the first of a new till is accepted.

        Raises FnChanged while another device or FN answers, also one that belongs elsewhere.
        """
        seen = Device(status.serial, status.fn)
        if self.known is None and not self._is_elsewhere(seen):
            self._keep(seen, ITSELF)
        if seen == self.known:
            self.stranger = None
            return
        if self.stranger != seen:
            self.stranger = seen
            self._tell_strange()
        raise FnChanged("another printer or FN answers", **self._both())

    def accept(self, seen: Device, user: str, *, leave_unsent: bool) -> None:
        """A person says that the stranger is right; on disk when this returns.

        `seen` is what that person saw: FnChanged if by now another one answers.  DoubtOpen while
        only the old one could settle a document; UnsentLeft while receipts of the old FN are not
        at the ОФД, unless `leave_unsent`.
        """
        if seen == self.known:
            return
        if seen != self.stranger:
            raise FnChanged("that one does not answer now", **self._both())
        if self.known is not None:
            left = self._store.read(self.unsettled)
            if left.in_doubt:
                raise DoubtOpen(
                    "only the old printer can settle it",
                    in_doubt=left.in_doubt,
                    remedy="old_printer_knows",
                )
            if left.unsent and self.known.fn != seen.fn and not leave_unsent:
                raise UnsentLeft("the old FN's receipts are not delivered", unsent=left.unsent)
        self._keep(seen, user)

    def unsettled(self, db: Db) -> Unsettled:
        """What hangs on the one that is known; inside Store.read."""
        if self.known is None:
            return Unsettled(0, 0)
        return devices.find_unsettled(db, self._printer, self.known)

    def _is_elsewhere(self, seen: Device) -> bool:
        """Two cables were exchanged, or two addresses lead to one printer."""
        return self._store.read(lambda db: devices.is_elsewhere(db, self._printer, seen))

    def _keep(self, seen: Device, user: str) -> None:
        now_s, was = self._clock.wall_s(), self.known

        def work(db: Db) -> None:
            devices.accept(db, self._printer, seen, user, int(now_s))
            journal.append(
                db,
                Event.PRINTER_ACCEPTED,
                int(now_s * 1000),
                user=user,
                serial=seen.serial,
                fn=seen.fn,
                fn_before=was and was.fn,
            )

        self._store.write(work)
        self.known, self.stranger = seen, None
        log.event(Event.PRINTER_ACCEPTED, printer=self._printer, user=user, **asdict(seen))

    def _tell_strange(self) -> None:
        facts, now_ms = self._both(), int(self._clock.wall_s() * 1000)
        log.event(Event.PRINTER_STRANGE, printer=self._printer, facts=facts)
        self._store.write(
            lambda db: journal.append(
                db,
                Event.PRINTER_STRANGE,
                now_ms,
                serial_now=facts["serial_now"],
                fn_noted=facts["fn_noted"],
                fn_now=facts["fn_now"],
            )
        )

    def _both(self) -> dict[str, str | None]:
        known, seen = self.known, self.stranger
        return {
            "serial_noted": known.serial if known else None,
            "serial_now": seen.serial if seen else None,
            "fn_noted": known.fn if known else None,
            "fn_now": seen.fn if seen else None,
        }
