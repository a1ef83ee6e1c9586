"""The tables: strict, kopecks, the names of the model, and no hot query that reads the history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from kktd.errors import NotFound
from kktd.model.receipt import PaymentMethod, ReceiptType
from kktd.model.states import Delivery, FiscalState, OperationState, Step
from kktd.store import buffer, keys, maintenance, operations, receipts, sessions
from kktd.store.connection import Db
from kktd.store.migrate import scripts
from kktd.store.operations import OperationKind
from kktd.store.store import Store
from kktd.store.tokens import Role
from tests.support.stores import DIGEST, FN, INTENT, Numbers, a_document, accept, fill_history

HISTORY = 100_000


def table(store: Store, name: str) -> str:
    return store.read(
        lambda db: str(db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).get)
    )


@pytest.mark.parametrize(
    ("table_name", "column", "names"),
    [
        ("receipts", "print_state", FiscalState),
        ("receipts", "status", Delivery),
        ("receipts", "type", ReceiptType),
        ("operations", "state", OperationState),
        ("operations", "kind", OperationKind),
        ("cash_transactions", "payment_method", PaymentMethod),
        ("tokens", "role", Role),
    ],
)
def test_the_model_and_the_check_name_the_same_values(
    store: Store, table_name: str, column: str, names: type[FiscalState]
) -> None:
    found = re.search(rf"CHECK \({column} IN\s*\(([^)]*)\)", table(store, table_name))
    assert found is not None
    assert re.findall(r"'(\w+)'", found[1]) == [str(one) for one in names]


def test_every_table_is_strict(store: Store) -> None:
    tables = store.read(lambda db: db.execute("PRAGMA table_list").fetchall())
    loose = [row[1] for row in tables if row[2] == "table" and not row[5] and row[0] == "main"]
    assert [name for name in loose if not str(name).startswith("sqlite_")] == []


def test_no_column_holds_a_binary_fraction() -> None:
    for sql in scripts().values():
        assert not re.search(r"\b(REAL|FLOAT|DOUBLE|NUMERIC|ANY)\b", sql, re.IGNORECASE)


@pytest.mark.parametrize("column", ["print_state", "status", "type"])
def test_the_database_refuses_an_unknown_state(store: Store, numbers: Numbers, column: str) -> None:
    receipt = accept(store, numbers)
    with pytest.raises(apsw.ConstraintError):
        store.write(
            lambda db: db.execute(
                f"UPDATE receipts SET {column} = 'other' WHERE id = ?", (receipt.id,)
            )
        )


def test_a_document_number_and_the_state_go_together(store: Store, numbers: Numbers) -> None:
    receipt = accept(store, numbers)
    with pytest.raises(apsw.ConstraintError):
        store.write(
            lambda db: db.execute(
                "UPDATE receipts SET print_state = 'printed' WHERE id = ?", (receipt.id,)
            )
        )


def test_one_document_of_the_fn_belongs_to_one_receipt(store: Store, numbers: Numbers) -> None:
    first, second = accept(store, numbers), accept(store, numbers)

    def confirm(db: Db, receipt_id: str) -> None:
        receipts.begin_printing(db, receipt_id, INTENT, 1)
        receipts.confirm(db, receipt_id, FiscalState.PRINTING, a_document(first, 101), 1)

    store.write(lambda db: confirm(db, first.id))
    with pytest.raises(apsw.ConstraintError):
        store.write(lambda db: confirm(db, second.id))


def test_the_number_of_an_event_never_comes_again(store: Store) -> None:
    def add(db: Db) -> int:
        db.execute("INSERT INTO buffer_events (event_type, timestamp) VALUES ('x', 1)")
        return db.last_insert_rowid()

    store.write(add)
    last = store.write(add)
    store.write(lambda db: db.execute("DELETE FROM buffer_events"))
    assert store.write(add) == last + 1


# ---- query plans --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def old_till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """10⁵ delivered receipts, and a few on their way."""
    store = Store(tmp_path_factory.mktemp("old") / "kktd.db")
    fill_history(store, HISTORY)
    numbers = Numbers()
    for _ in range(3):
        accept(store, numbers)
    yield store
    store.close()


def a_stored_receipt(db: Db) -> receipts.StoredReceipt:
    return receipts.find_at_printer(db)[1]


def find_nothing(db: Db, search: Callable[[Db, str], object]) -> None:
    with pytest.raises(NotFound):
        search(db, "nobody")


HOT: dict[str, Callable[[Db], object]] = {
    "count_buffer": buffer.count_buffer,
    "count_queued": buffer.count_queued,
    "count_ahead": lambda db: buffer.count_ahead(db, a_stored_receipt(db)),
    "find_at_printer": receipts.find_at_printer,
    "hold_waiting": receipts.hold_waiting,
    "find_known_documents": lambda db: receipts.find_known_documents(db, FN, HISTORY),
    "find_to_deliver": lambda db: receipts.find_to_deliver(db, 20),
    "find_copies_asked": receipts.find_copies_asked,
    "highest_stamp": receipts.highest_stamp,
    "recover": receipts.recover,
    "find": lambda db: find_nothing(db, receipts.find),
    "find_intent": lambda db: find_nothing(db, receipts.find_intent),
    "key": lambda db: keys.find(db, "nobody", DIGEST),
    "receipt answer": lambda db: keys.store_receipt_answer(db, "nobody", 200, {}),
    "operation answer": lambda db: keys.store_operation_answer(db, "nobody", 200, {}),
    "open operations": operations.find_open,
    "recover operations": operations.recover,
    "open session": lambda db: sessions.find_open(db, "POS-001"),
    "unsynced tenders": lambda db: sessions.count_unsynced_transactions(db, "POS-001"),
    "advance": lambda db: receipts.advance(
        db, a_stored_receipt(db).id, Step.SEND, FiscalState.ACCEPTED
    ),
    "maintenance": maintenance.find,
    "session": lambda db: sessions.ensure(db, "POS-001", FN, 1, 1),
}
SMALL_TABLES = {"pos_sessions", "operations"}  # a row a shift: a scan reads a page or two


def scans(db: Db, query: Callable[[Db], object]) -> list[str]:
    """Steps of the plans of all statements of `query` that read a whole table."""
    statements: list[tuple[str, object]] = []

    def note(_cursor: apsw.Cursor, sql: str, values: object) -> bool:
        statements.append((sql, values))
        return True

    db.exec_trace = note
    try:
        query(db)
    finally:
        db.exec_trace = None
    assert statements
    found = []
    for sql, values in statements:
        for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values):  # type: ignore[arg-type]
            step = str(row[3])
            if re.match(r"SCAN (?!CONSTANT)\w+$", step):
                found.append(f"{step}: {' '.join(sql.split())}")
    return found


class _Undo(Exception):
    pass


@pytest.mark.parametrize("name", HOT)
def test_no_hot_query_reads_the_history(old_till: Store, name: str) -> None:
    found: list[str] = []

    def work(db: Db) -> None:
        found.extend(scans(db, HOT[name]))
        raise _Undo

    with pytest.raises(_Undo):
        old_till.write(work)
    # Last first and one row is no scan of the history.
    bad = [one for one in found if "ORDER BY rowid DESC LIMIT 1" not in one]
    assert [one for one in bad if one.split(":")[0].split()[1] not in SMALL_TABLES] == []


def test_the_check_of_plans_sees_a_scan(old_till: Store) -> None:
    def query(db: Db) -> object:
        return db.execute("SELECT id FROM receipts WHERE print_state = 'printing'").fetchall()

    def work(db: Db) -> None:
        assert len(scans(db, query)) == 1
        raise _Undo

    with pytest.raises(_Undo):
        old_till.write(work)


def test_a_sale_writes_no_more_pages_however_long_the_history(
    old_till: Store, tmp_path: Path
) -> None:
    """Each page is flash that wears: the receipt, its id, what is unfinished, the key twice.

    Ids are random, and now and then a leaf of an index splits: 52 to 100 pages were seen for ten
    sales, 6.8 a sale in the mean whatever the history.  Only the mean of many says something.
    """

    def pages_of_a_sale(store: Store) -> float:
        written = 0
        for _ in range(20):
            store.checkpoint(truncate=True)
            for _ in range(10):
                accept(store, numbers)
            written += store.wal_pages
        return written / 200

    numbers = Numbers(stamp=10)
    young = Store(tmp_path / "young.db")
    assert pages_of_a_sale(young) <= 8
    assert pages_of_a_sale(old_till) <= 8
    young.close()
