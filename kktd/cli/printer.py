"""`kktctl printer`: which registrar stands there, and what an engineer asks of it."""

from __future__ import annotations

import argparse
from typing import Any, Final

from kktd.cli import port_discover, port_probe, printer_device
from kktd.cli.command import FINE, PROBLEM, Context, WrongUse, shown
from kktd.cli.printer_device import path_of

HELP: Final = ("ККТ: связь, замена, данные", "the printer: link, replacement, data")
USE: Final = (
    "printer show | printer accept FN [--leave-unsent] | printer probe [--port URL]"
    f" | {printer_device.USE} (each with --printer NAME) | printer discover [--ask]"
)
OF_THE_DEVICE: Final = ("fn", "cut", "clock", "document", "register", "table")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("show", "accept", "probe", "discover", *OF_THE_DEVICE))
    parser.add_argument("what", nargs="*", help="– | FN | …")
    parser.add_argument("--printer", metavar="NAME", help="[printers.NAME]")
    parser.add_argument("--port", metavar="URL", help="usb://, serial:///dev/ttyS0?baudrate=4800")
    parser.add_argument(
        "--ask",
        action="store_true",
        help="спросить каждое устройство, кто оно / ask each device who it is",
    )
    parser.add_argument("--by", metavar="NAME", help="кто решил / who decided")
    parser.add_argument(
        "--leave-unsent",
        action="store_true",
        help="чеки прежнего ФН не уйдут / the old FN's receipts stay behind",
    )


def run(context: Context) -> int:
    """1 while another printer answers, or it does not."""
    match context.options.action, context.options.what:
        case "probe", []:
            return port_probe.probe(context)
        case "discover", []:
            return port_discover.discover(context)
        case "show", []:
            return _show(context)
        case "accept", [fn]:
            return _accept(context, fn)
    if context.options.action in OF_THE_DEVICE:
        return printer_device.run(context)
    raise WrongUse(USE)


def _show(context: Context) -> int:
    reply = context.client.ask("GET", path_of(context, "/v1/printer"))
    if not reply.fine:
        return context.terminal.refused(reply)
    terminal, seen, say = context.terminal, reply.body, context.terminal.text
    terminal.data(seen)
    rows = [
        (say("модель", "model"), shown(seen["model"])),
        (say("формат ФД, ИНН", "format, INN"), f"{shown(seen['ffd'])}, {shown(seen['inn'])}"),
        (say("принята", "known"), _device(seen["known"])),
        (say("отвечает другая", "another answers"), _device(seen["stranger"])),
        (say("не в ОФД", "not at the OFD"), str(seen["unsent"])),
    ]
    rows += [(say("чек под вопросом", "in doubt"), one["receipt_id"]) for one in seen["in_doubt"]]
    terminal.table(rows)
    stranger = seen["stranger"]
    if stranger is not None:
        terminal.next(
            f"верните прежнюю ККТ, или примите эту: kktctl printer accept {stranger['fn']}",
            f"put the old one back, or accept this one: kktctl printer accept {stranger['fn']}",
        )
    elif seen["message"]:
        terminal.next(seen["message"], seen["message"])
    else:
        terminal.next("ККТ готова, делать ничего не нужно", "it is ready, nothing to do")
    return FINE if seen["ready"] else PROBLEM


def _accept(context: Context, fn: str) -> int:
    """The person names the FN, as it stands on its label; the rest is what answers now."""
    terminal = context.terminal
    reply = context.client.ask("GET", path_of(context, "/v1/printer"))
    if not reply.fine:
        return terminal.refused(reply)
    serial = (reply.body["stranger"] or {}).get("serial", "?")
    asked: dict[str, Any] = {
        "serial": serial,
        "fn": fn,
        "leave_unsent": context.options.leave_unsent,
    }
    if context.options.by:
        asked["accepted_by"] = context.options.by
    done = context.client.ask("POST", path_of(context, "/v1/printer/accept"), asked)
    if not done.fine:
        return terminal.refused(done)
    terminal.data(done.body)
    terminal.next(
        "ККТ принята, пробейте чек для проверки: kktctl status",
        "accepted, sell something to try it: kktctl status",
    )
    return FINE


def _device(device: dict[str, str] | None) -> str:
    return "–" if device is None else f"№ {device['serial']}  ФН {device['fn']}"
