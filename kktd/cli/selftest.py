"""`kktctl selftest boot|dry-run`: does this version sell?  Run at its first boots."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any, Final

from kktd.cli.client import Unreachable
from kktd.cli.command import FINE, PROBLEM, Context
from kktd.clock import SystemClock
from kktd.errors import BadConfig
from kktd.settings_file import load as load_settings
from kktd.update.box import Box, said_by
from kktd.update.reasons import FAILURES
from kktd.update.state import Failure, load, save
from kktd.update.trial import Failed, Trial

HELP: Final = ("самопроверка версии", "a version's check of itself")
DAEMON: Final = ("systemctl", "show", "--property=Result,ExecMainStatus,NRestarts", "kktd.service")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("boot", "dry-run"))


def run(context: Context) -> int:
    trial = _trial(context)
    try:
        if context.options.action == "dry-run":
            trial.check_store_code()
        else:
            _prove(trial)
    except Failed as failed:
        text = FAILURES[failed.reason]
        context.terminal.data({"fine": False, "reason": failed.reason, "detail": str(failed)})
        detail = f" ({failed})" if str(failed) else ""
        context.terminal.say(f"проверка: {text[0]}{detail}", f"check: {text[1]}{detail}")
        return PROBLEM
    context.terminal.data({"fine": True})
    context.terminal.say("проверка пройдена", "the check is passed")
    return FINE


def _prove(trial: Trial) -> None:
    """Kept where the other version finds it; it is kept before the check too, which may hang."""
    clock, box = SystemClock(), Box()
    running = box.version() or ""
    _note(running, "unfinished", "")
    try:
        trial.run()
    except Failed as failed:
        _note(running, failed.reason, str(failed) or _daemon_result(failed.reason))
        raise
    state = load()
    save(state.settle(running, box.boot_id(), clock.wall_s()).prove(running))


def _note(running: str, reason: str, detail: str) -> None:
    save(load().fail(Failure(running, reason, detail, SystemClock().wall_s())))


def _deaths() -> int:
    found = re.search(r"^NRestarts=(\d+)$", said_by(DAEMON)[1], re.MULTILINE)
    return int(found[1]) if found else 0


def _daemon_result(reason: str) -> str:
    return said_by(DAEMON)[1].replace("\n", " ") if reason == "not_ready" else ""


def _trial(context: Context) -> Trial:
    def ask(path: str) -> tuple[int, Mapping[str, Any]]:
        try:
            reply = context.client.ask("GET", path)
        except Unreachable as error:
            raise OSError(str(error)) from error
        return reply.status, reply.body

    try:
        settings = load_settings(context.config) if context.config.is_file() else None
    except BadConfig:
        settings = None  # the daemon says so; no version reads it
    return Trial(ask, settings, SystemClock(), Box().fallback() is not None, _deaths)
