"""`kktctl update check|apply PLACE|status|rollback`: the till's versions.  For root there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kktd.cli.client import Unreachable
from kktd.cli.command import FINE, PROBLEM, Context, WrongUse, shown
from kktd.clock import SystemClock
from kktd.config import Settings
from kktd.errors import BadConfig
from kktd.settings_file import load as load_settings
from kktd.update.box import Box, said_by
from kktd.update.install import Installer
from kktd.update.reasons import FAILURES, REFUSALS
from kktd.update.release import UpdateRefused, public_keys
from kktd.update.source import source_of
from kktd.update.state import Failure

HELP: Final = ("обновление кассы", "the till's update")
ACTIONS: Final = ("check", "apply", "status", "rollback")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("place", nargs="?", metavar="FOLDER|URL")
    parser.add_argument("--reboot", action="store_true", help="и перезагрузить / then restart")


def run(context: Context) -> int:
    settings = _settings(context)
    installer = Installer(Box(), SystemClock(), public_keys())
    actions = {"check": _check, "apply": _apply, "status": _status, "rollback": _roll_back}
    try:
        return actions[context.options.action](context, installer, settings)
    except UpdateRefused as refused:
        text, detail = REFUSALS[refused.reason], str(refused)
        context.terminal.data({"fine": False, "reason": refused.reason, "detail": detail})
        if detail:
            print(detail, file=sys.stderr)
        context.terminal.next(*text)
        return PROBLEM


def _check(context: Context, installer: Installer, settings: Settings) -> int:
    release = installer.check(source_of(*_place(context, settings)))
    context.terminal.data({"fine": True, "version": release.version, "files": dict(release.files)})
    context.terminal.say(f"версия {release.version}", f"version {release.version}")
    context.terminal.next("kktctl update apply поставит её", "kktctl update apply installs it")
    return FINE


def _apply(context: Context, installer: Installer, settings: Settings) -> int:
    source = source_of(*_place(context, settings))
    unsent_max = settings.update.unsent_max
    release = installer.apply(source, _health(context), unsent_max, _progress(context))
    context.terminal.data({"fine": True, "version": release.version})
    return _restart(context, release.version)


def _roll_back(context: Context, installer: Installer, settings: Settings) -> int:
    version = installer.roll_back(_health(context), settings.update.unsent_max)
    context.terminal.data({"fine": True, "version": version})
    return _restart(context, version)


def _restart(context: Context, version: str) -> int:
    if context.options.reboot:
        context.terminal.say(f"перезагрузка в {version}", f"restarting into {version}")
        return said_by(("systemctl", "reboot"))[0]
    context.terminal.next(
        f"systemctl reboot: касса запустит {version}, а если та не продаёт, вернётся сама",
        f"systemctl reboot: the till tries {version} and comes back by itself if it does not sell",
    )
    return FINE


def _status(context: Context, installer: Installer, _: Settings) -> int:
    """1 while the till runs on after it went back from a version."""
    state, terminal = installer.state(), context.terminal
    proven, other = installer.box.proven(), installer.box.fallback()
    running, rejected = installer.box.version(), state.rejected
    terminal.data(
        {
            "running": running,
            "proven": proven,
            "other": other.version if other else None,
            "pending": state.pending.version if state.pending else None,
            "rejected": _rejected_json(rejected),
        }
    )
    say = terminal.text
    terminal.table(
        [
            (say("работает", "running"), f"{running} ({_proven(context, proven)})"),
            (say("запасная", "other"), shown(other.version if other else None)),
            (
                say("ждёт перезагрузки", "waits for a restart"),
                shown(state.pending.version if state.pending else None),
            ),
            (say("отклонена", "rejected"), _rejected_text(context, rejected)),
        ]
    )
    if rejected:
        terminal.next(
            f"нужна версия новее {rejected.version}: она лежит исправленной у того, кто выпускает",
            f"a version after {rejected.version} is needed: ask who publishes them",
        )
    return PROBLEM if rejected else FINE


def _proven(context: Context, proven: bool) -> str:
    say = context.terminal.text
    return say("проверена", "proven") if proven else say("на испытании", "on trial")


def _rejected_json(one: Failure | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"version": one.version, "reason": one.reason, "detail": one.detail, "at": _iso(one)}


def _rejected_text(context: Context, one: Failure | None) -> str:
    if one is None:
        return shown(None)
    detail = f" ({one.detail})" if one.detail else ""
    return f"{one.version}: {context.terminal.text(*FAILURES[one.reason])}{detail}, {_iso(one)}"


def _iso(one: Failure) -> str:
    return datetime.fromtimestamp(one.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _progress(context: Context) -> Any:
    def tell(percent: int) -> None:
        if not context.terminal.as_json:
            print(f"{percent:3d} %", flush=True)

    return tell


def _place(context: Context, settings: Settings) -> tuple[str, Path | None]:
    place = context.options.place or settings.update.url
    if not place:
        raise WrongUse("kktctl update check|apply FOLDER|URL, or [update] url in the settings")
    ca_file = context.options.cacert or settings.update.ca_file
    return place, Path(ca_file) if ca_file else None


def _settings(context: Context) -> Settings:
    try:
        return load_settings(context.config)
    except BadConfig:
        return Settings()


def _health(context: Context) -> Mapping[str, Any] | None:
    """None while the daemon is silent.  503 is an answer too: it may not sell and be updated."""
    try:
        reply = context.client.ask("GET", "/v1/health")
    except Unreachable:
        return None
    return reply.body if "components" in reply.body else None
