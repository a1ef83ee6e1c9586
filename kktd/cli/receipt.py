"""`kktctl receipt`: one receipt and what can be done with it."""

from __future__ import annotations

import argparse
from typing import Any, Final
from urllib.parse import quote

from kktd.cli.command import FINE, PROBLEM, Context, WrongUse, shown

HELP: Final = ("посмотреть, отменить или напечатать чек", "look at, cancel or print a receipt")
USE: Final = (
    "receipt show|cancel|print ID | receipt absent ID NOTE | "
    "receipt registered ID NOTE --qr TEXT --shift N --number N"
)

# By print_state; a hint of the daemon's goes first.
NEXT: Final[dict[str, tuple[str, str]]] = {
    "accepted": (
        "ждёт печати: напечатайте (print) или отмените (cancel)",
        "waits for the printer: print or cancel it",
    ),
    "printing": ("не пробивайте повторно: проверяем", "do not ring it up again: we are checking"),
    "in_doubt": ("не пробивайте повторно: проверяем", "do not ring it up again: we are checking"),
    "registered": ("чек в ФН: проверьте бумагу", "the FN holds it: look at the paper"),
    "printed": ("чек пробит, делать ничего не нужно", "done, nothing to do"),
    "refused": ("ККТ отказала: пробейте новый чек", "the printer refused: ring up a new one"),
    "cancelled": ("отменён: пробейте новый, если нужен", "cancelled: ring up a new one if needed"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("show", "cancel", "print", "registered", "absent"))
    parser.add_argument("id")
    parser.add_argument("note", nargs="*", help="почему / why")
    parser.add_argument("--qr", metavar="TEXT", help="QR с чека / from the paper: t=…&s=…&fn=…")
    parser.add_argument("--shift", type=int, metavar="N", help="смена с чека / its shift")
    parser.add_argument("--number", type=int, metavar="N", help="№ чека за смену / its number")
    parser.add_argument("--by", metavar="NAME", help="кто решил / who decided")


def run(context: Context) -> int:
    """1 for a receipt that was refused, is in doubt or cannot be delivered."""
    path = f"/v1/kkt/receipt/{quote(context.options.id, safe='')}"
    if context.options.action != "show":
        changed = context.client.ask("POST", f"{path}/{context.options.action}", _asked(context))
        if not changed.fine:
            return context.terminal.refused(changed)
    reply = context.client.ask("GET", path)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    return _show(context, reply.body)


def _asked(context: Context) -> dict[str, Any] | None:
    """What a decision about a doubt carries; raises WrongUse."""
    options = context.options
    if options.action not in ("registered", "absent"):
        return None
    asked: dict[str, Any] = {"note": " ".join(options.note)}
    if options.by:
        asked["resolved_by"] = options.by
    if options.action == "registered":
        asked |= {"qr": options.qr, "shift": options.shift, "receipt_no": options.number}
    if not all(asked.values()):
        raise WrongUse(USE)
    return asked


def _show(context: Context, receipt: dict[str, Any]) -> int:
    terminal, document = context.terminal, receipt["fiscal_doc"]
    say = terminal.text
    rows = [
        (say("чек", "receipt"), receipt["id"]),
        (say("сумма", "total"), receipt["total"]),
        (say("печать", "printing"), receipt["print_state"]),
        (say("ОФД", "OFD"), receipt["status"]),
        (say("принят", "accepted"), shown(receipt["created_at"])),
        (say("отправлен", "delivered"), shown(receipt["synced_at"])),
    ]
    if document:
        rows.append(
            (
                say("документ", "document"),
                f"ФН {document['fn']}  ФД {document['fd']}  ФП {document['fp']}",
            )
        )
    if receipt["last_error"]:
        rows.append((say("ошибка", "error"), receipt["last_error"]))
    terminal.table(rows)
    if receipt.get("message"):
        terminal.next(receipt["message"], receipt["message"])
    elif receipt["status"] == "failed":
        terminal.next(
            "ОФД не принял чек: вызовите инженера", "the OFD refused it: call an engineer"
        )
    else:
        terminal.next(*NEXT[receipt["print_state"]])
    trouble = receipt["print_state"] in ("refused", "in_doubt") or receipt["status"] == "failed"
    return PROBLEM if trouble else FINE
