"""Settings from `kktd.toml`: typed, with default, range and sentence; a bad file is refused whole.

The sections follow the guide's; units stand in the names.  Secrets are files, never values.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kktd.errors import BadConfig
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
    listen: str = _setting("Address of the HTTPS API.", "0.0.0.0:443", form=ADDRESS)
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
        "usb://, usb://VID:PID, usb://VID:PID/SERIAL, serial:///dev/…?baudrate=115200 or"
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
    )
    alertmanager_url: str = _setting(
        "Base address of a Prometheus Alertmanager; empty for none.",
        "",
        form=r"(https?://[^\s?#]{1,512})?",
    )
    token_file: str = _setting("File with the bearer token of both.", "", form=FILE)


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
    odoo: OdooSettings = OdooSettings()
    alerts: AlertSettings = AlertSettings()
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


def load(path: Path) -> Settings:
    """Read and check the whole file; raises BadConfig with line or key, and the reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig("the settings cannot be read", path=str(path), reason=str(error)) from error
    return parse(text)


def require_complete(settings: Settings) -> None:
    """Raise BadConfig while the till could sell and never deliver."""
    needed = {
        "ofd.url": settings.ofd.url,
        "ofd.token_file": settings.ofd.token_file,
        "organisation.inn": settings.organisation.inn,
        "organisation.address": settings.organisation.address,
    }
    for key, value in needed.items():
        if not value.strip():
            raise BadConfig("a setting is missing", key=key)


def parse(text: str) -> Settings:
    """The same from text."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig("not TOML", reason=str(error)) from error  # the reason names the line
    try:
        return _check(data)
    except BadConfig as error:
        line = line_of(text, str(error.details.get("key", "")))
        if line is not None:
            error.details["line"] = line
        raise


def line_of(text: str, key: str) -> int | None:
    """Where `section.key`, or the section, is set, counted from 1; None where it is not found."""
    name, section = r"([\w-]+(?:\s*\.\s*[\w-]+)*)\s*", ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(rf"\s*\[\s*{name}\]", line):
            section = here = re.sub(r"\s", "", header[1])
        elif setting := re.match(rf"\s*{name}=", line):
            here = ".".join(filter(None, (section, re.sub(r"\s", "", setting[1]))))
        else:
            continue
        if here == key:
            return number
    return None


def _check(data: dict[str, Any]) -> Settings:
    known = {*SECTIONS, "printers"}
    strange = sorted(set(data) - known)
    if strange:
        raise BadConfig("unknown section", key=strange[0], known=sorted(known))
    sections = {name: _section(name, kind(), data.get(name, {})) for name, kind in SECTIONS.items()}
    printers = _printers(data.get("printers", {}), sections["printer"])
    settings = Settings(**sections, printers=printers)
    try:
        settings.zone  # noqa: B018 - raises for an unknown zone
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadConfig("unknown zone", key="till.timezone", reason=str(error)) from error
    if not settings.till.pos_ids:
        raise BadConfig("no till", key="till.pos_ids", reason="at least one is needed")
    _check_lanes(settings)
    if settings.ofd.backoff_initial_ms > settings.ofd.backoff_max_ms:
        raise BadConfig("the first wait is the longest", key="ofd.backoff_initial_ms")
    return settings


def _printers(data: object, first: PrinterSettings) -> dict[str, PrinterSettings]:
    """[printers.NAME]: what one does not set is as in [printer]."""
    if not isinstance(data, dict):
        raise BadConfig("not a section", key="printers")
    for name, table in data.items():
        key = f"printers.{name}"
        if name == FIRST_PRINTER or not re.fullmatch(PRINTER_NAME, name):
            raise BadConfig("not a name for a printer", key=key, form=PRINTER_NAME)
        for needed in ("url", "pos_ids"):
            if isinstance(table, dict) and not table.get(needed):
                raise BadConfig("a setting is missing", key=f"{key}.{needed}")
    return {name: _section(f"printers.{name}", first, table) for name, table in data.items()}


def _check_lanes(settings: Settings) -> None:
    """Every till has one printer, every printer a till and a port of its own."""
    urls: set[str] = set()
    left = set(settings.till.pos_ids)
    for name, printer in settings.lanes.items():
        section = "printer" if name == FIRST_PRINTER else f"printers.{name}"
        if printer.url in urls:
            raise BadConfig("another printer's port", key=f"{section}.url")
        if not printer.pos_ids or not left.issuperset(printer.pos_ids):
            reason = "names tills of till.pos_ids that no other printer names, at least one"
            raise BadConfig("not its tills", key=f"{section}.pos_ids", reason=reason)
        urls.add(printer.url)
        left.difference_update(printer.pos_ids)
    if left:
        raise BadConfig("a till without a printer", key="printer.pos_ids", tills=sorted(left))


def _section(name: str, like: Any, data: object) -> Any:
    """What the file does not set is as in `like`."""
    if not isinstance(data, dict):
        raise BadConfig("not a section", key=name)
    known = {one.name: one for one in dataclasses.fields(like)}
    strange = sorted(set(data) - set(known))
    if strange:
        raise BadConfig("unknown key", key=f"{name}.{strange[0]}", known=sorted(known))
    given = {key: _value(f"{name}.{key}", known[key], raw) for key, raw in data.items()}
    return replace(like, **given)


def _value(key: str, rule: dataclasses.Field[Any], raw: object) -> object:
    default = rule.default
    if isinstance(default, tuple):
        if not isinstance(raw, list) or not all(isinstance(one, str) and one for one in raw):
            raise BadConfig("not a list of strings", key=key)
        if len(set(raw)) != len(raw):
            raise BadConfig("named twice", key=key)
        for one in raw:
            _check_form(key, rule, one)
        return tuple(raw)
    if isinstance(default, Path):
        if not isinstance(raw, str) or not raw:
            raise BadConfig("not a path", key=key)
        if not Path(raw).is_absolute():
            raise BadConfig("not an absolute path", key=key)
        return Path(raw)
    if type(raw) is not type(default):
        raise BadConfig(f"not a {type(default).__name__}", key=key)
    least, most, choices = (rule.metadata[name] for name in ("least", "most", "choices"))
    if isinstance(raw, int) and least is not None and not least <= raw <= most:
        raise BadConfig(f"outside {least}..{most}", key=key)
    if choices and raw not in choices:
        raise BadConfig("not one of the choices", key=key, choices=list(choices))
    if isinstance(raw, str):
        _check_form(key, rule, raw)
    return raw


def _check_form(key: str, rule: dataclasses.Field[Any], text: str) -> None:
    form = rule.metadata["form"]
    if form is not None and not re.fullmatch(form, text):
        raise BadConfig("not of the form", key=key, form=form)
