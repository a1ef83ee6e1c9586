"""`kktctl maintenance on|off`: no sales while an engineer works at the till (§5.5)."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, Context, WrongUse

HELP: Final = ("обслуживание: закрыть и открыть продажи", "maintenance: stop and resume sales")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("on", "off"))
    parser.add_argument("reason", nargs="*", help="причина / why")
    parser.add_argument("--minutes", type=int, default=30, help="на сколько / for how long (30)")


def run(context: Context) -> int:
    if context.options.action == "off":
        return _off(context)
    reason = " ".join(context.options.reason)
    if not reason:
        raise WrongUse("maintenance on REASON [--minutes 30] | maintenance off")
    asked = {"reason": reason, "estimated_duration_minutes": context.options.minutes}
    reply = context.client.ask("POST", "/v1/pos/maintenance", asked)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    until = reply.body["maintenance"]["expected_end"]
    context.terminal.say(
        f"продажи закрыты: {reason} (до {until})", f"no sales: {reason} (until {until})"
    )
    context.terminal.next(
        "само не закончится: после работ kktctl maintenance off",
        "it does not end by itself: kktctl maintenance off when done",
    )
    return FINE


def _off(context: Context) -> int:
    reply = context.client.ask("DELETE", "/v1/pos/maintenance")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    context.terminal.next(
        "продажи открыты, проверьте: kktctl status", "sales are open, check: kktctl status"
    )
    return FINE
