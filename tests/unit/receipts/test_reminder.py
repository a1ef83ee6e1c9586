"""A buffer that was made larger reminds of itself every four hours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.receipts.reminder import CapacityReminder
from kktd.store.store import Store
from tests.support.clock import VirtualClock

HOUR_S = 3_600


class Buffer:
    def __init__(self, store: Store) -> None:
        self.capacity = 200
        self.store = store
        self.clock = VirtualClock()
        self.reminder = CapacityReminder(self.clock, store, 200, lambda: self.capacity)

    def run(self, hours: float) -> None:
        until_s = self.clock.monotonic_s() + hours * HOUR_S
        while self.clock.monotonic_s() < until_s:
            self.reminder.step(self.clock.monotonic_s())
            self.clock.advance(60)
        self.reminder.step(self.clock.monotonic_s())

    def reminders(self) -> int:
        def count(db: Any) -> int:
            sql = "SELECT count(*) FROM buffer_events WHERE event_type = 'buffer_capacity_reminder'"
            return int(db.execute(sql).fetchone()[0])

        return self.store.read(count)


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    store = Store(tmp_path / "kktd.db")
    yield Buffer(store)
    store.close()


def test_the_usual_capacity_and_a_smaller_one_need_no_reminder(buffer: Buffer) -> None:
    buffer.run(9)
    buffer.capacity = 5
    buffer.run(9)
    assert (buffer.reminders(), buffer.reminder.due) == (0, False)


def test_a_raise_reminds_after_four_hours_and_again(buffer: Buffer) -> None:
    buffer.capacity = 300
    buffer.run(3.9)
    assert (buffer.reminders(), buffer.reminder.due) == (0, False)
    buffer.run(0.2)
    assert (buffer.reminders(), buffer.reminder.due) == (1, True)
    buffer.run(4)
    assert buffer.reminders() == 2


def test_a_further_raise_does_not_begin_anew(buffer: Buffer) -> None:
    buffer.capacity = 300
    buffer.run(3)
    buffer.capacity = 400
    buffer.run(1.1)
    assert buffer.reminders() == 1


def test_a_capacity_set_back_ends_it(buffer: Buffer) -> None:
    buffer.capacity = 300
    buffer.run(5)
    buffer.capacity = 200
    buffer.run(9)
    assert (buffer.reminders(), buffer.reminder.due) == (1, False)
