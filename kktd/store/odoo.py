"""What Odoo has of this till, and what this till has of Odoo's catalogue (contract 7).

All functions take the writer inside Store.write, or a reader inside Store.read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kktd.events import Event
from kktd.model.money import Kopecks
from kktd.model.product import Product
from kktd.model.receipt import Measure, Subject, VatRate
from kktd.store import journal
from kktd.store.connection import Db

# Stored names of events.py that Odoo hears of; the rest of the journal is the till's own.
TOLD: Final = (
    "receipt_registered",
    "receipt_settled",
    "receipt_refused",
    "receipt_synced",
    "receipt_failed",
    "cash_paid_in",
    "cash_paid_out",
    "shift_opened",
    "shift_closed",
    "dlq_resolved",
    "balance_mismatch",
)
_MARKS: Final = ", ".join("?" * len(TOLD))
_PRODUCT: Final = "sku, barcode, name, price, vat, measure, subject"


@dataclass(frozen=True, slots=True)
class Untold:
    """One event Odoo has not; `seq` rises and is never used twice."""

    seq: int
    type: str
    receipt_id: str | None
    timestamp_ms: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """`told_up_to`: seq of the last event Odoo has; `cursor` of the catalogue."""

    told_up_to: int = 0
    cursor: str = ""
    imported_at_s: int | None = None


def progress(db: Db) -> Progress:
    for row in db.execute("SELECT told_up_to, cursor, imported_at FROM odoo"):
        return Progress(*row)
    return Progress()


def find_untold(db: Db, limit: int) -> list[Untold]:
    """The next events for Odoo, oldest first."""
    rows = db.execute(
        f"""SELECT id, event_type, receipt_id, timestamp, metadata FROM buffer_events
            WHERE id > ? AND event_type IN ({_MARKS}) ORDER BY id LIMIT ?""",
        (progress(db).told_up_to, *TOLD, limit),
    )
    return [
        Untold(row[0], row[1], row[2], row[3], json.loads(row[4]) if row[4] else {}) for row in rows
    ]


def note_told(db: Db, told: Sequence[Untold], up_to: int, now_s: int) -> None:
    """Odoo has them: never again, and their tenders are synced.  It never goes backwards."""
    db.execute(
        """INSERT INTO odoo (id, told_up_to) VALUES (1, ?1)
           ON CONFLICT (id) DO UPDATE SET told_up_to = max(told_up_to, ?1)""",
        (up_to,),
    )
    for one in told:
        if one.seq > up_to:
            continue
        for column, value in (
            ("receipt_id", one.receipt_id),
            ("operation_id", one.facts.get("operation_id")),
        ):
            if value is not None:
                db.execute(
                    f"""UPDATE cash_transactions SET synced_to_odoo = 1, synced_at = ?
                        WHERE synced_to_odoo = 0 AND {column} = ?""",
                    (now_s, value),
                )


def skip(db: Db, one: Untold, reason: str, now_ms: int) -> None:
    """Odoo refuses this one for good: those after it go on, and a person hears of it."""
    db.execute(
        """INSERT INTO odoo (id, told_up_to) VALUES (1, ?1)
           ON CONFLICT (id) DO UPDATE SET told_up_to = max(told_up_to, ?1)""",
        (one.seq,),
    )
    journal.append(
        db,
        Event.ODOO_EVENT_REFUSED,
        now_ms,
        receipt_id=one.receipt_id,
        seq=one.seq,
        type=one.type,
        error=reason,
    )


def store_page(
    db: Db, items: Iterable[Product], deleted: Iterable[str], cursor: str, now_s: int
) -> None:
    """One page of the catalogue and how far it goes, together."""
    for sku in deleted:
        db.execute("DELETE FROM products WHERE sku = ?", (sku,))
    for one in items:
        db.execute(
            f"""INSERT OR REPLACE INTO products ({_PRODUCT}, folded)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                one.sku,
                one.barcode,
                one.name,
                one.price,
                one.vat,
                one.measure,
                one.subject,
                one.name.casefold(),
            ),
        )
    db.execute(
        """INSERT INTO odoo (id, cursor, imported_at) VALUES (1, ?1, ?2)
           ON CONFLICT (id) DO UPDATE SET cursor = ?1, imported_at = ?2""",
        (cursor, now_s),
    )


def find_products(
    db: Db, *, sku: str | None, barcode: str | None, name: str | None, limit: int
) -> list[Product]:
    """By SKU, by barcode, or by a part of the name in any case."""
    if sku is not None:
        rows = db.execute(f"SELECT {_PRODUCT} FROM products WHERE sku = ?", (sku,))
    elif barcode is not None:
        rows = db.execute(f"SELECT {_PRODUCT} FROM products WHERE barcode = ?", (barcode,))
    else:
        rows = db.execute(
            f"""SELECT {_PRODUCT} FROM products WHERE instr(folded, ?) > 0
                ORDER BY folded LIMIT ?""",
            ((name or "").casefold(), limit),
        )
    return [_product(row) for row in rows][:limit]


def count_products(db: Db) -> int:
    for (number,) in db.execute("SELECT count(*) FROM products"):
        return int(str(number))
    return 0


def _product(row: tuple[Any, ...]) -> Product:
    return Product(
        sku=row[0],
        barcode=row[1],
        name=row[2],
        price=Kopecks(row[3]),
        vat=VatRate(row[4]),
        measure=Measure(row[5]),
        subject=Subject(row[6]),
    )
