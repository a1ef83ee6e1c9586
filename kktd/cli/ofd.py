"""`kktctl ofd probe`: where the way to the ОФД ends (procedure A.5)."""

from __future__ import annotations

import argparse
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context

HELP: Final = ("проверить ОФД напрямую", "test the OFD directly")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("probe",), help="чеков не трогает / touches no receipt")


def run(context: Context) -> int:
    """1 when something stands in the way."""
    reply = context.client.ask("POST", "/v1/ofd/probe")
    if not reply.fine:
        return context.terminal.refused(reply)
    seen, terminal = reply.body, context.terminal
    terminal.data(seen)
    rows = [("ofd", seen["host"])]
    for one in seen["stages"]:
        mark = "✓" if one["ok"] else "✗"
        rows.append((one["stage"], f"{mark} {one['duration_ms']} ms   {one['found']}"))
    if seen["retry_after"]:
        rows.append(("Retry-After", seen["retry_after"]))
    terminal.table(rows)
    terminal.next(seen["message"], seen["message"])
    return FINE if seen["verdict"] == "fine" else PROBLEM
