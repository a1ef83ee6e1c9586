"""The part of the driver that engineers use; what the bytes mean stands in service.py."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kktd.clock import Deadline
from kktd.model.device import Cell, FieldShape, FnLife, TableShape
from kktd.model.money import Kopecks
from kktd.printers.shtrih import service
from kktd.printers.shtrih.archive import Archive
from kktd.printers.shtrih.commands import CUT
from kktd.printers.shtrih.session import Session
from kktd.printers.shtrih.verdicts import translated

WHOLE: Final = b"\0"  # [SHTRIH] 25h: 1 leaves a bridge


class DeviceCalls:
    """Of a `FiscalPrinter`: FN, clock, tables, registers."""

    _session: Session
    _archive: Archive

    def fn_life(self, by: Deadline) -> FnLife:
        with translated():
            return service.fn_life(self._session, by)

    def set_clock(self, moment: datetime, by: Deadline) -> datetime:
        with translated():
            return service.set_clock(self._session, self._archive, moment, by)

    def cut_paper(self, by: Deadline) -> None:
        with translated():
            self._session.call(CUT, by, WHOLE)

    def table(self, number: int, by: Deadline) -> TableShape:
        with translated():
            return service.table(self._session, number, by)

    def field(self, cell: Cell, by: Deadline) -> FieldShape:
        with translated():
            return service.field(self._session, cell, by)

    def read_field(self, cell: Cell, by: Deadline) -> tuple[FieldShape, int | str]:
        with translated():
            return service.read_field(self._session, cell, by)

    def write_field(self, cell: Cell, value: str, by: Deadline) -> None:
        with translated():
            service.write_field(self._session, cell, value, by)

    def money_register(self, number: int, by: Deadline) -> Kopecks:
        with translated():
            return Kopecks(service.money_register(self._session, number, by))

    def operation_register(self, number: int, by: Deadline) -> int:
        with translated():
            return service.operation_register(self._session, number, by)
