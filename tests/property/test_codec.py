"""What is stored is what was asked: every receipt and every document survives its JSON."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given

from kktd.model.codec import dump_document, dump_receipt, load_document, load_receipt
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt
from tests.support.strategies import documents, receipts


@given(receipts())
def test_a_receipt_survives_its_json(receipt: Receipt) -> None:
    assert load_receipt(receipt.id, dump_receipt(receipt)) == receipt


@given(receipts())
def test_no_binary_fraction_is_stored(receipt: Receipt) -> None:
    def refuse(text: str) -> Decimal:
        raise AssertionError(text)

    json.loads(dump_receipt(receipt), parse_float=refuse)


@given(documents)
def test_a_document_survives_its_json(document: FiscalDocument) -> None:
    assert load_document(dump_document(document)) == document
