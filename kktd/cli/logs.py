"""`kktctl logs [--follow]`: what happened at the till, the newest last (§5.5, A.5)."""

from __future__ import annotations

import argparse
import json
import threading
from typing import Any, Final
from urllib.parse import urlencode

from kktd.cli.client import Reply
from kktd.cli.command import FINE, Context

HELP: Final = ("журнал кассы", "what happened at the till")
FOLLOW_S: Final = 2.0
LIMIT_MAX: Final = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--level", help="INFO, WARN, ERROR, CRITICAL: и хуже / and worse")
    parser.add_argument("--since", metavar="ISO", help="2026-03-02T09:30")
    parser.add_argument("--limit", type=int, default=50, help=f"1 … {LIMIT_MAX}")
    parser.add_argument("--page", type=int, default=1)
    parser.add_argument("--follow", "-f", action="store_true", help="до Ctrl-C / until Ctrl-C")


def run(context: Context) -> int:
    options = context.options
    filters = {name: value for name in ("level", "since") if (value := getattr(options, name))}
    reply = _ask(context, filters, options.limit, options.page)
    if not reply.fine:
        return context.terminal.refused(reply)
    if options.follow:
        return _follow(context, filters, reply)
    context.terminal.data(reply.body)
    for one in reversed(reply.body["items"]):
        _say(context, one)
    shown, total = len(reply.body["items"]), reply.body["total"]
    if shown < total:
        context.terminal.next(
            f"показано {shown} из {total}, раньше: --page {options.page + 1}",
            f"{shown} of {total} shown, earlier ones: --page {options.page + 1}",
        )
    else:
        context.terminal.next("это всё; следить: kktctl logs -f", "that is all; watch: logs -f")
    return FINE


def _ask(context: Context, filters: dict[str, str], limit: int, page: int) -> Reply:
    asked = urlencode({**filters, "limit": limit, "page": page})
    return context.client.ask("GET", f"/v1/kkt/buffer/logs?{asked}")


def _follow(context: Context, filters: dict[str, str], reply: Reply) -> int:
    """Until Ctrl-C; with --json one object a line."""
    pause, last = threading.Event(), 0
    try:
        while reply.fine:
            for one in reversed(reply.body["items"]):
                if one["id"] > last:
                    last = one["id"]
                    _print_now(context, one)
            pause.wait(FOLLOW_S)
            reply = _ask(context, filters, LIMIT_MAX, 1)
        return context.terminal.refused(reply)
    except KeyboardInterrupt:
        context.terminal.next("состояние кассы: kktctl status", "how it stands: kktctl status")
        return FINE


def _print_now(context: Context, one: dict[str, Any]) -> None:
    if context.terminal.as_json:
        print(json.dumps(one, ensure_ascii=False), flush=True)
    else:
        _say(context, one)


def _say(context: Context, one: dict[str, Any]) -> None:
    receipt = f"  {one['receipt_id']}" if one["receipt_id"] else ""
    line = f"{one['timestamp']}  {one['level']:<8}  {one['message']}{receipt}"
    context.terminal.say(line, line)
