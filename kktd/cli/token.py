"""`kktctl token create|list|revoke`: who may call the till from the network.  For root."""

from __future__ import annotations

import argparse
from typing import Final
from urllib.parse import quote

from kktd.cli.command import FINE, Context, WrongUse, shown

HELP: Final = ("токены: создать, показать, отозвать", "tokens: create, list, revoke")
ROLES: Final = ("cashier", "supervisor", "engineer", "admin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("create", "list", "revoke"))
    parser.add_argument("what", nargs="*", help="ROLE NAME | – | ID")


def run(context: Context) -> int:
    match context.options.action, context.options.what:
        case "create", [role, name] if role in ROLES:
            return _create(context, role, name)
        case "revoke", [token_id]:
            return _revoke(context, token_id)
        case "list", []:
            return _list(context)
    raise WrongUse(f"token create {'|'.join(ROLES)} NAME | token list | token revoke ID")


def _create(context: Context, role: str, name: str) -> int:
    asked = {"role": role, "name": name}
    reply = context.client.ask("POST", "/v1/tokens", asked)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    context.terminal.say(reply.body["token"], reply.body["token"])
    context.terminal.next(
        "запишите токен: больше его никто не покажет",
        "keep the token: nobody can show it again",
    )
    return FINE


def _list(context: Context) -> int:
    reply = context.client.ask("GET", "/v1/tokens")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    context.terminal.table(
        [
            (
                one["id"],
                f"{one['role']:<10}  {one['name']}  {shown(one['revoked_at'] or one['created_at'])}"
                + (context.terminal.text("  отозван", "  revoked") if one["revoked_at"] else ""),
            )
            for one in reply.body["tokens"]
        ]
    )
    context.terminal.next(
        "отозвать лишний: kktctl token revoke ID", "revoke what is not needed: token revoke ID"
    )
    return FINE


def _revoke(context: Context, token_id: str) -> int:
    path = f"/v1/tokens/{quote(token_id, safe='')}/revoke"
    reply = context.client.ask("POST", path)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    context.terminal.say(f"{reply.body['name']}: отозван", f"{reply.body['name']}: revoked")
    context.terminal.next("делать больше ничего не нужно", "nothing else to do")
    return FINE
