"""The parser and the schemas against anything at all: an error of ours or a receipt."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kktd.api.body import parse_json
from kktd.api.document_size import estimate_bytes
from kktd.api.messages import Language, error_sentence, language_of, sentence
from kktd.api.reasons import REASONS
from kktd.api.schemas import receipt_from
from kktd.errors import RequestError
from kktd.model.codec import dump_receipt, load_receipt
from kktd.model.receipt import TaxSystem
from kktd.printers.shtrih import tlv
from tests.support.api import SALE, item, sale
from tests.support.receipts import a_line, a_receipt

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["sale", "card", "99.50", "10%", "POS-001"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text() | st.sampled_from([*SALE, *SALE["items"][0]]), inner)
    ),
    max_leaves=30,
)


def _take(body: bytes) -> None:
    try:
        receipt = receipt_from(parse_json(body), TaxSystem.OSN)
    except RequestError as error:
        said = error_sentence(error.code, None, error.details, Language.RU)
        assert said
        json.dumps(error.details).encode()
    else:
        assert load_receipt(receipt.id, dump_receipt(receipt)) == receipt


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_receipt_or_an_error_of_ours(body: bytes) -> None:
    _take(body)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_is_a_receipt_or_an_error_of_ours(value: Any) -> None:
    _take(json.dumps(value).encode())


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([*SALE, "customer", "tax_system", "extra"]), JSON)
def test_a_sale_with_any_one_field_replaced(name: str, value: Any) -> None:
    _take(json.dumps(SALE | {name: value}).encode())


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([*SALE["items"][0], "discount", "sku", "subject", "method", "measure", "x"]),
    JSON,
)
def test_a_line_with_any_one_field_replaced(name: str, value: Any) -> None:
    _take(json.dumps(sale(items=[SALE["items"][0] | {name: value}])).encode())


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 9_999_999),
    st.decimals("0.000001", 9_999, places=6),
    st.booleans(),
)
def test_money_and_quantities_arrive_as_they_were_written(
    kopecks: int, quantity: Decimal, as_text: bool
) -> None:
    price = f"{kopecks // 100}.{kopecks % 100:02d}"
    written = f'"{price}"' if as_text else price
    amount = f'"qty": {quantity:f}, "price": {written}'
    body = json.dumps(sale(payments=[{"method": "cash", "amount": 99_999_999}]))
    body = body.replace('"qty": 2, "price": "99.50"', amount)
    try:
        receipt = receipt_from(parse_json(body.encode()), TaxSystem.OSN)
    except RequestError:
        assert kopecks * quantity > 9_000_000_000
        return
    assert receipt.lines[0].price == kopecks
    assert receipt.lines[0].quantity == quantity


def test_names_of_the_api_become_tags() -> None:
    body = sale(
        items=[item(subject="service", method="full_prepayment", measure="kilogram", vat="22/122")],
        tax_system="usn_income",
        customer={"email": "a@b.ru", "phone": "+7 900 000-00-00"},
    )
    receipt = receipt_from(parse_json(json.dumps(body).encode()), TaxSystem.OSN)
    line = receipt.lines[0]
    assert (line.subject.value, line.settlement.value, line.measure.value) == (4, 1, 11)
    assert (line.vat.value, receipt.tax_system) == ("22/122", TaxSystem.USN_INCOME)
    assert receipt.customer is not None
    assert receipt.customer.contact == "a@b.ru"


def test_defaults_are_those_of_the_contract() -> None:
    receipt = receipt_from(parse_json(json.dumps(SALE).encode()), TaxSystem.PATENT)
    line = receipt.lines[0]
    assert (line.subject.value, line.settlement.value, line.measure.value) == (1, 4, 0)
    assert receipt.tax_system is TaxSystem.PATENT


def test_change_is_given_from_cash() -> None:
    body = sale(payments=[{"method": "card", "amount": 100}, {"method": "cash", "amount": 500}])
    receipt = receipt_from(parse_json(json.dumps(body).encode()), TaxSystem.OSN)
    assert receipt.change == 401_00


@pytest.mark.parametrize("count", [1, 3, 50])
def test_the_estimate_is_close_and_never_below_the_document(count: int) -> None:
    lines = [a_line(name="Товар " + "ж" * index, quantity="0.333") for index in range(count)]
    size = 0
    for line in lines:
        inside = [
            tlv.string(1030, line.name, 128),
            tlv.Tlv(1023, b"\x06" + tlv.vln_bytes(int(line.quantity * 1_000_000), 8)),
            tlv.Tlv(1079, tlv.vln_bytes(line.price, 6)),
            tlv.Tlv(1043, tlv.vln_bytes(line.total, 6)),
            tlv.Tlv(1200, tlv.vln_bytes(line.total // 6, 6)),
            *(tlv.byte(tag, 1) for tag in (1199, 1212, 1214, 2108)),
        ]
        value = b"".join(one.encoded() for one in inside)
        size += len(tlv.Tlv(1059, value).encoded())
    assert size <= estimate_bytes(a_receipt(*lines)) <= 1.1 * size + 1_500


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, "ru"),
        ("", "ru"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8", "ru"),
        ("de,en;q=0.5", "en"),
        ("en;q=0.2, ru;q=0.3", "ru"),
        ("en;q=x", "ru"),
        ("*", "ru"),
    ],
)
def test_the_language_is_the_better_of_two(header: str | None, wanted: str) -> None:
    assert language_of(header) is Language(wanted)


def test_every_reason_and_hint_has_a_sentence_in_russian() -> None:
    for reason, russian in REASONS.items():
        assert reason.isascii()
        assert not russian.isascii()
    for key in ("in_doubt", "paper", "printer_away", "BUFFER_FULL", "several_match"):
        in_russian, in_english = (sentence(key, one) for one in Language)
        assert in_russian
        assert in_english
        assert in_russian != in_english
    assert sentence("in_doubt", Language.RU) == "Не пробивайте повторно: проверяем."
