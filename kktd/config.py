"""The table of settings: type, default, range and sentence of each (settings_file.py reads them).

The sections follow the guide's; units stand in the names.  Secrets are files, never values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from kktd.model.device import FIRST_PRINTER
from kktd.model.receipt import TaxSystem

ADDRESS: Final = r"(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}"
ANY_TEXT: Final = r"[^\x00-\x1f]{0,256}"
PRINTER_NAME: Final = r"[a-z0-9-]{1,32}"
FILE: Final = r"(/[^\x00-\x1f]{1,255})?"


def _setting(
    sentence: str,
    default: Any = dataclasses.MISSING,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
    form: str | None = None,
    live: bool = False,
    secret: bool = False,
) -> Any:
    """`form` is a pattern a text, or each text of a list, has to match whole.

    `live`: a reload applies it, without a restart.  `secret`: never shown.
    """
    rule = {"sentence": sentence, "least": least, "most": most, "choices": choices, "form": form}
    return field(default=default, metadata=rule | {"live": live, "secret": secret})


@dataclass(frozen=True, slots=True)
class TillSettings:
    pos_ids: tuple[str, ...] = _setting(
        "Tills this daemon serves.", ("POS-001",), form=r"[\w.-]{1,32}"
    )
    timezone: str = _setting("Zone of the shop.", "Europe/Moscow", form=ANY_TEXT)
    state_dir: Path = _setting("Where database and certificates live.", Path("/var/lib/kktd"))


@dataclass(frozen=True, slots=True)
class ApiSettings:
    listen: str = _setting(
        "Address of the HTTPS API, unless systemd passes its socket.", "0.0.0.0:443", form=ADDRESS
    )
    metrics: str = _setting(
        "Address of the metrics alone; empty for none.", "0.0.0.0:9090", form=f"({ADDRESS})?"
    )
    socket: Path = _setting("Unix socket for root.", Path("/run/kktd/api.sock"))
    names: tuple[str, ...] = _setting(
        "Names and addresses in the certificate.", ("pos-001.local",), form=r"[\w.:-]{1,253}"
    )
    origins: tuple[str, ...] = _setting(
        "Origins a browser may call from.", (), form=r"https?://[\w.:\[\]-]{1,253}", live=True
    )
    open_reading: bool = _setting(
        "Health, buffer status and metrics need no token.", True, live=True
    )
    max_connections: int = _setting("Connections at once.", 256, least=16, most=4096)


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    family: str = _setting("Printer family.", "shtrih", choices=("shtrih",))
    url: str = _setting(
        "usb://, usb://VID:PID, usb://VID:PID/SERIAL, usb://VID:PID?place=1-1.2,"
        " serial:///dev/…?baudrate=115200 or"
        " tcp://host:port; `kktctl printer discover` says which.",
        "serial:///dev/kkt",
        form=rf"serial:///[^\s?]+(\?\S*)?|tcp://{ADDRESS}(\?\S*)?"
        r"|usb://([0-9a-fA-F]{4}:[0-9a-fA-F]{4}(/[^\s?/]+)?)?(\?\S*)?",
    )
    protocol: str = _setting(
        "Low level of a Shtrih-M till; auto finds out by ENQ and sync.",
        "auto",
        choices=("auto", "1", "2"),
    )
    password: int = _setting(
        "System administrator's password.", 30, least=0, most=99_999_999, secret=True
    )
    print_timeout_ms: int = _setting(
        "How long a sale waits for the FN.", 10_000, least=1_000, most=60_000, live=True
    )
    max_unprinted: int = _setting(
        "Receipts that may wait for a printer that is away.", 10, least=1, most=1_000, live=True
    )
    auto_print_s: int = _setting(
        "Older receipts ask before they print.", 60, least=5, most=3_600, live=True
    )
    mark_documents: bool = _setting("Store the receipt id in tag 1084.", True, live=True)
    open_shift_on_sale: bool = _setting("The first sale opens the shift.", True, live=True)
    ffd: str = _setting("Format of fiscal documents.", "1.05", choices=("1.05", "1.2"))
    sell_unchecked_marks: bool = _setting(
        "Sell marked goods when nobody can be asked about their code.", True
    )
    pos_ids: tuple[str, ...] = _setting(
        "Tills it prints for; in [printer] empty for all that no other printer names.",
        (),
        form=r"[\w.-]{1,32}",
    )


@dataclass(frozen=True, slots=True)
class BufferSettings:
    capacity: int = _setting(
        "Receipts that may wait for the ОФД.", 200, least=1, most=10_000, live=True
    )


@dataclass(frozen=True, slots=True)
class OfdSettings:
    channel: str = _setting(
        "rest: receipts leave from here; device: the printer delivers by itself.",
        "rest",
        choices=("rest", "device"),
    )
    url: str = _setting(
        "Base address of the ОФД's REST API; empty: nothing is delivered from here.",
        "",
        form=r"(https?://[^\s?#]{1,512})?",
    )
    token_file: str = _setting("File with the bearer token.", "", form=FILE)
    ca_file: str = _setting("CA bundle of the ОФД; empty for the system's.", "", form=FILE)
    timeout_ms: int = _setting(
        "Whole exchange with the ОФД.", 10_000, least=500, most=60_000, live=True
    )
    sync_interval_s: int = _setting("Scheduled sync.", 300, least=5, most=3_600, live=True)
    sync_batch_size: int = _setting(
        "Receipts between two looks at the lock.", 20, least=1, most=200, live=True
    )
    max_attempts: int = _setting(
        "Counted attempts before the DLQ.", 20, least=1, most=1_000, live=True
    )
    backoff_initial_ms: int = _setting(
        "First wait after a failure.", 5_000, least=10, most=60_000, live=True
    )
    backoff_max_ms: int = _setting("Longest wait.", 300_000, least=10, most=3_600_000, live=True)
    breaker_failures: int = _setting("Failures in a row that open it.", 5, least=1, most=100)
    breaker_open_s: int = _setting("How long it stays open.", 60, least=1, most=3_600)
    probe_interval_s: int = _setting("Network probe.", 30, least=1, most=600, live=True)
    recheck_s: int = _setting("Look again after 401/403.", 300, least=5, most=3_600, live=True)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    url: str = _setting(
        "Redis with the lock that daemons of one till share; empty: each file's own lease.",
        "",
        form=r"(rediss?://[^\s?#]{1,512})?",
    )
    password_file: str = _setting("File with its password.", "", form=FILE)
    ca_file: str = _setting("CA bundle for rediss; empty for the system's.", "", form=FILE)
    timeout_ms: int = _setting("A question to it.", 1_000, least=50, most=10_000)


@dataclass(frozen=True, slots=True)
class OdooSettings:
    url: str = _setting(
        "Base address of the Odoo addon, ending in /kktd/v1; empty: there is no Odoo.",
        "",
        form=r"(https?://[^\s?#]{1,512})?",
    )
    token_file: str = _setting("File with the API key.", "", form=FILE)
    ca_file: str = _setting("CA bundle of Odoo; empty for the system's.", "", form=FILE)
    timeout_ms: int = _setting(
        "A heartbeat or a question.", 2_000, least=100, most=30_000, live=True
    )
    heartbeat_s: int = _setting("Heartbeat.", 30, least=1, most=600, live=True)
    events_batch: int = _setting("Events in one call.", 100, least=1, most=100, live=True)
    catalogue_s: int = _setting("Import of the catalogue.", 3_600, least=10, most=86_400, live=True)


@dataclass(frozen=True, slots=True)
class AlertSettings:
    webhook_url: str = _setting(
        "Gets a POST for each alert that begins or ends; empty for none.",
        "",
        form=r"(https?://[^\s#]{1,512})?",
        live=True,
    )
    alertmanager_url: str = _setting(
        "Base address of a Prometheus Alertmanager; empty for none.",
        "",
        form=r"(https?://[^\s?#]{1,512})?",
        live=True,
    )
    token_file: str = _setting("File with the bearer token of both.", "", form=FILE, live=True)
    ca_file: str = _setting("CA bundle of both; empty for the system's.", "", form=FILE, live=True)


@dataclass(frozen=True, slots=True)
class BackupSettings:
    directory: str = _setting(
        "Folder on another disk for nightly copies of the database, such as a mounted USB stick; "
        "empty for none.",
        "",
        form=FILE,
    )
    url: str = _setting(
        "Base address that takes each copy by PUT; empty for none.",
        "",
        form=r"(https?://[^\s?#]{1,512})?",
    )
    token_file: str = _setting("File with the bearer token of that address.", "", form=FILE)
    ca_file: str = _setting("CA bundle of that address; empty for the system's.", "", form=FILE)
    keep: int = _setting("Copies kept in the folder.", 14, least=1, most=1_000)
    at: str = _setting(
        "When, by the shop's clocks; a missed night is made up at once.",
        "03:30",
        form=r"([01]\d|2[0-3]):[0-5]\d",
    )


@dataclass(frozen=True, slots=True)
class PowerSettings:
    apcupsd: str = _setting(
        "Where apcupsd is asked at a start what the till runs on; empty: it is not asked.",
        "127.0.0.1:3551",
        form=f"({ADDRESS})?",
    )


@dataclass(frozen=True, slots=True)
class TracingSettings:
    otlp_url: str = _setting(
        "Address of an OTLP/HTTP collector, ending in /v1/traces; empty: no spans are made.",
        "",
        form=r"(https?://[^\s?#]{1,512})?",
    )


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    url: str = _setting(
        "Where releases are published; empty to name it each time.",
        "",
        form=r"(https://[^\s]{1,240})?",
        live=True,
    )
    ca_file: str = _setting("Its CA, if no public one.", "", form=FILE, live=True)
    unsent_max: int = _setting(
        "With more unsent receipts in an open shift no update is installed.",
        20,
        least=0,
        most=10_000,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class OrganisationSettings:
    inn: str = _setting("INN of the owner, 10 or 12 digits.", "", form=r"(\d{10}|\d{12})?")
    name: str = _setting("Name of the owner.", "", form=ANY_TEXT)
    address: str = _setting("Address of settlements.", "", form=ANY_TEXT)
    tax_system: str = _setting(
        "Default tax system.", "osn", choices=tuple(one.name.lower() for one in TaxSystem)
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file."""

    till: TillSettings = TillSettings()
    api: ApiSettings = ApiSettings()
    printer: PrinterSettings = PrinterSettings()
    buffer: BufferSettings = BufferSettings()
    ofd: OfdSettings = OfdSettings()
    redis: RedisSettings = RedisSettings()
    odoo: OdooSettings = OdooSettings()
    alerts: AlertSettings = AlertSettings()
    backup: BackupSettings = BackupSettings()
    power: PowerSettings = PowerSettings()
    tracing: TracingSettings = TracingSettings()
    update: UpdateSettings = UpdateSettings()
    organisation: OrganisationSettings = OrganisationSettings()
    printers: Mapping[str, PrinterSettings] = field(default_factory=dict)  # besides `printer`

    @property
    def lanes(self) -> dict[str, PrinterSettings]:
        """Every printer by name, the first first, each with the tills it prints for."""
        named = {pos_id for one in self.printers.values() for pos_id in one.pos_ids}
        rest = tuple(pos_id for pos_id in self.till.pos_ids if pos_id not in named)
        first = replace(self.printer, pos_ids=self.printer.pos_ids or rest)
        return {FIRST_PRINTER: first, **self.printers}

    @property
    def printer_of(self) -> dict[str, str]:
        """The name of each till's printer."""
        served = {pos_id: name for name, one in self.lanes.items() for pos_id in one.pos_ids}
        return {pos_id: served[pos_id] for pos_id in self.till.pos_ids}

    def printer_for(self, pos_id: str) -> PrinterSettings:
        """Of a till that is not served, the first one's."""
        return self.lanes[self.printer_of.get(pos_id, FIRST_PRINTER)]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.till.timezone)

    @property
    def tax_system(self) -> TaxSystem:
        return TaxSystem[self.organisation.tax_system.upper()]


SECTIONS: Final[dict[str, Any]] = {
    part.name: type(part.default)
    for part in dataclasses.fields(Settings)
    if part.name != "printers"
}
