"""The tables of the wire: every row whole, bounded and with a source."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from kktd.model.receipt import VatRate
from kktd.printers.remedies import REMEDIES
from kktd.printers.shtrih import codes, payload
from kktd.printers.shtrih.commands import COMMANDS, Command

ROOT: Final = Path(__file__).parents[3]
SOURCES: Final = ROOT / "docs" / "sources.md"
CITED: Final = re.compile(r"\[([A-Z][A-Z-]+)\](?: (\d+))?")


def keys() -> set[str]:
    return set(re.findall(r"^## \[([A-Z-]+)\]", SOURCES.read_text(encoding="utf-8"), re.MULTILINE))


def test_codes_and_names_are_unique() -> None:
    assert len({command.code for command in COMMANDS}) == len(COMMANDS)
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_whole(command: Command) -> None:
    assert len(command.code) == (2 if command.code[0] == 0xFF else 1)
    assert 1_000 <= command.reply_ms <= 120_000
    assert command.answer_bytes_min > len(command.code)
    assert not (command.registers and command.repeatable)
    key, place = command.source.split()
    assert key.strip("[]") in keys()
    assert place == f"{command.code.hex().upper()}h"


def test_what_registers_is_exactly_what_makes_documents() -> None:
    assert {command.name for command in COMMANDS if command.registers} == {
        "close receipt",
        "correction",
        "open shift",
        "close shift",
    }


def test_every_key_cited_in_the_code_is_listed() -> None:
    known = keys()
    for path in (ROOT / "kktd").rglob("*.py"):
        if path.parent.name == "cli":
            continue  # brackets of how a command is called
        text = path.read_text(encoding="utf-8")
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        for key, _ in CITED.findall(text):
            assert key in known | names, f"{path}: [{key}]"


def test_error_codes_are_unique_and_have_a_remedy() -> None:
    assert len(codes.ERRORS) == len(codes._ROWS.strip().splitlines())
    for error in codes.ERRORS.values():
        assert error.remedy in REMEDIES, error
        assert error.text


def test_an_unknown_error_code_is_for_the_engineer() -> None:
    error = codes.explain(0xFD)
    assert (error.remedy, error.passes) == ("engineer", False)


@pytest.mark.parametrize("code", [codes.BUSY, codes.WAITS_CONTINUE, 0x6B, 0x71])
def test_what_time_or_a_cashier_mends_may_be_tried_again(code: int) -> None:
    assert codes.explain(code).passes


@pytest.mark.parametrize("code", [codes.SHIFT_EXPIRED, codes.SHIFT_NOT_OPEN, 0x06, 0x33])
def test_what_would_be_refused_again_does_not_pass(code: int) -> None:
    assert not codes.explain(code).passes


@pytest.mark.parametrize("table", [payload.VAT_BYTE, payload.VAT_BYTE_NANO])
def test_every_vat_rate_has_its_own_byte(table: dict[VatRate, int]) -> None:
    assert set(table) == set(VatRate)
    assert len(set(table.values())) == len(VatRate)
