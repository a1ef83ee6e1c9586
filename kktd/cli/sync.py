"""`kktctl sync`: send to the ОФД now (§5.5, procedure A.1)."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, Context

HELP: Final = ("отправить чеки в ОФД сейчас", "send receipts to the OFD now")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="не ждать паузы / ignore the waits")


def run(context: Context) -> int:
    """Starts it and comes back; the daemon goes on."""
    force = "true" if context.options.force else "false"
    reply = context.client.ask("POST", f"/v1/kkt/buffer/sync?force={force}")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    seconds = reply.body["estimated_duration_seconds"]
    context.terminal.say(
        f"отправка начата, примерно {seconds} с", f"sync started, about {seconds} s"
    )
    context.terminal.next("следите: kktctl status", "watch it: kktctl status")
    return FINE
