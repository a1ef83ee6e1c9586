"""`kktctl alert test`: does an alert of this till arrive where it should?"""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, Context

HELP: Final = ("проверить оповещения", "test the alerts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("test",), help="отправить проверочное / send a test")


def run(context: Context) -> int:
    """Asks the daemon to send one; whether it arrived only the other end can tell."""
    reply = context.client.ask("POST", "/v1/alerts/test", {})
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    context.terminal.say("проверочное оповещение отправлено", "a test alert was sent")
    context.terminal.next(
        "если оно не пришло: kktctl logs, событие alert_unsent называет причину",
        "if it does not arrive: the event alert_unsent of kktctl logs says why",
    )
    return FINE
