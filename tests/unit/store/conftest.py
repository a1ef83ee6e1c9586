"""A new store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kktd.store.store import Store
from tests.support.stores import Numbers


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "kktd.db")
    yield store
    store.close()


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()
