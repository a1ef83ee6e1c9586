"""The hybrid clock as the daemon builds it: the printer says what may be believed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from kktd import wiring
from kktd.clock import HlcStamp, HybridClock
from kktd.printers.base import Paper, PrinterStatus, Shift
from kktd.store import receipts
from kktd.store.store import Store
from tests.support.clock import VirtualClock
from tests.support.receipts import a_receipt

MOSCOW = ZoneInfo("Europe/Moscow")
TEN_YEARS_S = 10 * 365 * 86_400


def reading(clock: datetime | None) -> PrinterStatus:
    return PrinterStatus(
        serial="1",
        fn="9999078900000001",
        last_fd=7,
        shift=Shift.OPEN,
        shift_number=1,
        receipt_no=1,
        receipt_open=False,
        paper=Paper.READY,
        clock=clock,
    )


class Till:
    """A database, a wall clock that errs, a printer's clock that does not; many starts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kktd.db"
        self.clock = VirtualClock()
        self.right = VirtualClock()
        self.stamps: list[HlcStamp] = []
        self.store = Store(self.path)
        self.hlc = wiring.hybrid_clock(self.clock, HlcStamp(0, 0))

    def restart(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        self.hlc = wiring.hybrid_clock(self.clock, self.store.read(receipts.highest_stamp))

    def ask_printer(self) -> None:
        local = datetime.fromtimestamp(self.right.wall_s(), MOSCOW).replace(tzinfo=None)
        wiring.believe(self.hlc, reading(local), MOSCOW)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.right.advance(seconds)

    def sell(self) -> HlcStamp:
        stamp = self.hlc.tick()
        self.stamps.append(stamp)
        self.store.write(partial(receipts.accept, receipt=a_receipt(), stamp=stamp, now_s=1))
        assert self.stamps == sorted(set(self.stamps))
        return stamp


def test_a_wall_clock_in_2036_is_not_believed_and_does_not_stick(tmp_path: Path) -> None:
    till = Till(tmp_path)
    till.ask_printer()
    today = till.sell()
    till.clock.jump_wall(TEN_YEARS_S)
    assert till.sell() == HlcStamp(today.local_time_s, 1)
    till.clock.jump_wall(-TEN_YEARS_S)
    till.pass_time(60)
    assert till.sell() == HlcStamp(today.local_time_s + 60, 0)
    till.store.close()


def test_a_till_that_wakes_in_2036_does_not_believe_it_before_the_printer_was_asked(
    tmp_path: Path,
) -> None:
    till = Till(tmp_path)
    today = till.sell()
    till.clock.jump_wall(TEN_YEARS_S)
    till.restart()
    assert till.sell() == HlcStamp(today.local_time_s, 1)
    till.ask_printer()
    assert till.sell() == HlcStamp(today.local_time_s, 2)
    till.clock.jump_wall(-TEN_YEARS_S)
    till.pass_time(5)
    till.restart()
    assert till.sell() == HlcStamp(today.local_time_s + 5, 0)
    till.store.close()


def test_a_till_that_was_off_for_a_month_catches_up_when_the_printer_answers(
    tmp_path: Path,
) -> None:
    till = Till(tmp_path)
    before = till.sell()
    till.pass_time(30 * 86_400)
    till.restart()
    assert till.sell() == HlcStamp(before.local_time_s, 1)
    till.ask_printer()
    assert till.sell() == HlcStamp(before.local_time_s + 30 * 86_400, 0)
    till.store.close()


def test_a_maximum_beyond_belief_is_never_taken_back(tmp_path: Path) -> None:
    till = Till(tmp_path)
    till.clock.jump_wall(TEN_YEARS_S)
    wrong = till.sell()  # the first sale of a new till: nothing is known that would contradict
    till.clock.jump_wall(-TEN_YEARS_S)
    for counter in (1, 2):
        till.restart()
        till.ask_printer()
        assert till.sell() == HlcStamp(wrong.local_time_s, counter)
    till.store.close()


def test_a_printer_that_is_away_for_days_holds_no_stamp_up() -> None:
    clock = VirtualClock()
    hlc = HybridClock(clock, HlcStamp(0, 0))
    local = datetime.fromtimestamp(clock.wall_s(), MOSCOW).replace(tzinfo=None)
    wiring.believe(hlc, reading(local), MOSCOW)
    clock.advance(5 * 86_400)
    assert hlc.tick() == HlcStamp(int(clock.wall_s()), 0)


def test_a_reading_without_a_clock_changes_nothing() -> None:
    clock = VirtualClock()
    hlc = wiring.hybrid_clock(clock, HlcStamp(int(clock.wall_s()), 0))
    wiring.believe(hlc, reading(None), MOSCOW)
    clock.jump_wall(TEN_YEARS_S)
    assert hlc.tick().logical_counter == 1
