"""`kktctl cash in|out AMOUNT REASON`: money into the drawer or out of it, in rubles."""

from __future__ import annotations

import argparse
from typing import Any, Final

from kktd.cli.command import FINE, PROBLEM, Context

HELP: Final = ("внести или выплатить наличные", "pay cash in or out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("in", "out"))
    parser.add_argument("amount", help="рубли / rubles, 1500.00")
    parser.add_argument("reason")
    parser.add_argument("--pos-id", metavar="ID")


def run(context: Context) -> int:
    """1 while the printer has not said what became of it."""
    options, terminal = context.options, context.terminal
    body: dict[str, Any] = {"amount": options.amount, "reason": options.reason}
    if options.pos_id:
        body["pos_id"] = options.pos_id
    reply = context.client.ask("POST", f"/v1/kkt/cash_{options.action}", body)
    if not reply.fine:
        return terminal.refused(reply)
    terminal.data(reply.body)
    if reply.status == 202:
        terminal.next(reply.body["message"], reply.body["message"])
        return PROBLEM
    terminal.table(
        [
            (terminal.text("сумма", "amount"), reply.body["amount"]),
            (terminal.text("в кассе", "in the drawer"), reply.body["cash_balance"]),
        ]
    )
    terminal.next("делать ничего не нужно", "nothing to do")
    return FINE
