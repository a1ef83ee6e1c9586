"""Printer families by the name a setting gives them: one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kktd.clock import Clock
from kktd.config import PrinterSettings
from kktd.errors import BadConfig
from kktd.printers.base import FiscalPrinter
from kktd.printers.shtrih.driver import ShtrihPrinter
from kktd.wire.address import open_port
from kktd.wire.port import Port

FAMILIES: Final[dict[str, Callable[[Port, Clock, PrinterSettings], FiscalPrinter]]] = {
    "shtrih": ShtrihPrinter,
}


def make_printer(settings: PrinterSettings, clock: Clock) -> FiscalPrinter:
    """The driver the settings ask for; touches nothing yet.  Raises BadConfig."""
    make = FAMILIES.get(settings.family)
    if make is None:
        raise BadConfig("unknown printer family", family=settings.family, known=sorted(FAMILIES))
    return make(open_port(settings.url), clock, settings)
