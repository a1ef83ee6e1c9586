"""`kktctl clock`: the machine's time goes on from the last receipt.  Run at each boot.

A box without a battery comes up in the past, and the network that knows better may be away for
days.  The last stamp of the hybrid clock is a time that was; source: [HLC].
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kktd.cli.command import FINE, PROBLEM, Context
from kktd.clock import SystemClock
from kktd.errors import KktdError
from kktd.settings_file import load
from kktd.store.last_stamp import find_last_stamp

HELP: Final = ("часы не раньше последнего чека", "time not earlier than the last receipt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(context: Context) -> int:
    """1 where the database cannot be read: the daemon judges that, and the clock stays."""
    try:
        file = load(context.config).till.state_dir / "kktd.db"
        last_s = catch_up(file, SystemClock().wall_s(), _set)
    except (KktdError, OSError) as error:
        context.terminal.say(f"часы не сверены: {error}", f"the clock was not compared: {error}")
        return PROBLEM
    if last_s is not None:
        context.terminal.say(
            "часы переведены вперёд, ко времени последнего чека",
            "the clock was set forward to the last receipt",
        )
    return FINE


def catch_up(file: Path, now_s: float, set_clock: Callable[[int], None]) -> int | None:
    """Sets the clock to the last stamp in `file` if that is ahead, and returns it; else None."""
    last_s = find_last_stamp(file).local_time_s
    if last_s <= now_s:
        return None
    set_clock(last_s)
    return last_s


def _set(at_s: int) -> None:
    time.clock_settime(time.CLOCK_REALTIME, at_s)
