"""What a command file offers and what it is given; the exit codes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from kktd.cli.client import Client, Reply

FINE: Final = 0
PROBLEM: Final = 1
WRONG_USE: Final = 2  # argparse's own
UNREACHABLE: Final = 3


class WrongUse(Exception):
    """The arguments do not fit one another."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command writes: a table for eyes, or one JSON value for scripts."""

    russian: bool
    as_json: bool

    def say(self, russian: str, english: str) -> None:
        """A line for eyes; silent with --json."""
        if not self.as_json:
            print(russian if self.russian else english)

    def text(self, russian: str, english: str) -> str:
        return russian if self.russian else english

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Two columns."""
        if self.as_json:
            return
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            print(f"{name:<{width}}  {value}")

    def data(self, value: object) -> None:
        """The one JSON value; silent without --json."""
        if self.as_json:
            json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")

    def next(self, russian: str, english: str) -> None:
        """The last line: what to do."""
        self.say(f"дальше    {russian}", f"next      {english}")

    def refused(self, reply: Reply) -> int:
        """The daemon said no: its sentence is what to do."""
        self.data(reply.body)
        if not self.as_json:
            code, message = reply.body.get("code", reply.status), reply.body.get("message", "")
            print(f"{code}: {message}", file=sys.stderr)
        return PROBLEM


@dataclass(frozen=True, slots=True)
class Context:
    """For a command's `run`."""

    options: argparse.Namespace
    client: Client
    terminal: Terminal
    config: Path


class Command(Protocol):
    """A module of this folder with these names is a command; its file name is the command's."""

    HELP: tuple[str, str]  # Russian, English

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, context: Context) -> int: ...


def shown(value: Any) -> str:
    """A missing value as a dash."""
    return "–" if value is None else str(value)
