"""POC-1: the fiscal basics of one morning, more than fifty operations of every kind.

Passes when P95 ≤ 7 s to paper, no duplicates, every field of the documents right.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from rig import tlv

from kktd.model.receipt import Original, PaymentMethod, Receipt
from kktd.model.states import FiscalState
from kktd.receipts.answers import Answer
from kktd.store.operations import OperationKind
from tests.acceptance.reading import assert_all_delivered_once, ids, p95
from tests.support.receipts import a_line, a_receipt, a_refund
from tests.support.shop import Shop

PAPER_LIMIT_S = 7.0


class Morning:
    """Sells and keeps how long each paper took, by the till's clock."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.paper_s: list[float] = []
        self.sold: list[str] = []

    def sell(self, receipt: Receipt, key: str | None = None) -> Answer:
        began_s = self.shop.clock.monotonic_s()
        answer = self.shop.sell(receipt, key)
        [receipt_id] = ids([answer])
        done = (FiscalState.PRINTED, FiscalState.REFUSED)
        self.shop.wait(lambda: self.shop.stored(receipt_id).state in done, 120)
        self.paper_s.append(self.shop.clock.monotonic_s() - began_s)
        if self.shop.stored(receipt_id).state is FiscalState.PRINTED:
            self.sold.append(receipt_id)
        return self.shop.parts.desk.answer(self.shop.stored(receipt_id))


def test_fifty_operations_print_within_seven_seconds_and_none_twice(shop: Shop) -> None:
    morning = Morning(shop)
    for number in range(30):
        tender = PaymentMethod.CASH if number % 3 else PaymentMethod.CARD
        line = a_line(100_00 + number, quantity="1.5", discount=number)
        answer = morning.sell(a_receipt(line, payments={tender: line.total}))
        assert answer.status == 200
    shop.wait(lambda: shop.queued() == 0, 120)
    for receipt_id in list(morning.sold[:10]):
        sale = shop.stored(receipt_id).receipt
        refund = a_refund(
            Original(receipt_id=sale.id),
            *sale.lines,
            payments={one.method: one.amount for one in sale.payments},
        )
        assert morning.sell(refund).status == 200

    _printer_refuses(morning)
    _link_is_cut_while_registering(morning)
    _same_request_comes_twice(morning)
    for kind in (OperationKind.X_REPORT, OperationKind.Z_REPORT):
        assert shop.operate(kind).status == 200

    assert len(morning.paper_s) + 3 >= 50
    assert p95(morning.paper_s) <= PAPER_LIMIT_S
    shop.wait(lambda: shop.queued() == 0, 600)
    assert_all_delivered_once(shop, morning.sold)
    _every_field_is_right(shop, morning.sold)


def _printer_refuses(morning: Morning) -> None:
    """A refusal leaves the FN as it was, and the next receipt goes through."""
    before = len(morning.shop.fn_receipts())
    morning.shop.faults.add("printer", "refuse", times=1, command="close_receipt", code=0x33)
    refused = morning.sell(a_receipt())
    assert (refused.status, refused.code) == (422, "PRINTER_REFUSED")
    assert len(morning.shop.fn_receipts()) == before
    assert morning.sell(a_receipt()).status == 200


def _link_is_cut_while_registering(morning: Morning) -> None:
    """The answer is lost on its way: found again in the FN, not printed again."""
    for _ in range(5):
        before = len(morning.shop.fn_receipts())
        morning.shop.faults.add("printer", "lose_reply", times=2, command="close_receipt")
        assert morning.sell(a_receipt()).status == 200
        morning.shop.faults.clear("printer")
        assert len(morning.shop.fn_receipts()) == before + 1


def _same_request_comes_twice(morning: Morning) -> None:
    for _ in range(5):
        key, receipt = str(uuid.uuid4()), a_receipt()
        first = morning.sell(receipt, key)
        before = len(morning.shop.fn_receipts())
        again = morning.shop.sell(replace(receipt, id=a_receipt().id), key)
        assert again.body["receipt_id"] == first.body["receipt_id"]
        assert len(morning.shop.fn_receipts()) == before


def _every_field_is_right(shop: Shop, sold: list[str]) -> None:
    """Every tag that the till decides; those of lines one by one in contract/test_document_tags."""
    documents = {one["fd"]: one for one in shop.printer.documents(with_tlv=True)}
    for receipt_id in sold:
        stored = shop.stored(receipt_id)
        assert stored.document is not None
        receipt, document = stored.receipt, documents[stored.document.fd]
        assert (document["sign"], document["total_kopecks"]) == (receipt.sign, receipt.total)
        assert str(document["fp"]) == stored.document.fp
        tags = tlv.decode_all(bytes.fromhex(str(document["tlv"])))
        fields = {one.tag: one for one in tags}
        numbers = {tag: fields[tag].number() for tag in (1020, 1031, 1038, 1040, 1054, 1055, 1081)}
        assert numbers == {
            1020: receipt.total,
            1031: receipt.applied(PaymentMethod.CASH),
            1038: stored.document.shift,
            1040: stored.document.fd,
            1054: receipt.sign,
            1055: 1,
            1081: receipt.applied(PaymentMethod.CARD),
        }
        texts = {tag: fields[tag].text().strip() for tag in (1021, 1041, 1203)}
        assert texts == {
            1021: receipt.cashier.name,
            1041: stored.document.fn,
            1203: receipt.cashier.inn,
        }
        lines = [tlv.decode_all(one.value) for one in tags if one.tag == 1059]
        sums = [one.number() for line in lines for one in line if one.tag == 1043]
        assert sum(sums) == receipt.total
        names = [one.text() for line in lines for one in line if one.tag == 1030]
        assert set(names) == {line.name for line in receipt.lines}
