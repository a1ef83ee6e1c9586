"""The frozen description of the link to Odoo holds for both ends: the till's words, the rig's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import jsonschema_rs
import pytest
from rig.faults import Faults
from rig.odoo import SimulatedOdoo

from kktd.model.receipt import PaymentMethod, VatRate
from kktd.receipts.answers import Answer
from kktd.store.operations import OperationKind
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop

SPEC: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "docs/odoo.openapi.json").read_text(encoding="utf-8")
)
TOKEN: Final = "key"
PRODUCT: Final = {"sku": "1", "name": "Оправа", "price": "10.50", "vat": "22%", "barcode": None}


def check(value: object, schema: str) -> None:
    """Fails with every place that does not fit."""
    whole = {"$ref": f"#/components/schemas/{schema}", "components": SPEC["components"]}
    found = jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(value)
    assert not [str(one) for one in found], schema


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A till that has told Odoo of sales and a shift."""
    shop = Shop(tmp_path_factory.mktemp("till"), has_odoo=True)
    shop.run(60)
    line = a_line(500_00, "0.300", discount=1_00)
    sold: Answer = shop.sell(a_receipt(line, payments={PaymentMethod.CASH: 200_00}))
    assert sold.status == 200
    shop.run(600)
    shop.operate(OperationKind.Z_REPORT)
    shop.run(120)
    yield shop
    shop.close()


def test_heartbeats_are_as_described(told: Shop) -> None:
    assert len(told.odoo.beats) > 10
    for beat in told.odoo.beats:
        check(json.loads(json.dumps(beat)), "Heartbeat")


def test_events_are_as_described_and_those_of_receipts_tell_the_receipt(told: Shop) -> None:
    events = [json.loads(json.dumps(one)) for one in told.odoo.events.values()]
    assert {"receipt_registered", "receipt_synced", "shift_closed"} <= {
        one["type"] for one in events
    }
    for event in events:
        check(event, "Event")
        if "receipt_id" in event:
            check(event["data"], "ReceiptTold")


@pytest.fixture(scope="module")
def odoo() -> Iterator[SimulatedOdoo]:
    made = SimulatedOdoo(None, Faults(), TOKEN)
    made.start()
    yield made
    made.close()


def ask(
    odoo: SimulatedOdoo, method: str, path: str, body: object = None, token: str = TOKEN
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    url, headers = f"{odoo.url}{path}", {"Authorization": f"Bearer {token}"}
    request = Request(url, data, headers, method=method)  # noqa: S310 - loopback
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_rig_takes_what_the_till_says_and_answers_as_described(
    told: Shop, odoo: SimulatedOdoo
) -> None:
    events = [told.odoo.events[seq] for seq in sorted(told.odoo.events)][:100]
    status, said = ask(odoo, "POST", "/events", {"pos_id": "POS-001", "events": events})
    assert (status, said["accepted_up_to"]) == (200, events[-1]["seq"])
    check(said, "Accepted")
    status, said = ask(odoo, "POST", "/heartbeat", told.odoo.beats[-1])
    assert status == 200
    check(said, "Said")
    receipt_id = next(one["receipt_id"] for one in events if "receipt_id" in one)
    for path in (f"/receipts/{receipt_id}", "/receipts?fn=9999078900000001&fd=1"):
        status, said = ask(odoo, "GET", path)
        assert status == 200
        check(said, "Known")


def test_the_rig_s_catalogue_and_its_refusals_are_as_described(odoo: SimulatedOdoo) -> None:
    odoo.put_products([PRODUCT], deleted=["2"])
    status, said = ask(odoo, "GET", "/products?since=&limit=500")
    assert (status, len(said["items"]), said["deleted"]) == (200, 1, ["2"])
    check(said, "Products")
    for answer in (
        ask(odoo, "POST", "/heartbeat", {}),
        ask(odoo, "POST", "/events", {"pos_id": "POS-001", "events": []}),
        ask(odoo, "POST", "/heartbeat", {}, token="other"),
    ):
        assert answer[0] in (401, 422)
        check(answer[1], "Problem")


def test_the_names_are_those_the_till_uses() -> None:
    schemas = SPEC["components"]["schemas"]
    assert schemas["Product"]["properties"]["vat"]["enum"] == [one.value for one in VatRate]
    payment = schemas["ReceiptTold"]["properties"]["payments"]["items"]["properties"]
    assert payment["method"]["enum"] == [one.value for one in PaymentMethod]


def test_a_field_that_nobody_described_is_noticed(told: Shop) -> None:
    """The negative control."""
    with pytest.raises(AssertionError, match="secret"):
        check({**told.odoo.beats[-1], "secret": 1}, "Heartbeat")
    with pytest.raises(AssertionError):
        check({"known": "yes", "sync_status": "synced", "server_time": 1}, "Known")
