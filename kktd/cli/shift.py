"""`kktctl shift open|x|z`: open the shift, print its totals, close it with the Z-report."""

from __future__ import annotations

import argparse
from typing import Any, Final

from kktd.cli.command import FINE, PROBLEM, Context, shown

HELP: Final = ("смена: открыть, X-отчёт, Z-отчёт", "the shift: open, X-report, Z-report")
PATHS: Final = {
    "open": "/v1/kkt/shift/open",
    "x": "/v1/kkt/x_report",
    "z": "/v1/kkt/z_report",
}
CASHIER: Final = "Администратор"  # tag 1021 of the report where nobody is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=tuple(PATHS))
    parser.add_argument("--cashier", default=CASHIER, metavar="NAME")
    parser.add_argument("--pos-id", metavar="ID")


def run(context: Context) -> int:
    """1 while the printer has not said what became of it."""
    options = context.options
    body: dict[str, Any] = {"cashier": {"name": options.cashier}}
    if options.pos_id:
        body["pos_id"] = options.pos_id
    reply = context.client.ask("POST", PATHS[options.action], body)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    if reply.status == 202:
        context.terminal.next(reply.body["message"], reply.body["message"])
        return PROBLEM
    _show(context, reply.body)
    return FINE


def _show(context: Context, report: dict[str, Any]) -> None:
    say = context.terminal.text
    rows = [
        (say("смена", "shift"), str(report["shift_number"])),
        (say("время", "time"), shown(report["datetime"])),
        (say("документ", "document"), shown(report["fiscal_document_number"])),
    ]
    if "cash_total" in report:
        rows += [
            (say("наличные", "cash"), report["cash_total"]),
            (say("карты", "cards"), report["card_total"]),
            (say("продажи", "sales"), report["total_sales"]),
            (say("возвраты", "refunds"), report["total_refunds"]),
        ]
    context.terminal.table(rows)
    if context.options.action == "z":
        context.terminal.next("смена закрыта: сдайте наличные", "closed: hand over the cash")
    else:
        context.terminal.next("делать ничего не нужно", "nothing to do")
