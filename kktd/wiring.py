"""The settings, part by part: what each object of the daemon is built from and swapped to."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from kktd import log
from kktd.alerts.channels import Alertmanager, Poster, Webhook
from kktd.alerts.outbox import Channel
from kktd.clock import Clock, Deadline, HlcStamp, HybridClock
from kktd.config import Settings
from kktd.events import Event
from kktd.model.device import FnLife
from kktd.network.prober import ProbeRules
from kktd.odoo.client import Odoo, OdooClient
from kktd.odoo.link import LinkRules
from kktd.ofd.body import Seller
from kktd.ofd.breaker import BreakerRules
from kktd.ofd.delivery import DeliveryRules
from kktd.ofd.device import DeviceChannel
from kktd.ofd.lock import LeaseAlone, SharedLock
from kktd.ofd.pace import PaceRules
from kktd.power import nis
from kktd.power.table import UpsEvent
from kktd.printers.base import PrinterStatus
from kktd.receipts.admission import DeskRules, PrinterRules
from kktd.receipts.lane import FN_READ_S, LaneRules
from kktd.receipts.lanes import Lanes
from kktd.store import journal
from kktd.store.store import Store
from kktd.trace import Tracing
from kktd.upkeep.backup import BackupRules

if TYPE_CHECKING:
    from kktd.api.server import Bound
    from kktd.ofd.probe import Report
    from kktd.ofd.rest import RestChannel

DAY_S: Final = 86_400
DEVICE_READ_S: Final = 5  # channel `device`: between two looks at the FN's counters
PROBE_MS: Final = 20_000  # less than kktctl waits
# FastAPI, uvicorn and requests are most of a start: they load while the database is checked.
LOADED_BESIDE: Final = ("kktd.api.app", "kktd.api.listeners", "kktd.ofd.rest")


def open_store(file: Path, clock: Clock) -> Store:
    """Open and check it; on an old till that is a second of SQLite, which leaves a core free."""
    with ThreadPoolExecutor(1, thread_name_prefix="open") as pool:
        opening = pool.submit(Store, file, clock.wall_s())
        for name in LOADED_BESIDE:
            importlib.import_module(name)
        store = opening.result()
    if store.salvaged is not None:
        facts, now_ms = {"reason": store.salvaged}, int(clock.wall_s() * 1000)
        log.event(Event.STORE_SALVAGED, facts=facts)
        store.write(lambda db: journal.append(db, Event.STORE_SALVAGED, now_ms, facts=facts))
    return store


def device_channel(settings: Settings, clock: Clock, lanes: Callable[[], Lanes]) -> DeviceChannel:
    """`lanes` are asked at each look."""

    def readings() -> dict[str, FnLife | None]:
        found: dict[str, FnLife | None] = {}
        for lane in lanes():
            known, life = lane.identity.known, lane.health.fn_life
            if known is not None:
                found[known.fn] = life if life is not None and life.fn == known.fn else None
        return found

    return DeviceChannel(readings, clock, settings.zone)


def channel(settings: Settings, clock: Clock) -> RestChannel:
    from kktd.ofd.rest import RestChannel

    ofd = settings.ofd
    return RestChannel(
        ofd.url,
        lambda: Path(ofd.token_file).read_text(encoding="utf-8"),
        Seller(
            settings.organisation.inn,
            settings.organisation.address,
            settings.tax_system,
            settings.zone,
        ),
        clock,
        ofd.ca_file or None,
    )


def listeners(settings: Settings, clock: Clock) -> tuple[Bound, ...]:
    from kktd.api.listeners import open_listeners

    return open_listeners(settings, clock)


def probe_ofd(settings: Settings, clock: Clock, lanes: Lanes) -> Report:
    """A test of the ОФД by hand; blocks for PROBE_MS at most.

    Where the printers deliver by themselves, what their FNs said last, a few seconds ago.
    """
    if settings.ofd.channel == "device":
        there = [lane for lane in lanes if lane.health.ready]
        answering = {lane.identity.known.fn for lane in there if lane.identity.known}
        return device_channel(settings, clock, lambda: lanes).report(answering)
    from kktd.ofd.probe import Probe

    ofd = settings.ofd
    by = Deadline.after_ms(clock, PROBE_MS)
    return Probe(
        ofd.url,
        lambda: Path(ofd.token_file).read_text(encoding="utf-8"),
        ofd.ca_file or None,
        clock,
        by,
    ).run()


def shared_lock(settings: Settings, clock: Clock) -> SharedLock:
    """Redis's library is loaded by a till that has one."""
    ours = settings.redis
    if not ours.url:
        return LeaseAlone()
    from kktd.ofd.redis_lock import RedisLock

    def password() -> str | None:
        file = ours.password_file
        return Path(file).read_text(encoding="utf-8").strip() if file else None

    return RedisLock(
        ours.url,
        clock,
        timeout_ms=ours.timeout_ms,
        password=password,
        ca_file=ours.ca_file or None,
    )


def missed_by_power(settings: Settings, clock: Clock) -> tuple[UpsEvent, ...]:
    """What apcupsd told while no daemon listened."""
    address = settings.power.apcupsd
    return nis.find_events(address, clock) if address else ()


def odoo_client(settings: Settings) -> Odoo:
    odoo = settings.odoo
    return OdooClient(
        odoo.url, lambda: Path(odoo.token_file).read_text(encoding="utf-8"), odoo.ca_file or None
    )


def alert_channels(settings: Settings, clock: Clock) -> list[Channel]:
    """Those that are configured."""
    alerts, pos_id = settings.alerts, settings.till.pos_ids[0]
    token = (lambda: Path(alerts.token_file).read_text("utf-8")) if alerts.token_file else None
    made: list[Channel] = []
    if alerts.webhook_url:
        poster = Poster(alerts.webhook_url, token, clock, alerts.ca_file or None)
        made.append(Webhook(poster, pos_id))
    if alerts.alertmanager_url:
        url = f"{alerts.alertmanager_url.rstrip('/')}/api/v2/alerts"
        made.append(Alertmanager(Poster(url, token, clock, alerts.ca_file or None), pos_id))
    return made


def backup_rules(settings: Settings) -> BackupRules:
    backup = settings.backup
    token = (lambda: Path(backup.token_file).read_text("utf-8")) if backup.token_file else None
    return BackupRules(
        Path(backup.directory) if backup.directory else None,
        backup.url,
        token,
        backup.ca_file or None,
        backup.keep,
        backup.at,
        settings.zone,
    )


def tracing(settings: Settings, clock: Clock) -> Tracing:
    """Spans are made only where a collector is named."""
    if not settings.tracing.otlp_url:
        return Tracing(clock)
    from kktd.trace_export import SpanExporter  # most tills never need it

    exporter = SpanExporter(settings.tracing.otlp_url, settings.till.pos_ids[0])
    return Tracing(clock, exporter.export, exporter.close)


def link_rules(settings: Settings) -> LinkRules:
    odoo = settings.odoo
    return LinkRules(odoo.heartbeat_s, odoo.timeout_ms, odoo.events_batch, odoo.catalogue_s)


def breaker_rules(settings: Settings) -> BreakerRules:
    return BreakerRules(settings.ofd.breaker_failures, settings.ofd.breaker_open_s)


def pace_rules(settings: Settings) -> PaceRules:
    ofd = settings.ofd
    return PaceRules(
        ofd.max_attempts, ofd.backoff_initial_ms / 1000, ofd.backoff_max_ms / 1000, ofd.recheck_s
    )


def delivery_rules(settings: Settings) -> DeliveryRules:
    ofd = settings.ofd
    interval_s = ofd.sync_interval_s
    if ofd.channel == "device":
        interval_s = min(interval_s, DEVICE_READ_S)
    return DeliveryRules(ofd.timeout_ms, interval_s, ofd.sync_batch_size)


def probe_rules(settings: Settings) -> ProbeRules:
    return ProbeRules(settings.ofd.probe_interval_s, settings.ofd.timeout_ms)


def watchdog_interval_s() -> float:
    """Half of what systemd allows; a few seconds without it, for the status line."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 2_000_000 if usec.isdigit() else 5.0


def desk_rules(settings: Settings) -> DeskRules:
    printers = {
        name: PrinterRules(printer.max_unprinted, printer.open_shift_on_sale)
        for name, printer in settings.lanes.items()
    }
    return DeskRules(settings.buffer.capacity, printers)


def lane_rules(settings: Settings, name: str) -> LaneRules:
    """Of one printer.  Where it delivers by itself its counters are read all the time."""
    printer = settings.lanes[name]
    return LaneRules(
        printer.auto_print_s,
        printer.open_shift_on_sale,
        printer.mark_documents,
        DEVICE_READ_S if settings.ofd.channel == "device" else FN_READ_S,
    )


def hybrid_clock(clock: Clock, last: HlcStamp) -> HybridClock:
    """Goes on from the database.  Until the printer was asked, a day past that is believed.

    A stamp that is already beyond belief is not taken back: order outlives a wrong year, and only
    the counter rises until the wall clock comes past it.
    """
    hlc = HybridClock(clock, last)
    if last.local_time_s > 0:
        hlc.believe_until(last.local_time_s + DAY_S)
    return hlc


def believe(hlc: HybridClock, status: PrinterStatus, zone: ZoneInfo) -> None:
    """The printer's clock and a day (contract 2.7); it shows local time without a zone."""
    if status.clock is not None:
        hlc.believe_until(int(status.clock.replace(tzinfo=zone).timestamp()) + DAY_S)


def together(*steps: Callable[[float], float]) -> Callable[[float], float]:
    """Short steps of one worker, one after the other."""
    return lambda now_s: min([step(now_s) for step in steps])
