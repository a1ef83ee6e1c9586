"""Requests nobody may send: a clear error, the right code, nothing on disk."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from kktd.store.tokens import Role
from tests.support.api import ORIGIN, SALE, ApiBench, item, sale

LONG = "ы" * 100_000
PAPER = {"fn": "9999078900000001", "fd": 17, "fp": "1060838650"}
SELF = {"sign": "sale", "basis": "self", "date": "2026-03-01"}


def _raw(replace: str, by: str) -> bytes:
    text = json.dumps(SALE, ensure_ascii=False)
    assert replace in text
    return text.replace(replace, by).encode()


INVALID: list[tuple[str, Any, str, str]] = [
    ("a price of a tenth of a kopeck", sale(items=[item(price="0.001")]), "items[0].price", ""),
    ("the same as a number", _raw('"99.50"', "0.001"), "items[0].price", ""),
    ("a price nobody can pay", _raw('"99.50"', "1e300"), "items[0].price", ""),
    ("a price smaller than zero", sale(items=[item(price="-1.00")]), "items[0].price", ""),
    ("a price in words", sale(items=[item(price="сто")]), "items[0].price", ""),
    ("a price that is true", sale(items=[item(price=True)]), "items[0].price", ""),
    ("an exact price past 2**53", _raw('"99.50"', "9007199254740993.01"), "items[0].price", ""),
    ("more digits than arithmetic has", _raw('"99.50"', "1.00000000000000000001"), "", ""),
    ("a quantity of zero", sale(items=[item(qty=0)]), "items[0].qty", ""),
    ("seven decimals", sale(items=[item(qty="1.0000001")]), "items[0].qty", ""),
    ("a quantity the FN cannot hold", sale(items=[item(qty=281474977)]), "items[0].qty", ""),
    ("VAT of 13 %", sale(items=[item(vat="13%")]), "items[0].vat", "not one of the known names"),
    ("no VAT rate", sale(items=[item(vat=None)]), "items[0].vat", "the field is missing"),
    ("an unknown measure", sale(items=[item(measure="пуд")]), "items[0].measure", ""),
    ("a discount above the line", sale(items=[item(discount=200)]), "items[0].discount", ""),
    ("no lines", sale(items=[]), "items", "empty"),
    ("lines that are none", sale(items={"name": "x"}), "items", "not a list"),
    ("a line that is none", sale(items=["x"]), "items[0]", "not an object"),
    ("an empty name", sale(items=[item(name="  ")]), "items[0].name", "empty"),
    ("a number for a name", sale(items=[item(name=5)]), "items[0].name", "not text"),
    (
        "paid a kopeck too little",
        sale(payments=[{"method": "card", "amount": "198.99"}]),
        "payments",
        "paid less than the total",
    ),
    (
        "paid a kopeck too much by card",
        sale(payments=[{"method": "card", "amount": "199.01"}]),
        "payments",
        "change is given from cash only",
    ),
    (
        "more change than cash",
        sale(
            payments=[
                {"method": "card", "amount": "199.00"},
                {"method": "card", "amount": "5.00"},
                {"method": "cash", "amount": "4.00"},
            ]
        ),
        "payments",
        "change is given from cash only",
    ),
    (
        "price times quantity is a kopeck more than was paid",
        sale(
            items=[item(price="33.335"[:5], qty="3.003")],
            payments=[{"method": "cash", "amount": "100.08"}],
        ),
        "payments",
        "paid less than the total",
    ),
    (
        "a sum of the caller's own",
        sale(items=[item(sum="199.01")]),
        "items[0].sum",
        "unknown field",
    ),
    ("an unknown field", sale(table=7), "table", "unknown field"),
    ("an unknown payment", sale(payments=[{"method": "shells", "amount": 1}]), "", ""),
    ("no payment", sale(payments=[]), "payments", "empty"),
    ("no cashier", sale(cashier=None), "cashier", "the field is missing"),
    ("an INN of nine digits", sale(cashier={"name": "И", "inn": "123456789"}), "cashier.inn", ""),
    ("an e-mail that is none", sale(customer={"email": "a"}), "customer.email", ""),
    ("a phone that is none", sale(customer={"phone": "zero"}), "customer.phone", ""),
    ("an unknown tax system", sale(tax_system="flat"), "tax_system", ""),
    ("an unknown type", sale(type="gift"), "type", "not one of the known names"),
    (
        "a refund without an original",
        sale(type="refund"),
        "original_receipt_id",
        "a refund names its original",
    ),
    (
        "a refund of what is no id",
        sale(type="refund", original_receipt_id="1"),
        "original_receipt_id",
        "not a receipt id",
    ),
    (
        "a refund of two originals",
        sale(type="refund", original_receipt_id=str(uuid.uuid4()), original=PAPER),
        "original",
        "one original, not two",
    ),
    (
        "a sale with an original",
        sale(original=PAPER),
        "original",
        "only a refund has an original",
    ),
    (
        "an FN of nine digits",
        sale(type="refund", original=PAPER | {"fn": "123456789"}),
        "original.fn",
        "16 digits are needed",
    ),
    (
        "a document of number zero",
        sale(type="refund", original=PAPER | {"fd": 0}),
        "original.fd",
        "a document number is needed",
    ),
    (
        "a fiscal sign of letters",
        sale(type="refund", original=PAPER | {"fp": "abc"}),
        "original.fp",
        "up to 10 digits are needed",
    ),
    (
        "change on a refund",
        sale(type="refund", original=PAPER, payments=[{"method": "cash", "amount": 200}]),
        "payments",
        "only a sale gives change",
    ),
    (
        "a correction of nothing",
        sale(type="correction"),
        "correction",
        "a correction says what it corrects",
    ),
    ("a sale with a correction", sale(correction=SELF), "correction", "not a correction"),
    (
        "a sale undone by a correction of FFD 1.05",
        sale(type="correction", correction=SELF | {"sign": "refund"}),
        "correction.sign",
        "FFD 1.05 undoes a sale by a refund",
    ),
    (
        "an order without its number",
        sale(type="correction", correction=SELF | {"basis": "order"}),
        "correction.number",
        "an order of the tax office has a number",
    ),
    (
        "a correction of no day",
        sale(type="correction", correction=SELF | {"date": "2026-02-30"}),
        "correction.date",
        "a date is needed, YYYY-MM-DD",
    ),
    (
        "a marked item in FFD 1.05",
        sale(items=[item(mark_code="0104")]),
        "items[0].mark_code",
        "FFD 1.05 sells no marked goods",
    ),
    (
        "a code in the wrong keyboard layout",
        sale(items=[item(mark_code="0104ЙЦУ")]),
        "items[0].mark_code",
        "not a marking code as scanned",
    ),
    ("no code at all", sale(items=[item(mark_code="]d2\x1d")]), "items[0].mark_code", ""),
]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [pytest.param(*row[1:], id=row[0]) for row in INVALID],
)
def test_wrong_data_names_its_field(bench: ApiBench, body: Any, field: str, reason: str) -> None:
    before = bench.stored_receipts(), bench.stored_keys()
    reply = bench.sell(body)
    assert (reply.status, reply.code) == (422, "INVALID"), reply.body
    assert reply.body["details"]["field"].startswith(field)
    if reason:
        assert reply.body["details"]["reason"] == reason
    assert (bench.stored_receipts(), bench.stored_keys()) == before


MALFORMED = [
    ("torn JSON", b'{"pos_id": "POS-001", "items": ['),
    ("no JSON at all", b"hello"),
    ("nothing", b""),
    ("a list", b"[]"),
    ("null", b"null"),
    ("NaN", _raw('"99.50"', "NaN")),
    ("Infinity", _raw('"99.50"', "-Infinity")),
    ("a key that stands twice", _raw('"type": "sale"', '"type": "sale", "type": "sale"')),
    ("the same key in a line", _raw('"qty": 2', '"qty": 2, "qty": 1')),
    ("a number of 5 000 digits", _raw('"99.50"', "9" * 5_000)),
    ("a fraction of 5 000 digits", _raw('"99.50"', "0." + "9" * 5_000)),
    ("a nest of 100 000 lists", b"[" * 100_000),
    ("a nest that closes", b'{"items": ' + b"[" * 500 + b"]" * 500 + b"}"),
    ("a hundred fields", json.dumps({f"f{i}": i for i in range(100)}).encode()),
    ("no UTF-8", b'"\xff"'),
    ("half a surrogate pair", _raw("Молоко", "\\ud800")),
    ("a byte order mark", b"\xef\xbb\xbf" + json.dumps(SALE).encode()),
]


@pytest.mark.parametrize("body", [pytest.param(row[1], id=row[0]) for row in MALFORMED])
def test_what_is_no_json_is_malformed(bench: ApiBench, body: bytes) -> None:
    before = bench.stored_receipts(), bench.stored_keys()
    reply = bench.sell(body)
    assert (reply.status, reply.code) == (400, "MALFORMED"), reply.body
    assert (bench.stored_receipts(), bench.stored_keys()) == before


TOO_LARGE = [
    ("a name of 100 kB", sale(items=[item(name=LONG)])),
    ("a name of 129 letters", sale(items=[item(name="ы" * 129)])),
    ("a pos_id of 100 kB", sale(pos_id=LONG)),
    ("10 000 lines", sale(items=[{"name": "a"}] * 10_000)),
    ("1 001 lines", sale(items=[item()] * 1_001)),
    ("a body of 8 MB", b'{"pos_id": "' + b"x" * 8_000_000 + b'"}'),
    ("a body of 1 MiB and a byte", b" " * ((1 << 20) + 1)),
]


@pytest.mark.parametrize("body", [pytest.param(row[1], id=row[0]) for row in TOO_LARGE])
def test_what_is_too_large_is_told_so(bench: ApiBench, body: Any) -> None:
    before = bench.stored_receipts(), bench.stored_keys()
    reply = bench.sell(body)
    assert (reply.status, reply.code) == (413, "TOO_LARGE"), reply.body
    assert (bench.stored_receipts(), bench.stored_keys()) == before


def test_a_receipt_longer_than_the_fn_takes_is_refused_before_the_printer(bench: ApiBench) -> None:
    lines = [item(name="ы" * 128, qty=1)] * 300
    reply = bench.sell(sale(items=lines, payments=[{"method": "card", "amount": 29_850}]))
    assert (reply.status, reply.code) == (422, "DOCUMENT_TOO_LONG")
    assert reply.body["details"]["limit_bytes"] == 30 * 1024


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "1",
        "not-a-uuid",
        "{550e8400-e29b-41d4-a716-446655440000}",
        "550e8400e29b41d4a716446655440000",
        "urn:uuid:550e8400-e29b-41d4-a716-446655440000",
        "550e8400-e29b-41d4-a716-44665544000g",
        "٥50e8400-e29b-41d4-a716-446655440000".encode().decode("latin-1"),
    ],
)
def test_a_sale_without_a_uuid_for_a_key_is_refused(bench: ApiBench, key: str | None) -> None:
    before = bench.stored_receipts()
    reply = bench.lan("POST", "/v1/kkt/receipt", SALE, token=bench.token(Role.CASHIER), key=key)
    assert (reply.status, reply.code) == (400, "KEY_MISSING")
    assert bench.stored_receipts() == before


def test_a_refused_request_leaves_its_key_free(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    assert bench.sell(sale(items=[]), key=key).status == 422
    assert bench.sell(key=key).status == 200


def test_an_unknown_till_is_named(bench: ApiBench) -> None:
    reply = bench.sell(sale(pos_id="POS-999"))
    assert (reply.status, reply.code) == (404, "UNKNOWN_POS")


def test_unknown_paths_and_methods_have_the_same_error_body(bench: ApiBench) -> None:
    for method, path, status, code in [
        ("GET", "/v1/kkt/nothing", 404, "NOT_FOUND"),
        ("GET", "/index.html", 404, "NOT_FOUND"),
        ("GET", "/page/", 404, "NOT_FOUND"),
        ("DELETE", "/v1/kkt/receipt", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/kkt/receipt", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/docs", 404, "NOT_FOUND"),
        ("GET", "/openapi.json", 404, "NOT_FOUND"),
    ]:
        reply = bench.lan(method, path)
        assert (reply.status, reply.code) == (status, code), path
        assert set(reply.body) == {"code", "message", "details", "id"}


def test_the_message_is_russian_unless_english_is_asked_for(bench: ApiBench) -> None:
    russian = bench.sell(sale(items=[item(vat="13%")]))
    english = bench.sell(sale(items=[item(vat="13%")]), **{"Accept-Language": "en-US,en;q=0.9"})
    assert russian.body["message"].startswith("Данные не приняты")
    assert "такого значения нет" in russian.body["message"]
    assert english.body["message"].startswith("The data is not accepted")
    assert english.headers["X-Request-Id"] == english.body["id"] != russian.body["id"]


def test_a_foreign_origin_gets_nothing_before_anything_else(bench: ApiBench) -> None:
    before = bench.stored_receipts()
    foreign = {"Origin": "https://evil.example"}
    for method, path in [
        ("POST", "/v1/kkt/receipt"),
        ("GET", "/v1/health"),
        ("OPTIONS", "/v1/kkt/receipt"),
        ("GET", "/nowhere"),
    ]:
        reply = bench.lan(method, path, SALE if method == "POST" else None, foreign)
        assert (reply.status, reply.code) == (403, "FORBIDDEN")
        assert "Access-Control-Allow-Origin" not in reply.headers
    assert bench.root("GET", "/v1/tokens", None, foreign).status == 403
    assert bench.lan("GET", "/v1/health", None, {"Origin": "null"}).status == 403
    assert bench.stored_receipts() == before


def test_a_listed_origin_is_let_in_and_told_so(bench: ApiBench) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
        "Access-Control-Request-Private-Network": "true",
    }
    preflight = bench.lan("OPTIONS", "/v1/kkt/receipt", None, asked)
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "idempotency-key" in preflight.headers["Access-Control-Allow-Headers"]
    assert preflight.headers["Access-Control-Allow-Private-Network"] == "true"
    sold = bench.sell(Origin=ORIGIN)
    assert sold.status == 200
    assert sold.headers["Access-Control-Allow-Origin"] == ORIGIN
    refused = bench.sell(sale(items=[]), Origin=ORIGIN)
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_a_defect_of_the_till_has_the_body_of_every_error(
    bench: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    token = bench.token(Role.SUPERVISOR)
    monkeypatch.setattr("kktd.store.dlq.find_all", broken)
    reply = bench.lan("GET", "/v1/kkt/dlq", token=token)
    assert (reply.status, reply.code) == (500, "INTERNAL")
    assert reply.body["id"] == reply.headers["X-Request-Id"]
