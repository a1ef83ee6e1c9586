"""`kktctl buffer status|sync`: the buffer's numbers and its alarms; `sync` as the command alone."""

from __future__ import annotations

import argparse
from typing import Any, Final

from kktd.cli import sync
from kktd.cli.command import FINE, PROBLEM, Context, shown

HELP: Final = ("буфер: состояние, отправка", "the buffer: status, sync")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("status", "sync"))
    sync.add_arguments(parser)


def run(context: Context) -> int:
    """1 while an alarm stands."""
    if context.options.action == "sync":
        return sync.run(context)
    reply = context.client.ask("GET", "/v1/kkt/buffer/status")
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    _show(context, reply.body)
    return PROBLEM if reply.body["alerts"] else FINE


def _show(context: Context, buffer: dict[str, Any]) -> None:
    terminal, say = context.terminal, context.terminal.text
    oldest, last = buffer["oldest_receipt"], buffer["last_sync"]
    rows = [
        (
            say("в буфере", "queued"),
            f"{buffer['current_queued']}/{buffer['total_capacity']} ({buffer['percent_full']} %)",
        ),
        (say("ждут ККТ", "wait for printer"), str(buffer["waiting_for_printer"])),
        (say("проверяются", "in doubt"), str(buffer["in_doubt"])),
        (say("старейший", "oldest"), shown(oldest and oldest["created_at"])),
        (say("сеть", "network"), buffer["network_status"]),
        (say("предохранитель", "breaker"), buffer["circuit_state"]),
        (say("последняя отправка", "last sync"), shown(last and last["timestamp"])),
        ("DLQ", str(buffer["dlq_size"])),
    ]
    rows += [(alert["level"], alert["message"]) for alert in buffer["alerts"]]
    terminal.table(rows)
    if buffer["alerts"]:
        message = buffer["alerts"][0]["message"]
        terminal.next(message, message)
    else:
        terminal.next("делать ничего не нужно", "nothing to do")
