"""`kktctl printer discover`: what may be a registrar, and what to write into the settings.

Without `--ask` nothing is opened, so the daemon may run.  With it each candidate is asked who it
is, at each rate its line may have, and the daemon has to be stopped.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kktd.cli.command import FINE, PROBLEM, WRONG_USE, Context, Terminal
from kktd.cli.port_probe import daemon_kept_away

if TYPE_CHECKING:
    from kktd.config import PrinterSettings
    from kktd.wire.candidates import Candidate
    from kktd.wire.usb import UsbBus

ASK_MS: Final = 4_000  # at one rate: both low levels are tried

KINDS: Final = {
    "registrar": ("ККТ", "registrar"),
    "bridge": ("переходник USB-COM", "USB-serial bridge"),
    "serial": ("USB-устройство с COM-портом", "USB device with a tty"),
    "rs232": ("порт RS-232", "RS-232 port"),
}


def discover(
    context: Context,
    bus: UsbBus | None = None,
    sysfs: Path = Path("/sys"),
    dev: Path = Path("/dev"),
) -> int:
    """The machine's own devices, or a test's."""
    from kktd.config import Settings
    from kktd.errors import BadConfig
    from kktd.settings_file import load
    from kktd.wire.candidates import find_candidates
    from kktd.wire.port import PortGone
    from kktd.wire.usb import UsbBus

    terminal = context.terminal
    try:
        candidates = find_candidates(bus or UsbBus(), sysfs, dev)
    except PortGone as error:
        print(error, file=sys.stderr)
        terminal.next(
            "apt install libusb-1.0-0; под root ли вы?", "apt install libusb-1.0-0; are you root?"
        )
        return PROBLEM
    if not context.options.ask:
        return _list(terminal, candidates)
    try:
        settings = load(context.config) if context.config.exists() else Settings()
    except BadConfig as error:
        print(f"{error}: {error.details}", file=sys.stderr)
        return WRONG_USE
    with daemon_kept_away(terminal, settings.till.state_dir) as alone:
        return _ask(terminal, candidates, settings.printer) if alone else PROBLEM


def _list(terminal: Terminal, candidates: list[Candidate]) -> int:
    terminal.data([asdict(one) for one in candidates])
    _show(terminal, candidates)
    if not candidates:
        return _nothing(terminal)
    first = candidates[0]
    sure = [one.kind for one in candidates].count(first.kind) == 1 and first.kind == "registrar"
    if sure:
        _tell_setting(terminal, first.address)
    else:
        terminal.next(
            "кто из них ККТ: systemctl stop kktd, затем kktctl printer discover --ask",
            "which of them is it: systemctl stop kktd, then kktctl printer discover --ask",
        )
    return FINE


def _ask(terminal: Terminal, candidates: list[Candidate], settings: PrinterSettings) -> int:
    answers = [(one, _answer(one, settings)) for one in candidates]
    terminal.data([asdict(one) | {"answer": answer} for one, answer in answers])
    _show(terminal, candidates)
    found = [answer for _, answer in answers if answer is not None]
    for answer in found:
        terminal.table(
            [
                (terminal.text("ответила", "answers"), f"{answer['model']} № {answer['serial']}"),
                ("ФН" if terminal.russian else "FN", answer["fn"]),
                ("[printer] url", answer["url"]),
            ]
        )
    if not found:
        return _nothing(terminal)
    _tell_setting(terminal, found[0]["url"])
    return FINE


def _answer(candidate: Candidate, settings: PrinterSettings) -> dict[str, Any] | None:
    """Who is there and at which address it said so; None for silence.  Changes nothing."""
    from kktd.clock import Deadline, SystemClock
    from kktd.errors import PrinterError
    from kktd.printers.registry import make_printer

    clock = SystemClock()
    for url in candidate.addresses():
        printer = make_printer(replace(settings, url=url), clock)
        try:
            return asdict(printer.identify(Deadline.after_ms(clock, ASK_MS))) | {"url": url}
        except PrinterError:
            continue
        finally:
            printer.close()
    return None


def _show(terminal: Terminal, candidates: list[Candidate]) -> None:
    rows = [(one.address, f"{terminal.text(*KINDS[one.kind])}: {one.name}") for one in candidates]
    terminal.table(rows)


def _tell_setting(terminal: Terminal, url: str) -> None:
    terminal.next(
        f'в /etc/kktd/kktd.toml, [printer]: url = "{url}"; systemctl restart kktd',
        f'into /etc/kktd/kktd.toml, [printer]: url = "{url}"; systemctl restart kktd',
    )


def _nothing(terminal: Terminal) -> int:
    terminal.next(
        "ККТ не найдена: питание, кабель; ККТ в сети задаётся как tcp://адрес:7778",
        "no registrar found: power, cable; one on the network is tcp://address:7778",
    )
    return PROBLEM
