"""A damaged database is set aside whole, and every row that still reads goes into a new one.

What a row says may be older than what happened, so that nothing unfinished is believed: it is in
doubt, and the FN settles it.  Every step can be cut and is taken up at the next start.
Source: design 3; docs/decisions, 017.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import apsw

from kktd.errors import StoreCorrupt
from kktd.model.codec import load_document, load_receipt
from kktd.model.receipt import ReceiptId
from kktd.model.states import Delivery, FiscalState
from kktd.store import operations, receipts
from kktd.store.connection import Db
from kktd.store.image import open_image, read_wal, wal_of
from kktd.store.migrate import migrate
from kktd.store.salvages import note_found

READS_MAX: Final = 1_000  # queries spent on what lies between two broken pages of one table
_NOT_COPIED: Final = frozenset({"leases", "salvages", "salvage_counts"})
_IN_FN: Final = frozenset({FiscalState.REGISTERED, FiscalState.PRINTED})
_ENDED: Final = frozenset({FiscalState.REFUSED, FiscalState.CANCELLED})


def suspect(path: Path) -> str | None:
    """Why a file that may look whole cannot be believed; None if nothing speaks against it.

    A till never deletes its WAL: a file of ours without one is a copy from elsewhere, or has lost
    what was committed last.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    if not wal_of(path).exists():
        return "wal_missing"
    return "wal_damaged" if read_wal(wal_of(path)).is_cut else None


def check_rows(db: Db) -> None:
    """Everything unfinished can be worked with; raises StoreCorrupt."""
    try:
        receipts.find_at_printer(db)
        receipts.find_to_deliver(db, -1)
        operations.find_open(db)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreCorrupt("a row cannot be read", reason=repr(error)) from error


def finish_swap(path: Path) -> None:
    """If the new file was whole when power went, it takes its place now."""
    made = path.with_name(path.name + ".salvaged")
    if made.exists():
        _swap(path, made, _stamp(made.stat().st_mtime))


def salvage(path: Path, reason: str, now_s: float) -> None:
    """Set `path` and its WAL aside and put what reads of them in its place.  Raises apsw.Error,
    OSError: then the old file is where it was."""
    partial = path.with_name(path.name + ".salvaging")
    for old in (partial, wal_of(partial)):
        old.unlink(missing_ok=True)
    stamp = _stamp(now_s)
    new = apsw.Connection(str(partial))
    try:
        migrate(new)
        new.pragma("foreign_keys", 0)
        image = open_image(path)
        with new:
            lost = {name: _copy(image, new, name) for name in _tables(new)}
            _drop_orphans(new, lost)
            found = {name: count for name, count in lost.items() if count}
            note_found(new, reason, int(now_s), f"{path.name}.damaged-{stamp}", found)
        image.close(True)
    finally:
        new.close(True)
    _flush(partial)
    made = path.with_name(path.name + ".salvaged")
    partial.rename(made)
    _swap(path, made, stamp)


def _swap(path: Path, made: Path, stamp: str) -> None:
    """The WAL first: a new file beside an old WAL would be read with it."""
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    _flush(path.parent)
    made.rename(path)
    _flush(path.parent)


def _stamp(now_s: float) -> str:
    return f"{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}"


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# ---- rows ---------------------------------------------------------------------------------------


def _tables(new: Db) -> list[str]:
    rows = new.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    names = [str(row[0]) for row in rows]
    return [name for name in names if name not in _NOT_COPIED and not name.startswith("sqlite_")]


def _copy(image: Db, new: Db, table: str) -> int:
    """Every row that reads and may stand; returns how many that read were refused."""
    columns = [str(row[1]) for row in new.execute(f"PRAGMA table_xinfo({table})") if row[6] == 0]
    keys = [str(row[1]) for row in new.execute(f"PRAGMA table_info({table})") if row[5]]
    without_rowid = any(
        row[1] == table and row[4] for row in new.execute("PRAGMA table_list").fetchall()
    )
    marks = ", ".join("?" * len(columns))
    into = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    lost = 0
    for row in _Reader(image, table, columns, keys[0] if without_rowid else None).rows():
        values = _believed(table, dict(zip(columns, row, strict=True)), image)
        if values is None:
            lost += 1
            continue
        try:
            new.execute(into, [values[name] for name in columns])
            lost += new.changes() == 0
        except apsw.Error:
            lost += 1
    return lost


class _Reader:
    """Reads one table from both ends, and from between the broken pages where it has row ids."""

    def __init__(self, image: Db, table: str, columns: list[str], key: str | None) -> None:
        # As bytes: text that is none has to be seen here, and not in the middle of a sale.
        picked = ", ".join(
            f"CASE typeof({one}) WHEN 'text' THEN CAST({one} AS BLOB) ELSE {one} END, "
            f"typeof({one}) = 'text'"
            for one in columns
        )
        self._key = key
        order = key or "rowid"
        self._query = f"SELECT {order}, {picked} FROM {table} NOT INDEXED"
        self._order = order
        self._image = image
        self._reads = READS_MAX
        self._seen: set[object] = set()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        if self._key is not None:
            yield from self._scan("", (), "ASC")
            yield from self._scan("", (), "DESC")
            return
        yield from self._between(-1, 1 << 48)

    def _between(self, low: int, high: int) -> Iterator[tuple[Any, ...]]:
        """Rows with ids above `low` and below `high`; halved where both ends are broken."""
        todo = [(low, high)]
        while todo and self._reads > 0:
            low, high = todo.pop()
            where = "WHERE rowid > ? AND rowid < ?"
            first = last = None
            for first in self._scan(where, (low, high), "ASC"):
                low = max(low, first[0])
                yield first[1:]
            if self._whole:
                continue
            for last in self._scan(where, (low, high), "DESC"):
                high = min(high, last[0])
                yield last[1:]
            if self._whole or high - low <= 2:
                continue
            middle = (low + high) // 2
            todo += [(low, middle + 1), (middle, high)]

    def _scan(self, where: str, values: tuple[int, ...], way: str) -> Iterator[tuple[Any, ...]]:
        self._whole = False
        self._reads -= 1
        try:
            for row in self._image.execute(
                f"{self._query} {where} ORDER BY {self._order} {way}", values
            ):
                if row[0] in self._seen:
                    continue
                self._seen.add(row[0])
                decoded = _decode(row[1:])
                if decoded is not None:
                    yield (row[0], *decoded) if self._key is None else decoded
        except (apsw.Error, UnicodeDecodeError):
            return
        self._whole = True


def _decode(pairs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Text again; None if some of it is none."""
    try:
        return tuple(
            value.decode("utf-8") if is_text else value
            for value, is_text in zip(pairs[::2], pairs[1::2], strict=True)
        )
    except UnicodeDecodeError:
        return None


# ---- what is believed ---------------------------------------------------------------------------


def _believed(table: str, row: dict[str, Any], image: Db) -> dict[str, Any] | None:
    """The row as it may stand in the new file, or None: nobody could work with it."""
    try:
        match table:
            case "receipts":
                return _receipt(row)
            case "operations":
                return _operation(row)
            case "buffer_events":
                json.loads(row["metadata"] or "{}")
            case "idempotency_keys":
                json.loads(row["answer"] or "{}")
            case "pos_sessions":
                json.loads(row["z_report_data"] or "{}")
            case "dlq":
                load_document(row["fiscal_doc"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return row


def _receipt(row: dict[str, Any]) -> dict[str, Any] | None:
    """In the FN with its numbers, ended without a document, or in doubt."""
    receipt = load_receipt(ReceiptId(row["id"]), row["request"])
    json.loads(row["problem"] or "{}")
    if receipt.total != row["total_kopecks"]:
        return None
    state = row["print_state"]
    if row["fd"] is not None:
        document = load_document(row["fiscal_doc"])
        if (document.fn, document.fd, document.fp) != (row["fn"], row["fd"], row["fp"]):
            return None
        row["print_state"] = state if state in _IN_FN else FiscalState.REGISTERED
        # Delivered twice is harmless, the ОФД knows it by its id; not delivered is not.
        if row["status"] not in (Delivery.SYNCED, Delivery.FAILED):
            row["status"] = Delivery.PENDING
    elif state not in _ENDED:
        row |= {"print_state": FiscalState.IN_DOUBT, "held": 0, "status": Delivery.PENDING}
    return row


def _operation(row: dict[str, Any]) -> dict[str, Any]:
    """Done, refused or in doubt; what was never begun, as far as is known, is not begun now."""
    json.loads(row["request"])
    json.loads(row["result"] or "{}")
    if row["state"] not in ("done", "refused", "in_doubt", "sent"):
        result = {"code": "STALE_STATE", "remedy": "STALE_STATE"}
        row |= {"state": "refused", "result": json.dumps(result), "finished_at": row["created_at"]}
    elif row["state"] == "sent":
        row["state"] = "in_doubt"
    return row


def _drop_orphans(new: Db, lost: dict[str, int]) -> None:
    """What refers to a lost row.  A tender stays in its drawer, a key stays used: never again."""
    new.execute(
        """UPDATE cash_transactions SET receipt_id = NULL
           WHERE receipt_id IS NOT NULL AND receipt_id NOT IN (SELECT id FROM receipts)"""
    )
    new.execute(
        """UPDATE idempotency_keys SET receipt_id = NULL
           WHERE receipt_id IS NOT NULL AND receipt_id NOT IN (SELECT id FROM receipts)"""
    )
    new.execute("""DELETE FROM dlq WHERE original_receipt_id NOT IN (SELECT id FROM receipts)""")
    for _ in range(2):
        for table in lost:
            for row in new.execute(f"PRAGMA foreign_key_list({table})").fetchall():
                parent, child, key = row[2], row[3], row[4]
                new.execute(
                    f"""DELETE FROM {table} WHERE {child} IS NOT NULL
                        AND {child} NOT IN (SELECT {key} FROM {parent})"""
                )
                lost[table] += new.changes()
    # In doubt without an intent that could settle it: the counters of a movement are gone.
    result = json.dumps({"code": "CASH_UNCLEAR", "remedy": "cash_unclear"})
    columns = [str(row[1]) for row in new.execute("PRAGMA table_info(operations)")]
    changed = {"state": "'refused'", "result": "?1", "finished_at": "created_at"}
    new.execute(
        f"""INSERT OR REPLACE INTO operations ({", ".join(columns)})
            SELECT {", ".join(changed.get(one, one) for one in columns)} FROM operations AS o
            WHERE state = 'in_doubt'
              AND NOT EXISTS (SELECT 1 FROM intents WHERE operation_id = o.id)""",
        (result,),
    )
