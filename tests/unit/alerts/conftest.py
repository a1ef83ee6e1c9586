"""A watch over facts that a test sets, and a channel that hears."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kktd import log
from kktd.alerts.outbox import Raised
from kktd.alerts.table import Facts
from kktd.alerts.watch import AlertWatch
from kktd.store.store import Store
from tests.support.clock import VirtualClock

CALM = Facts(
    queued=0,
    percent_full=0,
    dlq=0,
    held=0,
    unsent_s=0,
    circuit_closed=True,
    sync_running_s=0,
    ofd_stopped=False,
    ofd_throttled=False,
    disk_failed=False,
    capacity_raised=False,
    printer_remedy=None,
    fn_ended=False,
    shift_age_s=0,
    drift_s=None,
    odoo_silent_s=None,
)


class Ear:
    """A channel of memory; `deaf`: it takes nothing."""

    def __init__(self, name: str = "ear") -> None:
        self.name = name
        self.deaf = False
        self.closed = False
        self.calls = 0
        self.heard: list[tuple[str, str]] = []
        self.standing: list[str] = []

    def send(self, news: Sequence[Raised], standing: Sequence[Raised]) -> bool:
        self.calls += 1
        if self.deaf:
            return False
        self.heard += [
            (one.alert.name, "firing" if one.ended_s is None else "resolved") for one in news
        ]
        self.standing = [one.alert.name for one in standing]
        return True

    def close(self) -> None:
        self.closed = True


class WatchBench:
    """`restart` is a kill: the file stays."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.facts = CALM
        self.ear = Ear()
        self._path = folder / "kktd.db"
        self._log = io.StringIO()
        log.configure(self._log)
        self.start()

    def start(self) -> None:
        self.store = Store(self._path)
        self.watch = AlertWatch(self.clock, self.store, lambda: self.facts, [self.ear])

    def restart(self) -> None:
        self.store.close()
        self.ear = Ear()
        self.start()

    def now(self, **facts: Any) -> None:
        self.facts = replace(CALM, **facts)

    def run(self, seconds: float) -> None:
        """Steps as its worker makes them."""
        until_s = self.clock.monotonic_s() + seconds
        while self.clock.monotonic_s() < until_s:
            self.clock.advance_to(self.watch.step(self.clock.monotonic_s()))

    def raised(self) -> list[str]:
        return [one.alert.name for one in self.watch.raised]

    def lines(self, name: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self._log.getvalue().splitlines()]
        return [line for line in found if line["event"] == name]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[WatchBench]:
    made = WatchBench(tmp_path)
    yield made
    made.store.close()
    log.configure()
