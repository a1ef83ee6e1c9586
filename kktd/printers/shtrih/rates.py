"""What the till's own table of VAT rates has, and what it makes of 20 %.  Source: [SHTRIH] 7.5, 12.

A till asked for a rate it does not have answers "wrong parameter", and one of 2026 is delivered so
that it turns 20 % into 22 % by itself: a refund of an earlier sale would carry another rate than
the sale.  Both are found out before a receipt is begun, and only for the rates that need it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from kktd.clock import Deadline
from kktd.errors import Refused
from kktd.model.receipt import Line, VatRate
from kktd.printers.shtrih import payload
from kktd.printers.shtrih.answers import DeviceRefused
from kktd.printers.shtrih.commands import READ_TABLE, TABLE_SHAPE
from kktd.printers.shtrih.session import Session

RATES_TABLE: Final = 6
REGION_TABLE: Final = 17
REPLACES_FIELD: Final = 71
REPLACED: Final = frozenset({VatRate.V20, VatRate.V20_120})
ROWS_OF_OLD: Final = 6  # every model has as many
ROW: Final = {
    VatRate.V20: 1,
    VatRate.V10: 2,
    VatRate.V0: 3,
    VatRate.NO_VAT: 4,
    VatRate.V20_120: 5,
    VatRate.V10_110: 6,
    VatRate.V5: 7,
    VatRate.V7: 8,
    VatRate.V5_105: 9,
    VatRate.V7_107: 10,
    VatRate.V22: 11,
    VatRate.V22_122: 12,
}


class Rates:
    """Of one till; `forget` when it may be another."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows: int | None = None
        self._replaces: bool | None = None

    def forget(self) -> None:
        self._rows = self._replaces = None

    def check(self, lines: Iterable[Line], by: Deadline) -> None:
        """Raises Refused where the document would not carry the rates of `lines`."""
        rates = {line.vat for line in lines}
        newest = max(map(ROW.__getitem__, rates), default=0)
        if newest > ROWS_OF_OLD and newest > self._rows_there(by):
            raise Refused("в ККТ нет такой ставки НДС", device_code=None, remedy="vat_missing")
        if rates & REPLACED and self._replaces_20(by):
            raise Refused("ККТ заменяет НДС 20 % на 22 %", device_code=None, remedy="vat_replaced")

    def _rows_there(self, by: Deadline) -> int:
        if self._rows is None:
            answer = self._session.call(TABLE_SHAPE, by, payload.unsigned(RATES_TABLE, 1))
            self._rows = int.from_bytes(answer[42:44], "little")
        return self._rows

    def _replaces_20(self, by: Deadline) -> bool:
        if self._replaces is None:
            self._replaces = False
            with suppress(DeviceRefused):  # firmware before 2026 has no such field
                place = payload.read_table(REGION_TABLE, 1, REPLACES_FIELD)
                self._replaces = self._session.call(READ_TABLE, by, place)[2] == 1
        return self._replaces
