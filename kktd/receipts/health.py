"""What the lane last saw of its printer, for the desk, the page and the metrics."""

from __future__ import annotations

from dataclasses import dataclass

from kktd.printers.base import PrinterIdentity, PrinterStatus


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """Immutable; the lane replaces it whole.

    `ready`: the printer answered and takes documents.  `remedy` names the sentence that says what a
    person should do, None when nothing.  `since_s` is the wall clock of the last change of `ready`.
    """

    ready: bool
    remedy: str | None
    since_s: float
    status: PrinterStatus | None = None
    identity: PrinterIdentity | None = None
    device_code: int | None = None
