"""What a registrar tells of itself besides documents: its FN's life, its settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

FIRST_PRINTER: Final = "kkt"  # the name of the printer in [printer]; the others bring theirs


@dataclass(frozen=True, slots=True)
class FnLife:
    """One reading of what the FN still holds back and how long it lasts.

    `unsent` documents wait for the ОФД's ticket, the first is `first_unsent_fd` of `oldest_unsent`
    (the printer's local time); both None when all went.  `documents_left` and `expires` are None
    where the model does not say.
    """

    fn: str
    last_fd: int
    unsent: int
    first_unsent_fd: int | None
    oldest_unsent: datetime | None
    documents_left: int | None
    expires: date | None

    @property
    def delivered_fd(self) -> int:
        """Every document up to this one is at the ОФД: the FN hands them over in order."""
        return self.last_fd if self.first_unsent_fd is None else self.first_unsent_fd - 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of one row of a table of settings, counted from 1 as the vendor does."""

    table: int
    row: int
    field: int


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table of settings by the device's own words."""

    name: str
    rows: int
    fields: int


@dataclass(frozen=True, slots=True)
class FieldShape:
    """A field by the device's own words; `least` and `most` of a number alone."""

    name: str
    is_text: bool
    size: int  # bytes
    least: int | None = None
    most: int | None = None
