"""`kktctl pair ROLE NAME`: a code that a point of sale gives for its token.  For root."""

from __future__ import annotations

import argparse
from typing import Any, Final

from kktd.cli.command import FINE, Context, WrongUse, shown
from kktd.cli.token import ROLES

FIRST: Final = {"role": "admin", "name": "первый"}
SHOWN: Final = 75  # EX_TEMPFAIL: ask again later
HELP: Final = ("код для подключения кассового места", "a code to pair a point of sale with")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=ROLES, nargs="?")
    parser.add_argument("name", nargs="?", help="кому / whose: «Касса 1»")
    parser.add_argument(
        "--first",
        action="store_true",
        help="код администратора на экране новой кассы, пока нет ни одного токена / "
        "an admin's code on the screen of a new till, until there is a token",
    )


def run(context: Context) -> int:
    options = context.options
    if options.first:
        return _first(context)
    if not options.role or not options.name:
        raise WrongUse("kktctl pair ROLE NAME")
    reply = context.client.ask("POST", "/v1/pair", {"role": options.role, "name": options.name})
    if not reply.fine:
        return context.terminal.refused(reply)
    _show(context, reply.body)
    return FINE


def _first(context: Context) -> int:
    """Who stands before a new till may have its first token: SHOWN while there is none, else FINE.

    Whoever runs it repeats it before the code's ten minutes are over (kktd-first-pairing.service).
    """
    known = context.client.ask("GET", "/v1/tokens")
    if not known.fine:
        return context.terminal.refused(known)
    if known.body["tokens"]:
        return FINE
    reply = context.client.ask("POST", "/v1/pair", FIRST)
    if not reply.fine:
        return context.terminal.refused(reply)
    _show(context, reply.body)
    return SHOWN


def _show(context: Context, offer: dict[str, Any]) -> None:
    terminal = context.terminal
    terminal.data(offer)
    code, minutes = offer["code"], offer["expires_in_seconds"] // 60
    terminal.table(
        [
            (terminal.text("код", "code"), f"{code[:4]} {code[4:]}"),
            (terminal.text("роль", "role"), f"{offer['role']}, {offer['name']}"),
            (terminal.text("отпечаток CA", "CA SHA-256"), shown(offer["ca_sha256"])),
        ]
    )
    terminal.next(
        f"введите код на кассовом месте за {minutes} мин; отпечаток должен совпасть",
        f"type the code at the point of sale within {minutes} min; the fingerprint has to match",
    )
