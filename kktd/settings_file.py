"""`kktd.toml` read and checked whole against the table of config.py, or refused with its place."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from kktd.config import PRINTER_NAME, SECTIONS, PrinterSettings, Settings
from kktd.errors import BadConfig
from kktd.model.device import FIRST_PRINTER


def load(path: Path) -> Settings:
    """Read and check the whole file; raises BadConfig with line or key, and the reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig("the settings cannot be read", path=str(path), reason=str(error)) from error
    return parse(text)


def require_complete(settings: Settings) -> None:
    """Raise BadConfig while the till could sell and never deliver."""
    by_device = settings.ofd.channel == "device"
    rest = {"ofd.url": settings.ofd.url, "ofd.token_file": settings.ofd.token_file}
    ofd = {} if by_device else rest
    needed = {
        **ofd,
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
