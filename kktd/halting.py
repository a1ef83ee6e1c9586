"""The till brought to rest and closed while the daemon still answers: what low power does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from kktd.clock import Clock
from kktd.errors import StoreError
from kktd.events import Event
from kktd.ofd.delivery import Delivery
from kktd.power.power import Power
from kktd.power.table import UpsEvent
from kktd.printing import is_lane
from kktd.receipts.lanes import Lanes
from kktd.store import journal
from kktd.store.store import Store
from kktd.worker import Worker

POWER: Final = "power"  # the worker that calls this
POWER_STEP_MAX_S: Final = 30.0  # a checkpoint of everything
PATIENCE_S: Final = 3.0  # with a call to a server that does not answer


class House:
    """What power/power.py asks of the till; called by its worker alone."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        delivery: Delivery,
        workers: Callable[[], Mapping[str, Worker]],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._delivery = delivery
        self._workers = workers

    def rest(self) -> None:
        for lane in self._lanes:
            lane.wind_up()
        self._workers()["delivery"].rest()

    def resume(self) -> None:
        for lane in self._lanes:
            lane.go_on()
        self._workers()["delivery"].resume()

    def at_rest(self) -> bool:
        return all(lane.wound_up for lane in self._lanes)

    def close(self, waited_s: float) -> bool:
        """A lane's step is waited for; another's is left behind, its write fails, nothing is lost.

        What it wrote of is on disk as under way, and the next start takes it up.
        """
        workers = {name: worker for name, worker in self._workers().items() if name != POWER}
        for worker in workers.values():
            worker.rest()
        busy = [name for name, worker in workers.items() if not worker.resting]
        if any(map(is_lane, busy)) or (busy and waited_s < PATIENCE_S):
            return False
        if "delivery" not in busy:
            with suppress(StoreError):
                self._delivery.close()
        for lane in self._lanes:
            lane.close()
        self._store.close()
        return True


def make_power(
    clock: Clock,
    store: Store,
    lanes: Lanes,
    delivery: Delivery,
    workers: Callable[[], Mapping[str, Worker]],
    missed: Callable[[], tuple[UpsEvent, ...]],
) -> Power:
    """`workers` by name; its own among them is woken.  `missed` as in Power."""

    def keep(event: Event, facts: Mapping[str, object]) -> None:
        now_ms = int(clock.wall_s() * 1000)
        store.write(lambda db: journal.append(db, event, now_ms, facts=facts))

    house = House(store, lanes, delivery, workers)
    return Power(clock, house, keep, lambda: workers()[POWER].wake(), missed)
