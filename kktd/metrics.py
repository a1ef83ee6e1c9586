"""Every Prometheus series, once (§5.4.1, §5.8, contract 4).

What the database or a worker knows is read at the scrape, so that no gauge can be stale; what
happens is counted from the log's events as it happens, so that log and counters cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from kktd.events import Event
from kktd.model.states import CircuitState, NetworkMode

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 40.0)
_SYNC_SECONDS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600)
_CIRCUIT: Final = {CircuitState.CLOSED: 0, CircuitState.OPEN: 1, CircuitState.HALF_OPEN: 2}
_MODE: Final = {NetworkMode.ONLINE: 0, NetworkMode.DEGRADED: 1, NetworkMode.OFFLINE: 2}
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,40}")


@dataclass(frozen=True, slots=True)
class Drawer:
    """One till's shift.  Kopecks; None while no shift is open."""

    cash_kopecks: int | None
    opened_at_s: int | None
    unsynced: int


@dataclass(frozen=True, slots=True)
class PrinterGauges:
    """One till's printer and its FN; None where it was not read."""

    documents_left: int | None
    expires_s: float | None  # Unix time
    clock_drift_s: float | None


@dataclass(frozen=True, slots=True)
class Gauges:
    """What a scrape reads, all of one moment."""

    now_s: float
    queued: int
    capacity: int
    in_doubt: int
    dlq: int
    oldest_unsent_s: float | None  # age
    circuit: CircuitState
    circuit_open_s: float  # not CLOSED in all since the start, s
    events: int  # ever written to buffer_events
    mode: NetworkMode
    can_sell: Mapping[str, bool]  # by pos_id
    sync_running_s: float
    on_battery: bool = False
    disk_percent: float = 0.0
    backup_age_s: float | None = None
    drift_s: float | None = None  # of our clock before Odoo's; None while nobody tells the time
    heartbeat_age_s: float | None = None
    heartbeat_failures: int | None = None
    drawers: Mapping[str, Drawer] = field(default_factory=dict)
    printers: Mapping[str, PrinterGauges] = field(default_factory=dict)  # by pos_id
    alerts: Mapping[str, bool] = field(default_factory=dict)  # by name: whether it is so now


class Metrics:
    """`attach` the source of the gauges, pass every event to `observe`, `render` at a scrape."""

    def __init__(self, registry: CollectorRegistry, pos_ids: tuple[str, ...]) -> None:
        self._registry = registry
        self._pos_ids = pos_ids
        self._source: Callable[[], Gauges] | None = None
        self._recovered: frozenset[str] = frozenset()
        # A second series for each counter that nobody asked for; the library left it untyped.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._make_counters()
        registry.register(self)

    def _make_counters(self) -> None:
        registry, pos = self._registry, ["pos_id"]
        self._breaker_failures = Counter(
            "kkt_circuit_breaker_failures", "Failed calls to the ОФД", pos, registry=registry
        )
        self._breaker_opens = Counter(
            "kkt_circuit_breaker_opens", "Times the breaker opened", pos, registry=registry
        )
        self._sync_seconds = Histogram(
            "kkt_sync_duration_seconds",
            "Duration of a finished sync",
            pos,
            buckets=_SYNC_SECONDS,
            registry=registry,
        )
        self._synced = Counter(
            "kkt_receipts_synced",
            "Deliveries by outcome: synced, failed (DLQ)",
            [*pos, "status"],
            registry=registry,
        )
        self._receipts = Counter(
            "kkt_receipts",
            "Receipts by what became of them: accepted, registered, refused, cancelled, in_doubt",
            [*pos, "status"],
            registry=registry,
        )
        self._latency = Histogram(
            "kkt_receipt_latency_seconds",
            "From the request to the fiscal numbers in its answer",
            pos,
            buckets=_SECONDS,
            registry=registry,
        )
        self._print_seconds = Histogram(
            "kkt_print_duration_seconds",
            "Registration of one receipt at the printer",
            pos,
            buckets=_SECONDS,
            registry=registry,
        )
        self._ofd_errors = Counter(
            "kkt_ofd_errors", "Failed deliveries by cause", [*pos, "error_code"], registry=registry
        )
        self._lock_conflicts = Counter(
            "kkt_sync_lock_conflicts", "Syncs refused since one ran", pos, registry=registry
        )
        self._probes = Counter(
            "kkt_circuit_breaker_probes",
            "Ends of HALF_OPEN: success (the breaker closed), failure (it opened again)",
            [*pos, "result"],
            registry=registry,
        )
        for one in (
            self._breaker_failures,
            self._breaker_opens,
            self._sync_seconds,
            self._latency,
            self._print_seconds,
            self._lock_conflicts,
        ):
            one.labels(self._till)  # present from the first scrape, at zero
        for status in ("synced", "failed"):
            self._synced.labels(self._till, status)
        for status in ("accepted", "registered", "refused", "cancelled", "in_doubt"):
            self._receipts.labels(self._till, status)
        for result in ("success", "failure"):
            self._probes.labels(self._till, result)

    @property
    def _till(self) -> str:
        """Label of what belongs to the whole daemon: its first till."""
        return self._pos_ids[0]

    def attach(self, source: Callable[[], Gauges]) -> None:
        """Where the gauges come from; called once, when the till is built."""
        self._source = source

    def note_recovered(self, pos_ids: Iterable[str]) -> None:
        """Tills whose open shift was found again after a stop."""
        self._recovered = frozenset(pos_ids)

    def observe_latency(self, pos_id: str, seconds: float) -> None:
        """A sale was answered with its fiscal numbers."""
        self._latency.labels(pos_id).observe(seconds)

    def observe(self, event: Event, facts: Mapping[str, object]) -> None:
        """Count one event of the log.  Never raises for a fact that is missing."""
        till = str(facts.get("pos_id") or self._till)
        match event:
            case Event.RECEIPT_CREATE:
                self._receipts.labels(till, "accepted").inc()
            case Event.KKT_PRINT_SUCCESS:
                self._receipts.labels(till, "registered").inc()
                self._print_seconds.labels(till).observe(_number(facts, "duration_ms") / 1000)
            case Event.KKT_DOUBT_SETTLED if facts.get("fd"):
                self._receipts.labels(till, "registered").inc()
            case Event.KKT_PRINT_REFUSED:
                self._receipts.labels(till, "refused").inc()
            case Event.RECEIPT_CANCELLED:
                self._receipts.labels(till, "cancelled").inc()
            case Event.KKT_IN_DOUBT:
                self._receipts.labels(till, "in_doubt").inc()
            case Event.RECEIPT_SYNCED:
                self._synced.labels(till, "synced").inc()
            case Event.RECEIPT_FAILED:
                self._synced.labels(till, "failed").inc()
            case Event.OFD_SEND_FAILED:
                # A refusal of one receipt says nothing against the line: the count is back at 0.
                if _number(facts, "circuit_failure_count"):
                    self._breaker_failures.labels(till).inc()
                self._ofd_errors.labels(till, _error_code(facts.get("error"))).inc()
            case Event.CIRCUIT_OPENED if facts.get("reason") == "probe_failed":
                self._probes.labels(till, "failure").inc()
            case Event.CIRCUIT_OPENED:
                self._breaker_opens.labels(till).inc()
            case Event.CIRCUIT_CLOSED if facts.get("reason") == "probe_success":
                self._probes.labels(till, "success").inc()
            case Event.SYNC_COMPLETE:
                self._sync_seconds.labels(till).observe(_number(facts, "duration_seconds"))
            case Event.SYNC_LOCK_CONFLICT:
                self._lock_conflicts.labels(till).inc()

    def collect(self) -> Iterable[Metric]:
        """prometheus_client asks this at each scrape."""
        if self._source is None:
            return
        seen = self._source()
        yield from self._till_gauges(seen)
        yield from self._drawer_gauges(seen)
        yield from self._printer_gauges(seen)
        alerts = GaugeMetricFamily(
            "kkt_alert", "1 while the condition of that alert holds", labels=["pos_id", "alert"]
        )
        for name, is_so in seen.alerts.items():
            alerts.add_metric([self._till, name], int(is_so))
        yield alerts

    def _till_gauges(self, seen: Gauges) -> Iterable[Metric]:
        values: list[tuple[str, str, float | None]] = [
            ("kkt_buffer_size", "Receipts on their way to the ОФД", seen.queued),
            (
                "kkt_buffer_percent_full",
                "Fullness of the buffer",
                100 * seen.queued / seen.capacity,
            ),
            (
                "kkt_circuit_breaker_state",
                "0 CLOSED, 1 OPEN, 2 HALF_OPEN",
                _CIRCUIT[seen.circuit],
            ),
            ("kkt_dlq_size", "Deliveries that wait for a person", seen.dlq),
            ("kkt_network_mode", "0 online, 1 degraded, 2 offline", _MODE[seen.mode]),
            (
                "kkt_oldest_unsent_seconds",
                "Age of the oldest registered receipt the ОФД does not have",
                seen.oldest_unsent_s or 0,
            ),
            ("kkt_in_doubt_receipts", "Receipts whose fate is being settled", seen.in_doubt),
            ("kkt_sync_running_seconds", "Age of the sync that runs now", seen.sync_running_s),
            (
                "kkt_disk_percent",
                "Fullness of the disk as the till counts it; at 80 it stops selling",
                seen.disk_percent,
            ),
            ("kkt_power_on_battery", "1 while the mains are away", int(seen.on_battery)),
            ("kkt_backup_age_seconds", "Since the last good copy", seen.backup_age_s),
            ("kkt_hlc_drift_seconds", "Our clock before Odoo's", seen.drift_s),
            (
                "kkt_heartbeat_age_seconds",
                "Since Odoo answered a heartbeat",
                seen.heartbeat_age_s,
            ),
        ]
        for name, text, value in values:
            if value is not None:
                family = GaugeMetricFamily(name, text, labels=["pos_id"])
                family.add_metric([self._till], value)
                yield family
        counted: list[tuple[str, str, float | None]] = [
            (
                "kkt_heartbeat_failures",
                "Heartbeats Odoo did not answer",
                seen.heartbeat_failures,
            ),
            (
                "kkt_circuit_breaker_open_seconds",
                "Time the breaker kept receipts back, until now",
                seen.circuit_open_s,
            ),
            ("kkt_events", "Events written to the till's table since it began", seen.events),
        ]
        for name, text, value in counted:
            if value is not None:
                counter = CounterMetricFamily(name, text, labels=["pos_id"])
                counter.add_metric([self._till], value)
                yield counter
        can_sell = GaugeMetricFamily(
            "kkt_can_sell", "1 while a new sale would be taken", labels=["pos_id"]
        )
        for pos_id, sells in seen.can_sell.items():
            can_sell.add_metric([pos_id], int(sells))
        yield can_sell
        yield GaugeMetricFamily(
            "kkt_buffer_capacity", "Receipts that may wait for the ОФД", value=seen.capacity
        )

    def _drawer_gauges(self, seen: Gauges) -> Iterable[Metric]:
        label = ["pos_id"]
        recovered = GaugeMetricFamily(
            "pos_session_recovered", "1: an open shift was found at the start", labels=label
        )
        cash = GaugeMetricFamily(
            "pos_session_cash_balance", "Cash of the open shift, rubles", labels=label
        )
        unsynced = GaugeMetricFamily(
            "pos_unsynced_transactions", "Tenders Odoo has not seen", labels=label
        )
        age = GaugeMetricFamily("kkt_shift_age_seconds", "Age of the open shift", labels=label)
        for pos_id in self._pos_ids:
            recovered.add_metric([pos_id], int(pos_id in self._recovered))
        for pos_id, drawer in seen.drawers.items():
            unsynced.add_metric([pos_id], drawer.unsynced)
            if drawer.cash_kopecks is not None:
                # Prometheus knows floats only; nothing reads money back from here.
                cash.add_metric([pos_id], drawer.cash_kopecks / 100)
            if drawer.opened_at_s is not None:
                age.add_metric([pos_id], max(0.0, seen.now_s - drawer.opened_at_s))
        yield from (recovered, cash, unsynced, age)

    def _printer_gauges(self, seen: Gauges) -> Iterable[Metric]:
        def family(name: str, text: str, read: Callable[[PrinterGauges], float | None]) -> Metric:
            made = GaugeMetricFamily(name, text, labels=["pos_id"])
            for pos_id, printer in seen.printers.items():
                if (value := read(printer)) is not None:
                    made.add_metric([pos_id], value)
            return made

        yield family(
            "kkt_fn_documents_left", "Documents the FN still signs", lambda one: one.documents_left
        )
        yield family(
            "kkt_fn_expires_timestamp_seconds", "End of the FN's keys", lambda one: one.expires_s
        )
        yield family(
            "kkt_printer_clock_drift_seconds",
            "The printer's clock before ours",
            lambda one: one.clock_drift_s,
        )

    def render(self) -> bytes:
        """The text of one scrape."""
        return generate_latest(self._registry)


def _number(facts: Mapping[str, object], name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _error_code(error: object) -> str:
    """`503 Service Unavailable` as `503`: few values, whatever the network says."""
    match = _ERROR_CODE.match(str(error or ""))
    return match[0] if match else "unknown"
