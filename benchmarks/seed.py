"""Databases as a till has them after hours or years, made without selling."""

from __future__ import annotations

from pathlib import Path

from kktd.store.store import Store
from tests.support.stores import Numbers, accept, fill_history, finish_paper, register


def fill_queue(database: Path, count: int) -> None:
    """Receipts the FN holds and the ОФД does not."""
    store = _create(database)
    numbers = Numbers()
    for _ in range(count):
        receipt = accept(store, numbers)
        register(store, numbers, receipt)
        finish_paper(store, receipt)
    store.close()


def fill_past(database: Path, count: int) -> None:
    """Receipts everybody has."""
    store = _create(database)
    fill_history(store, count)
    store.close()


def _create(database: Path) -> Store:
    database.parent.mkdir(mode=0o700, exist_ok=True)
    return Store(database)
