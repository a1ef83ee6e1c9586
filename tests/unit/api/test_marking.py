"""Marked goods over HTTPS: codes as scanners give them, results as the FN gave them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.config import PrinterSettings, Settings, TillSettings
from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench, Reply
from tests.support.till import POS_ID

CODE = "0104600000000017215abc\x1d91EE10\x1d92" + "x" * 44


@pytest.fixture
def bench(tmp_path: Path, certificates: Path) -> Iterator[ApiBench]:
    settings = Settings(
        till=TillSettings(pos_ids=(POS_ID,)),
        printer=PrinterSettings(print_timeout_ms=3_000, ffd="1.2"),
    )
    made = ApiBench(tmp_path, certificates, settings)
    yield made
    made.close()


def sell(bench: ApiBench, *items: dict[str, Any]) -> Reply:
    goods = {"name": "Ботинки", "qty": 1, "price": "100", "vat": "20%"}
    lines = [goods | one for one in items]
    payments = [{"method": "card", "amount": 100 * len(items)}]
    return bench.sell(SALE | {"items": lines, "payments": payments})


def test_a_marked_item_is_sold_and_its_check_shown(bench: ApiBench) -> None:
    sold = sell(bench, {}, {"mark_code": "]d2\x1d" + CODE})
    assert sold.status == 200, sold.body
    path = f"/v1/kkt/receipt/{sold.body['receipt_id']}"
    shown = bench.lan("GET", path, token=bench.token(Role.CASHIER)).body
    assert shown["marking"] == [{"item": 1, "result": 15, "verdict": "good"}]
    assert bench.till is not None
    line = bench.till.stored(sold.body["receipt_id"]).receipt.lines[1]
    assert line.mark_code == CODE


def test_a_wrong_code_says_which_and_what_to_do(bench: ApiBench) -> None:
    assert bench.till is not None
    bench.till.faults.add("printer", "marking", 1, says="forged")
    reply = sell(bench, {"mark_code": CODE})
    assert (reply.status, reply.code) == (422, "PRINTER_REFUSED")
    assert "отложите этот товар" in reply.body["message"]
    assert reply.body["details"]["field"] == "items[0].mark_code"
    assert reply.body["details"]["marking"] == {"item": 0, "result": 5, "verdict": "forged"}


@pytest.mark.parametrize(
    ("items", "field", "reason"),
    [
        ([{"mark_code": CODE, "qty": 2}], "items[0].qty", "a marking code is of one piece"),
        ([{"mark_code": CODE}] * 2, "items[1].mark_code", "the same code twice"),
        ([{"mark_code": CODE, "subject": "service"}], "items[0].subject", "only goods are marked"),
        ([{"mark_code": "Щ"}], "items[0].mark_code", "not a marking code as scanned"),
        ([{"mark_code": "a b"}], "items[0].mark_code", "not a marking code as scanned"),
        ([{"mark_code": ""}], "items[0].mark_code", "not a marking code as scanned"),
    ],
)
def test_what_cannot_be_a_code_of_that_line_is_invalid(
    bench: ApiBench, items: list[dict[str, Any]], field: str, reason: str
) -> None:
    reply = sell(bench, *items)
    assert (reply.status, reply.code) == (422, "INVALID"), reply.body
    assert (reply.body["details"]["field"], reply.body["details"]["reason"]) == (field, reason)


def test_a_code_longer_than_a_command_is_too_large(bench: ApiBench) -> None:
    reply = sell(bench, {"mark_code": "x" * 231})
    assert (reply.status, reply.code) == (413, "TOO_LARGE")
    assert sell(bench, {"mark_code": "x" * 230}).status == 200
