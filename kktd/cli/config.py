"""`kktctl config check` and `show`: a settings file, read as the daemon reads it.  Offline."""

from __future__ import annotations

import argparse
from pathlib import Path

from kktd.cli.command import FINE, PROBLEM, Context
from kktd.config import Settings
from kktd.errors import BadConfig
from kktd.settings_file import load, require_complete
from kktd.settings_table import as_shown

HELP = ("настройки: проверить файл, показать действующие", "settings: check a file, show them")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("check", "show"))
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE")


def run(context: Context) -> int:
    file = context.options.file or context.config
    try:
        settings = load(file)
        if context.options.action == "check":
            require_complete(settings)
    except BadConfig as error:
        return _refuse(context, file, error)
    return _show(context, settings) if context.options.action == "show" else _praise(context, file)


def _refuse(context: Context, file: Path, error: BadConfig) -> int:
    """`file:line: key: reason`, as compilers say it."""
    details = error.details
    place = ":".join(str(one) for one in (file, details.get("line")) if one is not None)
    said = [str(details[name]) for name in ("key",) if name in details] + [str(error)]
    said += [
        f"{details[name]}" for name in ("reason", "form", "choices", "known") if name in details
    ]
    line = ": ".join((place, *said))
    context.terminal.data({"fine": False, "file": str(file), "message": str(error), **details})
    context.terminal.say(line, line)
    context.terminal.next(
        "исправьте файл: демон такой не примет",
        "mend the file: the daemon takes none like it",
    )
    return PROBLEM


def _praise(context: Context, file: Path) -> int:
    context.terminal.data({"fine": True, "file": str(file)})
    context.terminal.say(f"{file}: в порядке", f"{file}: fine")
    context.terminal.next(
        "сохраните его как /etc/kktd/kktd.toml: касса прочтёт сама",
        "save it as /etc/kktd/kktd.toml: the till reads it by itself",
    )
    return FINE


def _show(context: Context, settings: Settings) -> int:
    shown = as_shown(settings)
    context.terminal.data(shown)
    context.terminal.table(
        [
            (f"{section}.{name}", str(value))
            for section, values in shown.items()
            for name, value in values.items()
        ]
    )
    context.terminal.next(
        "изменить: отредактируйте файл, касса прочтёт сама; что ждёт перезапуска: docs/settings.md",
        "to change one, edit the file; what waits for a restart: docs/settings.md",
    )
    return FINE
