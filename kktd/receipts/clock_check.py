"""The printer's clock against ours: documents carry the printer's."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

from kktd import log
from kktd.clock import Clock
from kktd.events import Event
from kktd.printers.base import PrinterStatus
from kktd.store import journal
from kktd.store.store import Store

DRIFT_MAX_S: Final = 300.0  # more, and the tax office sees documents of another time
DRIFT_BACK_S: Final = 240.0  # and less before it is told again


class ClockCheck:
    """Of one printer.  `note` in the lane's thread."""

    def __init__(self, store: Store, clock: Clock, zone: tzinfo, printer: str) -> None:
        """`zone`: the shop's, in which the printer shows its time."""
        self._store = store
        self._clock = clock
        self._zone = zone
        self._printer = printer
        self._told = False

    def note(self, status: PrinterStatus) -> float | None:
        """Seconds its clock is before ours (whole: it shows no less); None where it is not read.

        Told once each time it goes out of bounds.
        """
        if status.clock is None:
            return None
        drift_s = round(status.clock.replace(tzinfo=self._zone).timestamp() - self._clock.wall_s())
        if not self._told and abs(drift_s) > DRIFT_MAX_S:
            self._told = True
            self._tell(drift_s, f"{status.clock:%Y-%m-%dT%H:%M:%S}")
        elif abs(drift_s) < DRIFT_BACK_S:
            self._told = False
        return float(drift_s)

    def _tell(self, drift_s: int, shown: str) -> None:
        facts: dict[str, Any] = {
            "printer": self._printer,
            "drift_seconds": drift_s,
            "clock": shown,
        }
        log.event(Event.CLOCK_OFF, **facts)
        now_ms = int(self._clock.wall_s() * 1000)
        self._store.write(lambda db: journal.append(db, Event.CLOCK_OFF, now_ms, **facts))
