"""`kktctl breaker reset`: close the circuit breaker after the cause is mended (§5.5, A.5)."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, Context

HELP: Final = ("сбросить предохранитель ОФД", "reset the breaker before the OFD")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("reset",))


def run(context: Context) -> int:
    reply = context.client.ask("POST", "/v1/kkt/circuit_breaker/reset")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    state = reply.body["state"]
    context.terminal.say(f"предохранитель {state}", f"breaker {state}")
    context.terminal.next("отправьте чеки: kktctl sync --force", "send: kktctl sync --force")
    return FINE
