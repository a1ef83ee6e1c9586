"""Settings of Hypothesis for every suite: the same examples everywhere unless asked for more."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

_ALL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("ci", _ALL, max_examples=60, derandomize=True, database=None)
settings.register_profile("search", _ALL, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="ask more, and in real time")
    parser.addoption("--hours", default="8", help="of the cuts that --long makes in real time")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: only with --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselected, not skipped: a skip would want a reason."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
