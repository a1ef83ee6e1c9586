"""A till in one thread under a virtual clock, closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.till import TillBench


@pytest.fixture
def till(tmp_path: Path) -> Iterator[TillBench]:
    bench = TillBench(tmp_path)
    yield bench
    bench.close()
