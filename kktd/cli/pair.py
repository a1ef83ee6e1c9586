"""`kktctl pair ROLE NAME`: a code that a point of sale gives for its token.  For root."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, Context, shown
from kktd.cli.token import ROLES

HELP: Final = ("код для подключения кассового места", "a code to pair a point of sale with")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("name", help="кому / whose: «Касса 1»")


def run(context: Context) -> int:
    options, terminal = context.options, context.terminal
    asked = {"role": options.role, "name": options.name}
    reply = context.client.ask("POST", "/v1/pair", asked)
    if not reply.fine:
        return terminal.refused(reply)
    terminal.data(reply.body)
    code, minutes = reply.body["code"], reply.body["expires_in_seconds"] // 60
    terminal.table(
        [
            (terminal.text("код", "code"), f"{code[:4]} {code[4:]}"),
            (terminal.text("роль", "role"), f"{reply.body['role']}, {reply.body['name']}"),
            (terminal.text("отпечаток CA", "CA SHA-256"), shown(reply.body["ca_sha256"])),
        ]
    )
    terminal.next(
        f"введите код на кассовом месте за {minutes} мин; отпечаток должен совпасть",
        f"type the code at the point of sale within {minutes} min; the fingerprint has to match",
    )
    return FINE
