"""One till with its API for a module's tests; tests that stop it or need another make their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import ApiBench


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[ApiBench]:
    made = ApiBench(tmp_path_factory.mktemp("till"), certificates)
    yield made
    made.close()


@pytest.fixture
def own_bench(tmp_path: Path, certificates: Path) -> Iterator[ApiBench]:
    """For a test that restarts the till or fills its buffer."""
    made = ApiBench(tmp_path, certificates)
    yield made
    made.close()
