"""The device's tables (1Eh, 1Fh, 2Dh, 2Eh): structure and first values from a real ШТРИХ-НАНО-Ф.

Source: [SHTRIH] 12, table dump of firmware C.3.664 in shtrih_nano_f.csv.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

DUMP: Final = Path(__file__).with_name("shtrih_nano_f.csv")
READ_ONLY_TABLES: Final = {18, 20}  # filled by the FN
Cell = tuple[int, int, int]  # table, row, field

PASSWORDS, TEXT_TYPES, TAXES, REGION, FISCAL = 2, 5, 6, 17, 18


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a table; `size` in bytes."""

    name: str
    is_text: bool
    size: int
    minimum: int
    maximum: int


@dataclass(slots=True)
class Table:
    name: str
    rows: int = 0
    fields: dict[int, Field] = field(default_factory=dict)


class NoSuchCell(LookupError):
    """A table, row or field this device does not have."""


class BadValue(ValueError):
    """A value outside the field's limits."""


@dataclass(frozen=True, slots=True)
class Dump:
    """The real device's tables, parsed once for all simulated ones."""

    tables: Mapping[int, Table]
    values: Mapping[Cell, str]


@cache
def read_dump() -> Dump:
    tables: dict[int, Table] = {}
    values: dict[Cell, str] = {}
    with DUMP.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("// Таблица "):
                number, name = line.removeprefix("// Таблица ").strip().split(", ", 1)
                tables[int(number)] = Table(name)
            elif line[:1].isdigit():
                row = next(csv.reader([line], quotechar="'", skipinitialspace=True))
                table, cell_row, column, size, kind, low, high = map(int, row[:7])
                tables[table].rows = max(tables[table].rows, cell_row)
                tables[table].fields[column] = Field(row[7], kind == 1, size, low, high)
                values[table, cell_row, column] = row[8]
    return Dump(tables, values)


class Settings:
    """All tables; `changed` holds what differs from the factory, for the device's memory."""

    def __init__(self, factory: Mapping[Cell, str]) -> None:
        dump = read_dump()
        self.tables = dump.tables
        self._factory = {**dump.values, **factory}
        self.changed: dict[Cell, str] = {}

    def structure(self, table: int) -> Table:
        found = self.tables.get(table)
        if found is None:
            raise NoSuchCell(table)
        return found

    def column(self, table: int, number: int) -> Field:
        found = self.structure(table).fields.get(number)
        if found is None:
            raise NoSuchCell(table, number)
        return found

    def text(self, table: int, row: int, number: int) -> str:
        cell = (table, row, number)
        if cell in self.changed:
            return self.changed[cell]
        if cell not in self._factory:
            raise NoSuchCell(*cell)
        return self._factory[cell]

    def number(self, table: int, row: int, number: int) -> int:
        return int(self.text(table, row, number) or "0")

    def set(self, table: int, row: int, number: int, value: str) -> None:
        self.text(table, row, number)
        self.changed[table, row, number] = value

    def read(self, table: int, row: int, number: int) -> bytes:
        """A value as 1Fh sends it: BIN little endian, CHAR in CP1251 padded with 00."""
        column = self.column(table, number)
        value = self.text(table, row, number)
        if column.is_text:
            return value.encode("cp1251", "replace")[: column.size].ljust(column.size, b"\0")
        return int(value or "0").to_bytes(column.size, "little")

    def write(self, table: int, row: int, number: int, value: bytes) -> None:
        """A value as 1Eh brings it; BadValue outside the limits."""
        column = self.column(table, number)
        if column.is_text:
            text = value[: column.size].split(b"\0")[0].decode("cp1251", "replace")
            self.set(table, row, number, text)
            return
        amount = int.from_bytes(value, "little")
        if not column.minimum <= amount <= column.maximum:
            raise BadValue(amount)
        self.set(table, row, number, str(amount))
