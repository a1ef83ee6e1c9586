"""`kktctl power EVENT|status`: what apcupsd's scripts call; it never holds one of them up.

`doshutdown` and `doreboot` come back when all is on disk or after WAIT_S.  99 tells apccontrol to
leave the machine on: the mains came back in time.  Any other end, a daemon that is down among
them, lets it go on.
"""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context, shown
from kktd.power.table import POWER_OFF, PowerState, UpsEvent

HELP: Final = ("питание: что говорит ИБП", "power: what the UPS says")
STAY_ON: Final = 99  # apccontrol skips what it would do
QUICK_S: Final = 3.0
WAIT_S: Final = 8.0  # the daemon answers after 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", choices=("status", *UpsEvent), metavar="EVENT|status")


def run(context: Context) -> int:
    """`status` ends with 1 while the mains are away or the UPS is in trouble."""
    event, terminal = context.options.event, context.terminal
    if event == "status":
        reply = context.client.ask("GET", "/v1/power", timeout_s=QUICK_S)
    else:
        timeout_s = WAIT_S if event in POWER_OFF else QUICK_S
        reply = context.client.ask("POST", f"/v1/power/{event}", {}, timeout_s=timeout_s)
    if not reply.fine:
        return terminal.refused(reply)
    terminal.data(reply.body)
    state, troubles = reply.body["state"], reply.body["troubles"]
    say = terminal.text
    terminal.table(
        [
            (say("питание", "power"), state),
            (say("с", "since"), shown(reply.body["since"])),
            (say("ИБП", "UPS"), ", ".join(troubles) or say("в порядке", "fine")),
        ]
    )
    if event == "status":
        return PROBLEM if troubles or state != PowerState.MAINS else FINE
    stays_on = state in (PowerState.MAINS, PowerState.ON_BATTERY)
    return STAY_ON if event in POWER_OFF and stays_on else FINE
