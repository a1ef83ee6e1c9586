"""`kktctl printer probe`: who is at the other end of the port; asks, prints and changes nothing.

While the daemon runs the port is its own, and it is asked; it asks the printer between two jobs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from kktd.cli.command import FINE, PROBLEM, WRONG_USE, Context, Terminal, shown

if TYPE_CHECKING:
    from kktd.config import PrinterSettings

PROBE_MS: Final = 15_000


def probe(context: Context) -> int:
    """By the settings, or `--port`."""
    # The printer's code is loaded for this command alone: the others answer in a blink.
    from dataclasses import replace

    from kktd.config import Settings
    from kktd.errors import BadConfig
    from kktd.model.device import FIRST_PRINTER
    from kktd.settings_file import load

    try:
        settings = load(context.config) if context.config.exists() else Settings()
        printer = settings.lanes.get(context.options.printer or FIRST_PRINTER)
        if printer is None:
            raise BadConfig("no such printer", known=list(settings.lanes))
        if context.options.port:
            printer = replace(printer, url=context.options.port)
        if context.options.port:
            with daemon_kept_away(context.terminal, settings.till.state_dir) as alone:
                return _probe(context.terminal, printer) if alone else PROBLEM
        with held(settings.till.state_dir) as alone:
            if alone:
                return _probe(context.terminal, printer)
            return _ask_daemon(context, context.options.printer or FIRST_PRINTER)
    except BadConfig as error:
        print(f"{error}: {error.details}", file=sys.stderr)
        return WRONG_USE


@contextlib.contextmanager
def daemon_kept_away(terminal: Terminal, state_dir: Path) -> Iterator[bool]:
    """The same, and said where it is False."""
    with held(state_dir) as alone:
        if not alone:
            terminal.next(
                "kktd работает и держит порт: systemctl stop kktd, потом повторите",
                "kktd runs and holds the port: systemctl stop kktd, then try again",
            )
        yield alone


@contextlib.contextmanager
def held(state_dir: Path) -> Iterator[bool]:
    """Hold the daemon's own lock (store/store.py) meanwhile; False if it has it."""
    path = state_dir / "kktd.db.lock"
    if not path.parent.exists():
        yield True  # nothing was ever started here
        return
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def _ask_daemon(context: Context, name: str) -> int:
    """The FN is asked now; the rest is as the daemon last read it, seconds ago."""
    fn = context.client.ask("GET", f"/v1/printer/fn?printer={quote(name)}")
    if not fn.fine:
        return context.terminal.refused(fn)
    printer = context.client.ask("GET", "/v1/health").body["components"]["printers"][name]
    told = ("model", "serial", "firmware", "shift", "shift_number", "paper", "clock")
    seen = {"fn": fn.body["fn"], "last_fd": fn.body["last_fd"]}
    _show(context.terminal, {field: printer[field] for field in told} | seen)
    context.terminal.next("ККТ отвечает, kktd работает с ней", "it answers, and kktd works it")
    return FINE


def _probe(terminal: Terminal, settings: PrinterSettings) -> int:
    from kktd.clock import Deadline, SystemClock
    from kktd.errors import PrinterError
    from kktd.printers.registry import make_printer
    from kktd.printers.remedies import REMEDIES

    clock = SystemClock()
    printer = make_printer(settings, clock)
    by = Deadline.after_ms(clock, PROBE_MS)
    try:
        identity = printer.identify(by)
        status = printer.status(by)
    except PrinterError as error:
        remedy = REMEDIES.get(error.remedy, REMEDIES["link"])
        terminal.data({"code": error.code, "reason": str(error), "remedy": remedy.en})
        terminal.say(f"{error.code}: {error}", f"{error.code}: {error}")
        terminal.next(remedy.ru, remedy.en)
        return PROBLEM
    finally:
        printer.close()
    _show(
        terminal,
        {
            "model": identity.model,
            "serial": identity.serial,
            "firmware": identity.firmware,
            "fn": status.fn,
            "last_fd": status.last_fd,
            "shift": status.shift,
            "shift_number": status.shift_number,
            "paper": status.paper,
            "clock": f"{status.clock:%Y-%m-%dT%H:%M:%S}" if status.clock else None,
        },
    )
    terminal.next("ККТ отвечает: systemctl start kktd", "it answers: systemctl start kktd")
    return FINE


def _show(terminal: Terminal, seen: dict[str, Any]) -> None:
    terminal.data(seen)
    say = terminal.text
    terminal.table(
        [
            (say("модель", "model"), shown(seen["model"])),
            (say("заводской номер", "serial"), shown(seen["serial"])),
            (say("прошивка", "firmware"), shown(seen["firmware"])),
            ("ФН" if terminal.russian else "FN", seen["fn"]),
            (say("последний ФД", "last FD"), str(seen["last_fd"])),
            (say("смена", "shift"), f"{shown(seen['shift_number'])} {shown(seen['shift'])}"),
            (say("бумага", "paper"), shown(seen["paper"])),
            (say("часы", "clock"), shown(seen["clock"])),
        ]
    )
