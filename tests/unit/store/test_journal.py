"""Events page by page: order of the ids, a border in time found without reading the history."""

from __future__ import annotations

from kktd.events import Event
from kktd.store import journal, maintenance
from kktd.store.connection import Db
from kktd.store.maintenance import Maintenance
from kktd.store.store import Store

ALL = ("INFO", "WARN", "ERROR", "CRITICAL")


def fill(store: Store, instants_ms: list[int]) -> None:
    def work(db: Db) -> None:
        for at_ms in instants_ms:
            journal.append(db, Event.SYNC_START, at_ms, trigger="manual")

    store.write(work)


def test_a_page_is_newest_first_and_counts_all(store: Store) -> None:
    fill(store, list(range(1, 11)))
    total, found = store.read(lambda db: journal.find_page(db, ALL, None, 3, 3))
    assert (total, [one.timestamp_ms for one in found]) == (10, [7, 6, 5])
    assert found[0].facts == {"trigger": "manual"}
    assert store.read(lambda db: journal.find_page(db, ("ERROR",), None, 3, 0)) == (0, [])


def test_since_finds_every_border_even_with_gaps(store: Store) -> None:
    fill(store, [10, 10, 20, 30, 30, 30, 40])
    store.write(lambda db: db.execute("DELETE FROM buffer_events WHERE id IN (1, 4, 5)"))
    for since_ms, left in ((0, 4), (10, 4), (11, 3), (20, 3), (21, 2), (30, 2), (40, 1), (41, 0)):
        total, _ = store.read(lambda db, at=since_ms: journal.find_page(db, ALL, at, 9, 0))  # type: ignore[misc]
        assert total == left, since_ms


def test_nothing_is_kept_yet(store: Store) -> None:
    assert store.read(lambda db: journal.find_page(db, ALL, 5, 9, 0)) == (0, [])


def test_maintenance_is_one_row_with_its_events(store: Store) -> None:
    first = Maintenance("FN", "Petrov", 1_000, 45)
    store.write(lambda db: maintenance.begin(db, first))
    second = Maintenance("paper", "Petrov", 1_100, 5)
    store.write(lambda db: maintenance.begin(db, second))
    assert store.read(maintenance.find) == second
    assert second.expected_end_s == 1_400
    assert store.write(lambda db: maintenance.end(db, "Ivanov", 1_200)) == second
    assert store.write(lambda db: maintenance.end(db, "Ivanov", 1_200)) is None
    assert store.read(maintenance.find) is None
    _, found = store.read(lambda db: journal.find_page(db, ALL, None, 9, 0))
    assert [one.event for one in found] == ["maintenance_finished"] + ["maintenance_started"] * 2
    assert found[0].facts == {"reason": "paper", "user": "Ivanov", "duration_seconds": 100}
