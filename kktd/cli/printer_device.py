"""`kktctl printer fn|clock|document|register|table`: what an engineer asks of the device."""

from __future__ import annotations

from urllib.parse import urlencode

from kktd.cli.command import FINE, PROBLEM, Context, WrongUse, shown

USE = (
    "printer fn | printer cut | printer clock [set] | printer document FD | "
    "printer register money|operation N | printer table T [ROW FIELD [VALUE]]"
)
DRIFT_MAX_S = 300


def run(context: Context) -> int:
    """Raises WrongUse."""
    what = context.options.what
    match context.options.action, what:
        case "fn", []:
            return _show(context, "/v1/printer/fn")
        case "cut", []:
            return _change(context, "/v1/printer/cut", {})
        case "clock", []:
            return _clock(context)
        case "clock", ["set"]:
            return _change(context, "/v1/printer/clock", {})
        case "document", [fd] if fd.isdigit():
            return _show(context, f"/v1/printer/documents/{fd}")
        case "register", ["money" | "operation" as kind, number] if number.isdigit():
            return _show(context, f"/v1/printer/registers/{kind}/{number}")
        case "table", [*numbers] if len(numbers) in (1, 3) and all(map(str.isdigit, numbers)):
            return _show(context, f"/v1/printer/tables/{'/'.join(numbers)}")
        case "table", [*numbers, value] if len(numbers) == 3 and all(map(str.isdigit, numbers)):
            return _change(context, f"/v1/printer/tables/{'/'.join(numbers)}", {"value": value})
    raise WrongUse(USE)


def _show(context: Context, path: str) -> int:
    reply = context.client.ask("GET", path_of(context, path))
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    context.terminal.table([(name, shown(value)) for name, value in reply.body.items()])
    return FINE


def _change(context: Context, path: str, body: dict[str, str]) -> int:
    reply = context.client.ask("POST", path_of(context, path), body)
    if not reply.fine:
        return context.terminal.refused(reply)
    context.terminal.data(reply.body)
    if message := reply.body.get("message"):
        context.terminal.next(message, message)
    else:
        context.terminal.next("сделано: kktctl printer show", "done: kktctl printer show")
    return FINE


def _clock(context: Context) -> int:
    """1 when it is off by more than documents may be."""
    reply = context.client.ask("GET", path_of(context, "/v1/printer/clock"))
    if not reply.fine:
        return context.terminal.refused(reply)
    terminal, seen = context.terminal, reply.body
    terminal.data(seen)
    terminal.table(
        [
            (terminal.text("ККТ", "printer"), shown(seen["clock"])),
            (terminal.text("касса", "till"), seen["till"]),
            (terminal.text("расходятся, с", "off by, s"), shown(seen["drift_seconds"])),
        ]
    )
    if seen["drift_seconds"] is not None and abs(seen["drift_seconds"]) <= DRIFT_MAX_S:
        terminal.next("часы идут верно, делать ничего не нужно", "it is right, nothing to do")
        return FINE
    terminal.next(
        "закройте смену, затем: kktctl printer clock set",
        "close the shift, then: kktctl printer clock set",
    )
    return PROBLEM


def path_of(context: Context, path: str) -> str:
    """Of the printer that --printer names."""
    name = context.options.printer
    return path if name is None else f"{path}?{urlencode({'printer': name})}"
