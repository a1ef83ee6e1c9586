"""ОФД channel `device`: the printer delivers by itself, and its FN's counters tell how far it is.

Nothing is sent from here.  The FN hands documents over in order, so that one number says it all:
whatever is not after it has its ticket.  Source: [SHTRIH] 7 (FF39h), 8; design 4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import tzinfo
from typing import Final

from kktd.clock import Clock, Deadline
from kktd.model.device import FnLife
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt
from kktd.ofd.channel import Delivered, NotAccepted, Unavailable
from kktd.ofd.probe import Report, Stage, Verdict

LATE_S: Final = 300.0  # a document that old and unsent: the printer does not reach its ОФД


class DeviceChannel:
    """Implements `OfdChannel`.  `readings`: the FNs that belong here, as last read if they were."""

    waits = True

    def __init__(
        self, readings: Callable[[], Mapping[str, FnLife | None]], clock: Clock, zone: tzinfo
    ) -> None:
        """`zone`: the shop's, in which the printers show their time."""
        self._readings = readings
        self._clock = clock
        self._zone = zone

    def is_ready(self, document: FiscalDocument) -> bool:
        """Whether the FN has handed it over, or never will: it does not belong here any more."""
        readings = self._readings()
        life = readings.get(document.fn)
        if life is None:
            return bool(readings) and document.fn not in readings
        return document.fd <= life.delivered_fd

    def send(self, receipt: Receipt, document: FiscalDocument, by: Deadline) -> Delivered:
        """Ask the counters; a person looks after what an old FN took away (contract 2.14)."""
        del receipt, by
        readings = self._readings()
        if document.fn not in readings:
            raise NotAccepted(f"FN {document.fn} is in no printer")
        life = readings[document.fn]
        if life is None or document.fd > life.delivered_fd:
            raise Unavailable("the printer has not handed it over")
        return Delivered(document.fn, document.fd, document.fp)

    def ping(self, by: Deadline) -> None:
        """Fine while nothing older than minutes waits in an FN."""
        del by
        for life in self._readings().values():
            if life is None:
                raise Unavailable("an FN was not read yet")
            if self._is_behind(life):
                raise Unavailable("the printer does not reach the ОФД")

    def report(self, answering: Collection[str]) -> Report:
        """For a test by hand: a stage for each FN.  `answering`: those whose printer is there."""
        stages: list[Stage] = []
        verdict = Verdict.FINE if self._readings() else Verdict.PRINTER_AWAY
        for fn, life in self._readings().items():
            if life is None or fn not in answering:
                ends, found = Verdict.PRINTER_AWAY, "the printer does not answer"
            else:
                ends = Verdict.PRINTER_BEHIND if self._is_behind(life) else Verdict.FINE
                since = f", since {life.oldest_unsent:%Y-%m-%dT%H:%M}" if life.oldest_unsent else ""
                found = f"{life.unsent} unsent{since}"
            stages.append(Stage(f"fn {fn}", ends is Verdict.FINE, 0, found))
            verdict = ends if verdict is Verdict.FINE else verdict
        return Report("device", verdict, tuple(stages), None, None)

    def _is_behind(self, life: FnLife) -> bool:
        if life.oldest_unsent is None:
            return False
        made_s = life.oldest_unsent.replace(tzinfo=self._zone).timestamp()
        return self._clock.wall_s() - made_s > LATE_S

    def close(self) -> None:
        """It holds nothing."""
