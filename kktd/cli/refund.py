"""`kktctl refund check ID|FN:FD`: may this receipt be refunded now?  Changes nothing."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context

HELP: Final = ("можно ли вернуть чек сейчас", "may a receipt be refunded now")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("check",))
    parser.add_argument("original", metavar="ID|FN:FD")


def run(context: Context) -> int:
    """1 when it may not."""
    original, terminal = context.options.original, context.terminal
    field = "original_fiscal_doc_id" if ":" in original else "original_receipt_id"
    reply = context.client.ask("POST", "/v1/pos/refund", {field: original})
    if "allowed" not in reply.body:
        return terminal.refused(reply)
    terminal.data(reply.body)
    if not reply.body["allowed"]:
        terminal.say(f"нет: {reply.body['reason']}", f"no: {reply.body['reason']}")
        terminal.next(reply.body["message"], reply.body["message"])
        return PROBLEM
    terminal.next("можно: пробейте возврат на кассе", "it may: ring the refund up at the till")
    return FINE
