"""The link to Odoo: heartbeat, events in order, catalogue.  Nothing at the till waits for it.

A pure step for a worker of its own.  While Odoo is away only the heartbeat knocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kktd import log
from kktd.clock import Clock, Deadline
from kktd.events import Event
from kktd.network.mode import Network
from kktd.odoo.client import Odoo
from kktd.odoo.story import tell
from kktd.ofd.channel import DeliveryError, NotAccepted
from kktd.store import buffer, odoo
from kktd.store.connection import Db
from kktd.store.odoo import Untold
from kktd.store.store import Store
from kktd.trace import Tracing, parse_traceparent

SOON_S: Final = 2.0  # events are looked for so often while Odoo answers
PAGES_MAX: Final = 20  # of the catalogue in one step
TIME_TRUST_S: Final = 300.0  # a server time older than this says nothing of drift


@dataclass(frozen=True, slots=True)
class LinkRules:
    """`timeout_ms` of a heartbeat; events and pages may take five times as long."""

    heartbeat_s: float = 30.0
    timeout_ms: int = 2_000
    events_batch: int = 100
    catalogue_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """For people and metrics.  Ages in seconds; None: never, or not for long."""

    answers: bool
    heartbeat_age_s: float | None
    failures: int  # in all
    server_time_s: float | None  # Odoo's clock now
    problem: str | None


class OdooLink:
    """`step` runs in one thread; `seen`, `refresh` and `server_time_s` may be asked from any."""

    def __init__(
        self,
        client: Odoo,
        store: Store,
        network: Network,
        clock: Clock,
        pos_id: str,
        rules: LinkRules,
        report: Callable[[], Mapping[str, Any]],
        tracing: Tracing | None = None,
        on_battery: Callable[[], bool] = lambda: False,
    ) -> None:
        """`report` is the body of a heartbeat without pos_id; no catalogue comes `on_battery`."""
        self._client = client
        self._store = store
        self._network = network
        self._clock = clock
        self._pos_id = pos_id
        self.rules = rules
        self._report = report
        self._on_battery = on_battery
        self._tracing = tracing or Tracing(clock)
        self._beat_due_s = float("-inf")
        self._import_due_s = float("-inf")
        self._beat: tuple[float, float] | None = None  # monotonic s, Odoo's clock then
        self._answers = False
        self._failures = 0
        self._problem: str | None = None
        self._refused_import = False

    # ---- seeing -----------------------------------------------------------------------------

    def seen(self) -> LinkSeen:
        beat = self._beat
        age_s = None if beat is None else self._clock.monotonic_s() - beat[0]
        return LinkSeen(self._answers, age_s, self._failures, self._server_now_s(), self._problem)

    def server_time_s(self) -> int | None:
        """Odoo's clock now, Unix seconds; None while it has not answered for minutes."""
        now_s = self._server_now_s()
        return None if now_s is None else int(now_s)

    def refresh(self) -> None:
        """Import the catalogue at the next step."""
        self._import_due_s = float("-inf")

    def _server_now_s(self) -> float | None:
        if self._beat is None:
            return None
        passed_s = self._clock.monotonic_s() - self._beat[0]
        return self._beat[1] + passed_s if passed_s <= TIME_TRUST_S else None

    # ---- working ----------------------------------------------------------------------------

    def step(self, now_s: float) -> float:
        """One heartbeat if due, one batch of events, the catalogue if due."""
        if now_s >= self._beat_due_s:
            self._beat_due_s = now_s + self.rules.heartbeat_s
            self._knock()
        if not self._answers:
            return self._beat_due_s
        try:
            more = self._tell_events()
            if now_s >= self._import_due_s and not self._on_battery():
                self._import_catalogue()
        except DeliveryError as error:
            self._note_problem(error)
            return min(self._beat_due_s, self._clock.monotonic_s() + SOON_S)
        wait_s = 0.0 if more else SOON_S
        return min(self._beat_due_s, self._clock.monotonic_s() + wait_s)

    def close(self) -> None:
        """After the last step."""
        self._client.close()

    def _knock(self) -> None:
        body = {"pos_id": self._pos_id, **self._report()}
        try:
            server_s = self._client.heartbeat(body, self._within(1))
        except DeliveryError as error:
            self._failures += 1
            self._answers = False
            log.event(Event.HEARTBEAT_FAILED, error=error.reason)
            self._note_problem(error)
        else:
            self._beat = (self._clock.monotonic_s(), float(server_s))
            if not self._answers:
                log.event(Event.HEARTBEAT_RESTORED)
            self._answers, self._problem = True, None
        self._network.note_odoo(self._answers)

    def _note_problem(self, error: DeliveryError) -> None:
        self._problem = error.reason

    def _tell_events(self) -> bool:
        """Send the next batch; whether there may be more."""
        limit = self.rules.events_batch

        def query(db: Db) -> tuple[list[Untold], list[dict[str, Any]]]:
            untold = odoo.find_untold(db, limit)
            return untold, [tell(db, one) for one in untold]

        untold, events = self._store.read(query)
        if not untold:
            return False
        began_s = self._clock.wall_s()
        try:
            accepted = self._client.send_events(self._pos_id, events, self._within(5))
        except NotAccepted as error:
            return self._refused(untold, events, error)
        now_s = int(self._clock.wall_s())
        up_to = min(accepted.up_to, untold[-1].seq)
        for event in events:
            header = event["data"].get("traceparent")
            if header is not None and event["seq"] <= up_to:
                self._tracing.note(
                    "odoo_event", parse_traceparent(header), began_s, type=event["type"]
                )
        self._store.write(lambda db: odoo.note_told(db, untold, up_to, now_s))
        return up_to == untold[-1].seq and len(untold) == limit

    def _refused(
        self, untold: list[Untold], events: list[dict[str, Any]], error: NotAccepted
    ) -> bool:
        """Odoo refuses the batch: one by one, and what it refuses alone is set aside, loudly."""
        now_s = int(self._clock.wall_s())
        if len(untold) > 1:
            for one, event in zip(untold, events, strict=True):
                try:
                    self._client.send_events(self._pos_id, [event], self._within(1))
                except NotAccepted as alone:
                    self._set_aside(one, alone)
                else:
                    self._store.write(
                        lambda db, one=one: odoo.note_told(db, [one], one.seq, now_s)  # type: ignore[misc]
                    )
            return True
        self._set_aside(untold[0], error)
        return True

    def _set_aside(self, one: Untold, error: NotAccepted) -> None:
        log.event(Event.ODOO_EVENT_REFUSED, seq=one.seq, type=one.type, error=error.reason)
        self._store.write(lambda db: odoo.skip(db, one, error.reason, self._now_ms()))

    def _import_catalogue(self) -> None:
        """Prices never change under receipts that are still on their way (contract 7)."""
        if self._store.read(buffer.count_queued):
            if not self._refused_import:
                log.event(Event.CATALOGUE_REFUSED, code="UNSYNC_BUFFERS")
            self._refused_import = True
            return
        self._refused_import = False
        count = 0
        for _ in range(PAGES_MAX):
            cursor = self._store.read(odoo.progress).cursor
            page = self._client.products(cursor, self._within(5))
            now_s = int(self._clock.wall_s())
            self._store.write(
                lambda db, page=page, now_s=now_s: odoo.store_page(  # type: ignore[misc]
                    db, page.items, page.deleted, page.cursor, now_s
                )
            )
            count += len(page.items) + len(page.deleted)
            if page.cursor == cursor or not (page.items or page.deleted):
                break
        self._import_due_s = self._clock.monotonic_s() + self.rules.catalogue_s
        log.event(Event.CATALOGUE_IMPORTED, changed=count)

    def _within(self, times: int) -> Deadline:
        return Deadline.after_ms(self._clock, times * self.rules.timeout_ms)

    def _now_ms(self) -> int:
        return int(self._clock.wall_s() * 1000)
