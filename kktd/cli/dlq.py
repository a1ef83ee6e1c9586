"""`kktctl dlq list|show|retry|resolve`: receipts the ОФД did not take (§5.3)."""

from __future__ import annotations

import argparse
from typing import Any, Final
from urllib.parse import quote

from kktd.cli.command import FINE, PROBLEM, Context, WrongUse, shown

HELP: Final = ("чеки, которых не принял ОФД (DLQ)", "receipts the OFD did not take (DLQ)")
USE: Final = "dlq list [--resolved] | dlq show ID | dlq retry ID | dlq resolve ID NOTE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "show", "retry", "resolve"))
    parser.add_argument("what", nargs="*", help="– | ID | ID NOTE")
    parser.add_argument("--resolved", action="store_true", help="закрытые / those that were closed")
    parser.add_argument("--by", metavar="NAME", help="кто закрыл / who resolved it")


def run(context: Context) -> int:
    """1 while something waits for a person."""
    by = {"resolved_by": context.options.by} if context.options.by else {}
    match context.options.action, context.options.what:
        case "list", []:
            return _list(context)
        case "show", [letter_id]:
            return _show(context, letter_id)
        case "retry", [letter_id]:
            return _close(context, letter_id, "retry", by)
        case "resolve", [letter_id, *words] if words:
            return _close(context, letter_id, "resolve", {"note": " ".join(words), **by})
    raise WrongUse(USE)


def _list(context: Context) -> int:
    resolved = context.options.resolved
    path = f"/v1/kkt/dlq?resolved={'true' if resolved else 'false'}&limit=500"
    reply = context.client.ask("GET", path)
    if not reply.fine:
        return context.terminal.refused(reply)
    terminal, items = context.terminal, reply.body["items"]
    terminal.data(reply.body)
    terminal.table(
        [
            (
                one["id"],
                f"{one['failed_at']}  {one['fiscal_doc']['fn']}/{one['fiscal_doc']['fd']}  "
                f"{one['reason']}  {shown(one['last_error'])}",
            )
            for one in items
        ]
    )
    if resolved or not items:
        terminal.next("делать ничего не нужно", "nothing to do")
        return FINE
    terminal.next(
        "устраните причину, затем: kktctl dlq retry ID",
        "mend the cause, then: kktctl dlq retry ID",
    )
    return PROBLEM


def _show(context: Context, letter_id: str) -> int:
    for resolved in ("false", "true"):
        page, total = 1, 1
        while (page - 1) * 500 < total:
            path = f"/v1/kkt/dlq?resolved={resolved}&limit=500&page={page}"
            reply = context.client.ask("GET", path)
            if not reply.fine:
                return context.terminal.refused(reply)
            for one in reply.body["items"]:
                if one["id"] == letter_id.lower():
                    context.terminal.data(one)
                    return _print(context, one)
            page, total = page + 1, reply.body["total"]
    context.terminal.data({"code": "NOT_FOUND", "details": {"dlq_id": letter_id}})
    context.terminal.next("такой записи нет: kktctl dlq list", "no such row: kktctl dlq list")
    return PROBLEM


def _print(context: Context, letter: dict[str, Any]) -> int:
    terminal, say, document = context.terminal, context.terminal.text, letter["fiscal_doc"]
    terminal.table(
        [
            (say("запись", "row"), letter["id"]),
            (say("чек", "receipt"), letter["receipt_id"]),
            (
                say("документ", "document"),
                f"ФН {document['fn']}  ФД {document['fd']}  ФП {document['fp']}",
            ),
            (say("отложен", "set aside"), letter["failed_at"]),
            (say("причина", "reason"), letter["reason"]),
            (say("попыток", "attempts"), str(letter["retry_attempts"])),
            (say("ошибка", "last error"), shown(letter["last_error"])),
            (say("закрыта", "resolved"), shown(letter["resolved_at"])),
            (say("кем", "by"), shown(letter["resolved_by"])),
            (say("заметка", "note"), shown(letter["note"])),
        ]
    )
    if letter["resolved_at"]:
        terminal.next("закрыта, делать ничего не нужно", "closed, nothing to do")
        return FINE
    terminal.next(
        f"устраните причину, затем: kktctl dlq retry {letter['id']}",
        f"mend the cause, then: kktctl dlq retry {letter['id']}",
    )
    return PROBLEM


def _close(context: Context, letter_id: str, action: str, body: dict[str, str]) -> int:
    path = f"/v1/kkt/dlq/{quote(letter_id, safe='')}/{action}"
    reply = context.client.ask("POST", path, body)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    if action == "retry":
        receipt_id = reply.body["receipt_id"]
        context.terminal.next(
            f"чек в очереди, проверьте: kktctl receipt show {receipt_id}",
            f"it is in the queue, look: kktctl receipt show {receipt_id}",
        )
    else:
        context.terminal.next("запись закрыта, остальные: kktctl dlq list", "closed: dlq list")
    return FINE
