"""`kktctl provision`: takes settings from the ESP or a stick. Run at each boot.."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context
from kktd.errors import BadConfig
from kktd.provision import Place, host_name, take
from kktd.settings_file import load

HELP: Final = ("взять настройки с флешки или ESP", "take the settings from a stick or the ESP")
HOST_NAME: Final = Path("/proc/sys/kernel/hostname")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--name-host", action="store_true", help="назвать машину по кассе / name the host after it"
    )


def run(context: Context) -> int:
    """The first folder that holds settings is taken; a bad one changes nothing and is told."""
    place = Place(context.config.parent)
    problem: BadConfig | OSError | None = None
    for source in context.options.source:
        try:
            if take(source, place) is not None:
                context.terminal.say(f"настройки взяты: {source}", f"settings taken: {source}")
                break
        except (BadConfig, OSError) as error:
            problem = error
            _tell(context, source, error)
    if context.options.name_host and context.config.is_file():
        _name_host(context)
    if not context.config.is_file():
        context.terminal.next(
            "положите kktd/kktd.toml и kktd/secrets/ на флешку с меткой KKTD и перезагрузите кассу",
            "put kktd/kktd.toml and kktd/secrets/ on a stick labelled KKTD and restart the till",
        )
    return FINE if problem is None else PROBLEM


def _tell(context: Context, source: Path, error: BadConfig | OSError) -> None:
    details = error.details if isinstance(error, BadConfig) else {}
    facts = ", ".join(f"{name}: {value}" for name, value in details.items())
    context.terminal.data({"fine": False, "source": str(source), "message": str(error), **details})
    context.terminal.say(
        f"настройки не взяты ({source}): {error} ({facts})",
        f"settings refused ({source}): {error} ({facts})",
    )
    context.terminal.next(
        "исправьте файл и перезагрузите кассу: kktctl config check FILE проверит его заранее",
        "mend the file and restart the till: kktctl config check FILE tries it beforehand",
    )


def _name_host(context: Context) -> None:
    try:
        HOST_NAME.write_text(host_name(load(context.config)), encoding="ascii")
    except BadConfig as error:
        _tell(context, context.config, error)
