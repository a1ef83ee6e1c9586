"""`kktctl session [POS_ID]`: the open shift, else the last one, as the till's own rows tell it."""

from __future__ import annotations

import argparse
from typing import Any, Final
from urllib.parse import quote

from kktd.cli.command import FINE, Context, WrongUse, shown

HELP: Final = ("смена по данным кассы: суммы, остаток", "the shift in the till's own books")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pos_id", nargs="?", metavar="POS_ID")


def run(context: Context) -> int:
    pos_id = context.options.pos_id or _only_till(context)
    reply = context.client.ask("GET", f"/v1/kkt/session/{quote(pos_id, safe='')}")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    _show(context, reply.body)
    return FINE


def _only_till(context: Context) -> str:
    """Raises WrongUse where several are served."""
    tills: list[str] = context.client.ask("GET", "/v1/health").body.get("pos_ids", [])
    if len(tills) != 1:
        raise WrongUse(f"session POS_ID: {', '.join(tills)}")
    return tills[0]


def _show(context: Context, session: dict[str, Any]) -> None:
    say, terminal = context.terminal.text, context.terminal
    is_open = session["status"] == "open"
    state = say("открыта", "open") if is_open else say("закрыта", "closed")
    balances = session["balances"]
    terminal.table(
        [
            (say("смена", "shift"), f"{session['shift_number']} {state}"),
            (say("открыта", "opened"), shown(session["opened_at"])),
            (say("закрыта", "closed"), shown(session["closed_at"])),
            (say("наличные", "cash"), balances["cash"]),
            (say("карты", "cards"), balances["card"]),
            (say("продажи", "sales"), session["total_sales"]),
            (say("возвраты", "refunds"), session["total_refunds"]),
            (say("не отправлено", "unsent"), str(session["unsynced_transactions"])),
            (say("сверка", "reconciled"), shown(session["last_reconciled"])),
        ]
    )
    if session["unsynced_transactions"]:
        terminal.next("отправьте чеки: kktctl sync", "send the receipts: kktctl sync")
    elif is_open:
        terminal.next("закрыть смену: kktctl shift z", "to close it: kktctl shift z")
    else:
        terminal.next("делать ничего не нужно", "nothing to do")
