"""The mains go and come back at any moment of a sale: it is undone or finished, never half.

One virtual clock drives the daemon's own workers; apcupsd's words arrive in the middle of what the
printer does.  Whatever happened, each receipt is in the FN once and in the database as printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kktd.errors import ShuttingDown, StoreUnavailable
from kktd.model.states import FiscalState
from kktd.power.power import GRACE_S, LAST_WORDS_S, STUCK_S
from kktd.power.table import BACK, DYING, PowerState, UpsEvent
from kktd.receipts.answers import Answer
from tests.support.clock import VirtualClock
from tests.support.receipts import a_receipt
from tests.support.shop import Shop

REFUSALS = (ShuttingDown, StoreUnavailable)  # once it is closed; api/app.py makes one of both
SETTLED_S = GRACE_S + LAST_WORDS_S + 5


class Timetable(VirtualClock):
    """Calls what is due while time passes, in whatever step it passes."""

    def __init__(self) -> None:
        super().__init__()
        self._plan: list[tuple[float, Callable[[], object]]] = []

    def plan(self, in_s: float, what: Callable[[], object]) -> None:
        self._plan.append((self.monotonic_s() + in_s, what))
        self._plan.sort(key=lambda one: one[0])

    def advance(self, seconds: float) -> None:
        until_s = self.monotonic_s() + max(0.0, seconds)
        while self._plan and self._plan[0][0] <= until_s:
            at_s, what = self._plan.pop(0)
            super().advance(at_s - self.monotonic_s())
            what()
        super().advance(until_s - self.monotonic_s())


class Till:
    """A shop whose mains an apcupsd watches."""

    def __init__(self, folder: Path) -> None:
        self.clock = Timetable()
        self.folder = folder
        self.shop = Shop(folder, clock=self.clock)
        self.shop.run(10)
        assert self.sell().status == 200  # the shift is open, the lane is warm

    def says(self, event: UpsEvent, in_s: float = 0.0) -> None:
        if in_s:
            self.clock.plan(in_s, lambda: self.shop.parts.power.note(event))
        else:
            self.shop.parts.power.note(event)

    def sell(self) -> Answer:
        return self.shop.sell(a_receipt())

    @property
    def state(self) -> PowerState:
        return self.shop.parts.power.seen.state

    @property
    def closed(self) -> bool:
        return self.shop.parts.power.seen.closed

    def check_file(self) -> None:
        """Closed clean: nothing in the WAL, every page whole."""
        file = self.folder / "state" / "kktd.db"
        wal = file.with_name(file.name + "-wal")
        assert not wal.exists() or wal.stat().st_size == 0
        db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.close()

    def power_up(self) -> None:
        self.check_file()
        self.shop.start()
        self.shop.run(5)

    def check_books(self) -> None:
        """Each receipt of the FN is one of the till's, printed, and the other way round."""
        documents = [one["fd"] for one in self.shop.fn_receipts()]
        assert len(documents) == len(set(documents))
        ids = self.shop.parts.store.read(
            lambda db: [one for (one,) in db.execute("SELECT id FROM receipts")]
        )
        stored = [self.shop.stored(one) for one in ids]
        assert {one.state for one in stored} <= {FiscalState.PRINTED, FiscalState.ACCEPTED}
        booked = [one.document.fd for one in stored if one.document is not None]
        assert sorted(booked) == sorted(documents)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    till = Till(tmp_path)
    yield till
    if till.closed:
        till.shop.start()
    till.shop.close()


moments = st.floats(0, 3, width=32)


@settings(max_examples=12, phases=tuple(set(Phase) - {Phase.shrink}))  # each is a till of its own
@given(
    dies=st.sampled_from(DYING),
    dies_in_s=moments,
    back=st.none() | st.tuples(st.sampled_from(BACK), moments),
    again_s=st.none() | moments,
    slow_ms=st.sampled_from([0, 200, 1_500]),
)
def test_the_mains_undo_it_or_it_is_finished(
    tmp_path_factory: pytest.TempPathFactory,
    dies: UpsEvent,
    dies_in_s: float,
    back: tuple[UpsEvent, float] | None,
    again_s: float | None,
    slow_ms: int,
) -> None:
    till = Till(tmp_path_factory.mktemp("till"))
    if slow_ms:
        till.shop.faults.add("printer", "slow", ms=slow_ms, command="close_receipt")
    till.says(UpsEvent.ONBATTERY)
    till.says(dies, dies_in_s)
    if back is not None:
        till.says(back[0], dies_in_s + back[1])
        if again_s is not None:
            till.says(dies, dies_in_s + back[1] + again_s)
    sold = 0
    began_s = till.clock.monotonic_s()
    while till.clock.monotonic_s() - began_s < 4:
        try:
            sold += till.sell().status == 200
        except REFUSALS:
            till.shop.run(0.05)
    till.shop.run(SETTLED_S)
    if till.state is PowerState.MAINS:
        assert not till.closed
    else:
        assert (till.state, till.closed) == (PowerState.HALTING, True)
        with pytest.raises(REFUSALS):
            till.sell()
        till.power_up()
    assert till.sell().status == 200
    till.check_books()
    till.shop.close()


def test_the_sale_in_hand_is_finished_and_the_next_is_refused(till: Till) -> None:
    till.shop.faults.add("printer", "slow", ms=2_000, command="close_receipt", times=1)
    till.says(UpsEvent.DOSHUTDOWN, 1.0)
    answer = till.sell()
    assert (answer.status, answer.body["status"]) == (200, "printed")
    with pytest.raises(ShuttingDown) as refused:
        till.sell()
    assert refused.value.details["remedy"] == "battery_ends"
    till.shop.run(SETTLED_S)
    assert till.closed
    assert till.shop.fn_receipts()[-1]["fd"] == answer.body["fiscal_doc"]["fd"]
    till.power_up()
    till.check_books()


def test_a_till_at_rest_closes_at_once(till: Till) -> None:
    till.says(UpsEvent.LOADLIMIT)
    assert till.shop.wait(lambda: till.closed, 10) < LAST_WORDS_S + 2


def test_a_doubt_and_a_printer_that_is_away_do_not_keep_it_open(till: Till) -> None:
    till.shop.faults.add("printer", "power_cut", command="close_receipt", when="after")
    till.shop.faults.add("printer", "unplug")
    assert till.sell().status == 202
    till.says(UpsEvent.DOSHUTDOWN)
    till.shop.run(40, until=lambda: till.closed)
    assert till.closed
    till.shop.faults.clear()
    till.shop.printer.plug()
    till.power_up()
    till.shop.run(30)
    till.check_books()


def test_delivery_stops_when_the_battery_ends_and_goes_on_with_the_mains(till: Till) -> None:
    """Paper that does not come keeps the till from closing for a while."""
    ofd = till.shop.ofd
    ofd.outage = "503"
    till.shop.faults.add("printer", "paper_out", command="close_receipt", when="after", times=1)
    assert till.sell().body["paper"] == "pending"
    ofd.outage = None
    till.says(UpsEvent.DOSHUTDOWN)
    till.shop.run(0.1)
    sends = len(ofd.sends)
    till.shop.parts.delivery.settings_changed()  # it would try at once
    till.shop.run(GRACE_S - 2)
    assert till.state is PowerState.LOW
    assert len(ofd.sends) == sends
    till.says(UpsEvent.MAINSBACK)
    till.shop.faults.clear()
    till.shop.printer.insert_paper()
    till.shop.run(600, until=lambda: till.shop.queued() == 0)
    assert till.shop.queued() == 0
    till.check_books()


def test_a_till_that_nobody_turns_off_starts_anew(till: Till) -> None:
    till.says(UpsEvent.DOSHUTDOWN)
    till.shop.run(10)
    assert till.closed
    assert not till.shop.parts.power.stuck
    till.shop.run(STUCK_S)
    assert till.shop.parts.power.stuck


def test_a_daemon_that_starts_on_battery_knows_it(till: Till) -> None:
    till.shop.ups_says = (UpsEvent.ONBATTERY,)
    till.shop.restart()
    till.shop.run(1)
    assert till.shop.parts.power.seen.on_battery
    till.says(UpsEvent.OFFBATTERY)
    till.shop.run(200)
    assert till.state is PowerState.MAINS


def test_what_happened_is_logged_and_kept(till: Till) -> None:
    for event in (UpsEvent.COMMFAILURE, UpsEvent.COMMOK, UpsEvent.STARTSELFTEST):
        till.says(event)
    till.says(UpsEvent.ONBATTERY)
    till.says(UpsEvent.MAINSBACK, 5)
    till.shop.run(10)
    names = ("power_changed", "ups_trouble", "ups_mended", "ups_said")
    told = [(line["event"], line["facts"]) for line in till.shop.lines(*names)]
    assert told == [
        ("ups_trouble", {"trouble": "ups_silent", "ups": "commfailure"}),
        ("ups_mended", {"trouble": "ups_silent", "ups": "commok"}),
        ("ups_said", {"ups": "startselftest"}),
        ("power_changed", {"was": "mains", "now": "on_battery", "ups": "onbattery"}),
        ("power_changed", {"was": "on_battery", "now": "mains", "ups": "mainsback"}),
    ]
    kept = till.shop.get("/v1/kkt/buffer/logs?level=INFO").body["items"]
    assert [one["event"] for one in kept if one["event"] in names] == [
        *("power_changed", "power_changed", "ups_mended", "ups_trouble")
    ]


def test_health_metrics_and_alerts_say_what_the_till_runs_on(till: Till) -> None:
    before = till.shop.get("/v1/health").body
    assert before["components"]["power"]["status"] == "healthy"
    till.says(UpsEvent.ONBATTERY)
    till.shop.run(1)
    health = till.shop.get("/v1/health").body
    assert (health["status"], health["can_sell"]) == ("degraded", True)
    power = health["components"]["power"]
    assert (power["status"], power["state"]) == ("degraded", "on_battery")
    assert power["message"] == "Касса работает от батареи: проверьте питание."
    alerts = till.shop.get("/v1/kkt/buffer/status").body["alerts"]
    assert power["message"] in [one["message"] for one in alerts]
    till.says(UpsEvent.LOADLIMIT)
    till.shop.run(0.01, until=lambda: till.state is PowerState.LOW)
    seen = till.shop.get("/v1/health")
    assert (seen.status, seen.body["obstacle"]) == (503, "SHUTTING_DOWN")
    assert seen.body["message"].startswith("Питание от батареи: завершаем работу.")
