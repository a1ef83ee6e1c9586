"""The frozen description of the ОФД's side says what the till sends."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from kktd.model.receipt import (
    Customer,
    Measure,
    PaymentMethod,
    ReceiptType,
    Settlement,
    Subject,
    VatRate,
)
from kktd.ofd.body import OPERATIONS, PAYMENT_TYPES, VATS, dump_body
from tests.support.receipts import MARK_CODE, a_line, a_marked_receipt, a_receipt
from tests.unit.ofd.conftest import SELLER, a_document

SPEC: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "docs/ofd-rest.openapi.json").read_text(encoding="utf-8")
)
SCHEMAS: Final[dict[str, Any]] = SPEC["components"]["schemas"]
TYPES: Final = {"string": str, "integer": int, "object": dict, "array": list}


def check(value: Any, schema: dict[str, Any], path: str = "") -> None:
    """As much of JSON Schema as the description uses."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[1]]
    if "type" in schema:
        assert isinstance(value, TYPES[schema["type"]]), path
    if "enum" in schema:
        assert value in schema["enum"], path
    if "pattern" in schema:
        assert re.search(schema["pattern"], value), path
    assert len(value) <= schema.get("maxLength", 1 << 30) if isinstance(value, str) else True
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, schema["items"], f"{path}[{index}]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), path
        for name, item in value.items():
            assert name in schema["properties"], f"{path}.{name}"
            check(item, schema["properties"][name], f"{path}.{name}")


def test_it_describes_the_three_calls() -> None:
    calls = {(verb, path) for path, verbs in SPEC["paths"].items() for verb in verbs}
    assert calls == {
        ("post", "/receipts"),
        ("get", "/receipts/{external_id}"),
        ("get", "/health"),
    }


def test_every_reference_leads_somewhere() -> None:
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(SPEC)):
        assert name in SCHEMAS


def test_the_names_are_those_the_till_uses() -> None:
    item = SCHEMAS["Item"]["properties"]
    assert item["vat"]["enum"] == [VATS[rate] for rate in VatRate]
    assert len(item["payment_object"]["enum"]) == len(Subject)
    assert item["payment_method"]["enum"] == [one.name.lower() for one in Settlement]
    assert item["measure"]["enum"] == [one.value for one in Measure]
    assert SCHEMAS["Payment"]["properties"]["type"]["enum"] == list(PAYMENT_TYPES.values())
    operations = SCHEMAS["Receipt"]["properties"]["operation"]["enum"]
    assert operations == list(OPERATIONS.values())


@pytest.mark.parametrize("subject", Subject)
def test_a_body_fits_the_description(subject: Subject) -> None:
    line = replace(a_line(500_00, "0.300", discount=1_00), subject=subject)
    paid = {PaymentMethod.CASH: 200_00}
    receipt = replace(
        a_receipt(line, payments=paid), customer=Customer(email="a@example.org", phone="+7999")
    )
    body = json.loads(dump_body(receipt, a_document(receipt), SELLER))
    check(body, SCHEMAS["Receipt"])
    assert "refund_of" not in body
    assert body["payments"] == [{"type": 0, "sum": "149.00"}]


def test_a_marked_line_fits_the_description_with_its_code() -> None:
    receipt = a_marked_receipt()
    body = json.loads(dump_body(receipt, a_document(receipt), SELLER))
    check(body, SCHEMAS["Receipt"])
    assert body["items"][0]["mark_code"] == MARK_CODE


def test_a_refund_fits_the_description_and_says_what_it_takes_back() -> None:
    refund = a_receipt(type=ReceiptType.REFUND)
    body = json.loads(dump_body(refund, a_document(refund), SELLER))
    check(body, SCHEMAS["Receipt"])
    assert set(body["refund_of"]) == {"fn", "fd", "fp"}
