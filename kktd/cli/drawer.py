"""`kktctl drawer`: open the cash drawer; no document."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context

HELP: Final = ("открыть денежный ящик", "open the cash drawer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pos-id", metavar="ID")


def run(context: Context) -> int:
    """1 while the printer has not said what became of it."""
    pos_id = context.options.pos_id
    reply = context.client.ask("POST", "/v1/kkt/drawer", {"pos_id": pos_id} if pos_id else {})
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    if reply.status == 202:
        context.terminal.next(reply.body["message"], reply.body["message"])
        return PROBLEM
    context.terminal.next("ящик открыт: закройте его рукой", "it is open: close it by hand")
    return FINE
