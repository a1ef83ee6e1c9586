"""Several printers: whose lane unfinished work belongs to, and how much of it there is.

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kktd.errors import NotFound
from kktd.model.device import FIRST_PRINTER
from kktd.store.connection import Db
from kktd.store.receipts import IN_BUFFER


@dataclass(frozen=True, slots=True)
class LaneCount:
    """The buffer as one printer's lane meets it: `queued` is everybody's, the rest its own."""

    queued: int
    waiting: int  # not known to be in the FN
    in_doubt: int


def count(db: Db, printer: str) -> LaneCount:
    """Reads only the rows still on their way."""
    counts = db.execute(
        f"""SELECT count(*),
              count(*) FILTER (WHERE printer = ?1
                AND print_state IN ('accepted', 'printing', 'in_doubt')),
              count(*) FILTER (WHERE printer = ?1 AND print_state = 'in_doubt')
            FROM receipts WHERE {IN_BUFFER}""",
        (printer,),
    ).fetchone()
    return LaneCount(*(counts or (0, 0, 0)))


def of_receipt(db: Db, receipt_id: str) -> str:
    """The printer a receipt belongs to; raises NotFound."""
    for (printer,) in db.execute("SELECT printer FROM receipts WHERE id = ?", (receipt_id,)):
        return str(printer)
    raise NotFound("no such receipt", receipt_id=receipt_id)


_UNFINISHED: Final = {
    "receipts": """SELECT id, pos_id, printer, print_state != 'accepted' FROM receipts
      WHERE unfinished = 1
        AND print_state IN ('accepted', 'printing', 'in_doubt', 'registered')""",
    "operations": """SELECT id, pos_id, printer, state != 'accepted' FROM operations
      WHERE state IN ('accepted', 'sent', 'in_doubt')""",
}


def rehome(db: Db, printer_of: Mapping[str, str]) -> None:
    """After a change of the settings: what was not sent goes to the printer its till has now.

    What was sent stays with its printer, which alone can settle it, while there is one of that
    name.  A till that is served no more leaves its work to the first.
    """
    for table, unfinished in _UNFINISHED.items():
        for row_id, pos_id, printer, sent in db.execute(unfinished).fetchall():
            stays = sent and printer in printer_of.values()
            becomes = printer if stays else printer_of.get(str(pos_id), FIRST_PRINTER)
            if becomes != printer:
                db.execute(f"UPDATE {table} SET printer = ? WHERE id = ?", (becomes, row_id))
