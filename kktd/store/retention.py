"""What the database lets go of, and when: one table of kinds, each found by a reader, then dropped.

Ages are counted only between instants that can be true: what was stored while the clock stood in
1970 stays.  All `find` take a reader inside Store.read, all `drop` the writer inside Store.write.
Source: contract 4 (7, 90, 90 days) and 2.9; docs/decisions, 012.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from kktd.store.connection import Db
from kktd.store.odoo import TOLD

DAY_S: Final = 86_400
SYNCED_S: Final = 7 * DAY_S  # receipts, keys
KEPT_S: Final = 90 * DAY_S  # DLQ, events, and what never became a document
PAST_S: Final = 3 * 365 * DAY_S  # the longest an FN lasts: 36 months
FOUND_MAX: Final = 200
CLOCK_TRUE_S: Final = 1_735_689_600  # 2025-01-01: no till sold before, an instant below is no date

_TOLD: Final = ", ".join(f"'{name}'" for name in TOLD)


@dataclass(frozen=True, slots=True)
class Limits:
    """`now_s`: the wall clock as far as it is believed.  `has_odoo`: it has to have heard first."""

    now_s: int
    has_odoo: bool

    @property
    def names(self) -> dict[str, int]:
        """For the statements below."""
        return {
            "true": CLOCK_TRUE_S,
            "synced": self.now_s - SYNCED_S,
            "kept": self.now_s - KEPT_S,
            "past": self.now_s - PAST_S,
            "odoo": int(self.has_odoo),
        }


class Drop(Protocol):
    def __call__(self, db: Db, keys: list[str | int]) -> None: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one sort.  `at_once`: how many one transaction drops, so that no sale waits."""

    name: str
    at_once: int
    query: str  # keys of what may go, the oldest first; named parameters of Limits
    drop: Drop

    def find(self, db: Db, limits: Limits) -> list[str | int]:
        """The next of them; empty when nothing is old enough."""
        rows = db.execute(f"{self.query} LIMIT {FOUND_MAX}", limits.names)
        return [row[0] for row in rows]


def is_at_work(db: Db) -> bool:
    """Whether a receipt or an operation is on its way through the printer."""
    rows = db.execute(
        """SELECT EXISTS (SELECT 1 FROM receipts WHERE unfinished = 1 AND (
             print_state IN ('printing', 'in_doubt') OR (print_state = 'accepted' AND held = 0)))
           OR EXISTS (SELECT 1 FROM operations WHERE state IN ('accepted', 'sent', 'in_doubt'))"""
    )
    return bool(rows.get)


# What Odoo has not heard of, by the receipt it is about.
_UNTOLD: Final = f"""SELECT receipt_id FROM buffer_events WHERE :odoo AND receipt_id IS NOT NULL
  AND id > coalesce((SELECT told_up_to FROM odoo), 0) AND event_type IN ({_TOLD})"""

_TENDERS: Final = """SELECT t.id FROM pos_sessions AS s
  JOIN cash_transactions AS t USING (session_id)
  WHERE s.status = 'closed' AND s.closed_at BETWEEN :true AND :synced
    AND (t.synced_to_odoo = 1 OR NOT :odoo)"""

# The newest row stays: the hybrid clock goes on from it.  A refund stays as long as its original,
# so that what was refunded is counted in one place at a time.
_RECEIPTS: Final = f"""SELECT id FROM receipts AS r
  WHERE unfinished = 0 AND print_asked_at IS NULL
    AND hlc_local_time BETWEEN :true AND :synced
    AND ((status = 'synced' AND synced_at BETWEEN :true AND :synced)
      OR (print_state IN ('refused', 'cancelled') AND hlc_local_time <= :kept))
    AND rowid < (SELECT max(rowid) FROM receipts)
    AND NOT EXISTS (SELECT 1 FROM dlq WHERE original_receipt_id = r.id)
    AND id NOT IN (SELECT receipt_id FROM cash_transactions WHERE receipt_id IS NOT NULL)
    AND id NOT IN ({_UNTOLD})
    AND (type != 'refund' OR NOT EXISTS (SELECT 1 FROM receipts AS o
      WHERE o.fn = r.request ->> '$.original.fn' AND o.fd = r.request ->> '$.original.fd'))
  ORDER BY rowid"""

_KEYS: Final = """SELECT key FROM idempotency_keys AS k
  LEFT JOIN receipts AS r ON r.id = k.receipt_id
  LEFT JOIN operations AS o ON o.id = k.operation_id
  WHERE k.created_at BETWEEN :true AND :synced
    AND (r.id IS NULL OR r.status = 'synced' OR r.print_state IN ('refused', 'cancelled'))
    AND (o.id IS NULL OR o.state IN ('done', 'refused'))"""

_OPERATIONS: Final = """SELECT id FROM operations AS o
  WHERE state IN ('done', 'refused') AND finished_at BETWEEN :true AND :kept
    AND NOT EXISTS (SELECT 1 FROM idempotency_keys WHERE operation_id = o.id)
    AND id NOT IN (SELECT operation_id FROM cash_transactions WHERE operation_id IS NOT NULL)"""

# From the oldest on and only while they are old: one whose clock was wrong waits for the next.
_EVENTS: Final = """SELECT id FROM buffer_events
  WHERE id < coalesce(
      (SELECT id FROM buffer_events WHERE timestamp / 1000 > :kept ORDER BY id LIMIT 1), 0)
    AND timestamp / 1000 >= :true
    AND (NOT :odoo OR id <= coalesce((SELECT told_up_to FROM odoo), 0))
  ORDER BY id"""


def _drop(statement: str) -> Drop:
    def drop(db: Db, keys: list[str | int]) -> None:
        db.executemany(statement, [(key,) for key in keys])

    return drop


def _drop_receipts(db: Db, keys: list[str | int]) -> None:
    """Their numbers stay, a refund's sum with its original; one asked for meanwhile stays whole."""
    for receipt_id in keys:
        for _ in db.execute(
            "SELECT 1 FROM receipts WHERE id = ? AND unfinished = 0 AND print_asked_at IS NULL",
            (receipt_id,),
        ).fetchall():
            db.execute(
                """INSERT INTO past_documents
                     (fn, fd, fp, receipt_id, type, total_kopecks, registered_at)
                   SELECT fn, fd, fp, id, type, total_kopecks, coalesce(registered_at, created_at)
                   FROM receipts WHERE id = ? AND fd IS NOT NULL""",
                (receipt_id,),
            )
            db.execute(
                """UPDATE past_documents AS p
                   SET refunded_kopecks = refunded_kopecks + r.total_kopecks
                   FROM receipts AS r
                   WHERE r.id = ? AND r.type = 'refund' AND r.fd IS NOT NULL
                     AND p.fn = r.request ->> '$.original.fn'
                     AND p.fd = r.request ->> '$.original.fd'""",
                (receipt_id,),
            )
            db.execute("DELETE FROM idempotency_keys WHERE receipt_id = ?", (receipt_id,))
            db.execute("DELETE FROM intents WHERE receipt_id = ?", (receipt_id,))
            db.execute("DELETE FROM receipts WHERE id = ?", (receipt_id,))


def _drop_operations(db: Db, keys: list[str | int]) -> None:
    for operation_id in keys:
        db.execute("DELETE FROM intents WHERE operation_id = ?", (operation_id,))
        db.execute("DELETE FROM operations WHERE id = ?", (operation_id,))


# In this order: what refers goes before what it refers to.
KINDS: Final = (
    Kind("tenders", 50, _TENDERS, _drop("DELETE FROM cash_transactions WHERE id = ?")),
    Kind(
        "dead_letters",
        20,
        "SELECT id FROM dlq WHERE resolved_at BETWEEN :true AND :kept",
        _drop("DELETE FROM dlq WHERE id = ?"),
    ),
    # One costs a walk through the tenders, for the sake of their foreign key.
    Kind("receipts", 1, _RECEIPTS, _drop_receipts),
    Kind("keys", 20, _KEYS, _drop("DELETE FROM idempotency_keys WHERE key = ?")),
    Kind("operations", 1, _OPERATIONS, _drop_operations),
    Kind("events", 100, _EVENTS, _drop("DELETE FROM buffer_events WHERE id = ?")),
    Kind(
        "past_documents",
        50,
        "SELECT receipt_id FROM past_documents WHERE registered_at BETWEEN :true AND :past",
        _drop("DELETE FROM past_documents WHERE receipt_id = ?"),
    ),
)
