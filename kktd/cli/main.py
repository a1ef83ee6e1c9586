"""`kktctl`: finds the commands in its folder, asks the daemon, says what to do.

Exit codes: 0 fine, 1 a problem was found, 2 wrong use, 3 the daemon does not answer.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import tomllib
from pathlib import Path
from typing import Final, cast

import kktd.cli
from kktd import __version__
from kktd.cli.client import Client, Target, Unreachable
from kktd.cli.command import UNREACHABLE, WRONG_USE, Command, Context, Terminal, WrongUse

CONFIG: Final = Path("/etc/kktd/kktd.toml")
SOCKET: Final = Path("/run/kktd/api.sock")
NO_COMMANDS: Final = frozenset(
    {"main", "client", "command", "port_discover", "port_probe", "printer_device"}
)


def find_commands() -> dict[str, Command]:
    """Every other module of this folder, by its name."""
    names = [one.name for one in pkgutil.iter_modules(kktd.cli.__path__)]
    return {
        name: cast(Command, importlib.import_module(f"kktd.cli.{name}"))
        for name in sorted(names)
        if name not in NO_COMMANDS
    }


def speaks_russian() -> bool:
    """By the first of the usual variables that is set."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return value.startswith("ru")
    return False


def main(argv: list[str] | None = None) -> int:
    russian = speaks_russian()
    commands = find_commands()
    options = _parser(commands, russian).parse_args(argv)
    terminal = Terminal(russian, options.json)
    try:
        target = _target(options)
    except OSError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    client = Client(target, "ru" if russian else "en")
    try:
        return commands[options.command].run(Context(options, client, terminal, options.config))
    except WrongUse as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except Unreachable as error:
        place = target.url or target.socket
        print(f"{place}: {error}", file=sys.stderr)
        terminal.next(
            "kktd не отвечает: systemctl status kktd; под root ли вы?",
            "kktd does not answer: systemctl status kktd; are you root?",
        )
        return UNREACHABLE


def _parser(commands: dict[str, Command], russian: bool) -> argparse.ArgumentParser:
    def text(in_russian: str, in_english: str) -> str:
        return in_russian if russian else in_english

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help=text("для программ", "for scripts"))
    common.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
    common.add_argument(
        "--socket", type=Path, metavar="FILE", help=text("сокет кассы", "the till's Unix socket")
    )
    common.add_argument(
        "--url", help=text("https://касса вместо сокета", "https://till instead of the socket")
    )
    common.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=text("файл с токеном (или KKTD_TOKEN)", "file with the token (or KKTD_TOKEN)"),
    )
    common.add_argument("--cacert", type=Path, metavar="FILE", help="CA")
    parser = argparse.ArgumentParser(
        prog="kktctl", description=text("Касса kktd", "The till daemon kktd")
    )
    parser.add_argument("--version", action="version", version=__version__)
    places = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.items():
        about = text(*command.HELP)
        command.add_arguments(
            places.add_parser(name, parents=[common], help=about, description=about)
        )
    return parser


def _target(options: argparse.Namespace) -> Target:
    """Raises OSError for a token file that cannot be read."""
    token = os.environ.get("KKTD_TOKEN")
    if options.token_file:
        token = options.token_file.read_text(encoding="utf-8").strip()
    path = options.socket or _socket_of(options.config)
    return Target(path, options.url, token, options.cacert)


def _socket_of(config: Path) -> Path:
    """As the settings say; their usual value where they cannot be read or do not say."""
    try:
        settings = tomllib.loads(config.read_text(encoding="utf-8"))
        return Path(settings["api"]["socket"])
    except (OSError, ValueError, KeyError, TypeError):
        return SOCKET


if __name__ == "__main__":
    sys.exit(main())
