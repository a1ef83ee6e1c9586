"""`kktctl backup now|list`: copies of the database in a second place."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context, shown

HELP: Final = ("копии базы кассы", "copies of the till's database")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("now", "list"))


def run(context: Context) -> int:
    """`list` ends with 1 when the last try failed."""
    terminal = context.terminal
    if context.options.action == "now":
        reply = context.client.ask("POST", "/v1/backup", {})
        if not reply.fine:
            return terminal.refused(reply)
        terminal.data(reply.body)
        terminal.next(
            "копия пишется: kktctl backup list покажет, готова ли она",
            "the copy is being made: kktctl backup list shows when it is done",
        )
        return FINE
    reply = context.client.ask("GET", "/v1/backup")
    if not reply.fine:
        return terminal.refused(reply)
    body = reply.body
    terminal.data(body)
    terminal.table([(one["name"], f"{one['bytes']:,}".replace(",", " ")) for one in body["copies"]])
    terminal.table([(terminal.text("последняя", "last"), shown(body["done_at"]))])
    if body["problem"]:
        terminal.next(
            f"копия не удалась: {body['problem']}; исправьте, потом kktctl backup now",
            f"the copy failed: {body['problem']}; mend it, then kktctl backup now",
        )
        return PROBLEM
    if not body["configured"]:
        terminal.next(
            "второе место не задано: [backup] directory или url",
            "no second place is set: [backup] directory or url",
        )
    return FINE
