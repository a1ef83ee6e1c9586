"""`kktctl salvage show|confirm`: after a damaged database, what is missing; sales open again."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context, shown

HELP: Final = ("восстановление базы: чего не хватает", "a salvaged database: what is missing")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("show", "confirm"))


def run(context: Context) -> int:
    """`show` ends with 1 while sales wait for a person."""
    terminal = context.terminal
    if context.options.action == "confirm":
        reply = context.client.ask("POST", "/v1/salvage/confirm", {})
    else:
        reply = context.client.ask("GET", "/v1/salvage")
    if not reply.fine:
        return terminal.refused(reply)
    terminal.data(reply.body)
    found = reply.body["salvage"]
    if found is None:
        terminal.say("база цела", "the database is whole")
        return FINE
    say = terminal.text
    missing = [f"{name}: {fds}" for name, fds in found["missing"].items() if fds]
    terminal.table(
        [
            (say("когда", "when"), found["found_at"]),
            (say("старый файл", "old file"), found["set_aside"]),
            (say("чеков в ФН нет в базе", "in the FN, not here"), "; ".join(missing) or "–"),
            (say("подтвердил", "confirmed by"), shown(found["confirmed_by"])),
        ]
    )
    if found["confirmed_by"] is None and missing:
        terminal.next(
            "сверьте эти ФД с лентой и кабинетом ОФД, потом kktctl salvage confirm",
            "compare these FDs with the paper and the ОФД, then kktctl salvage confirm",
        )
        return PROBLEM
    return FINE
