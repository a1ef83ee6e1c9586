"""A receipt as commands: sums to the kopeck, tags as the FN takes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kktd.model.money import Kopecks
from kktd.model.receipt import Customer, Line, PaymentMethod, Receipt, ReceiptType, VatRate
from kktd.printers.shtrih import payload, sale, tlv
from kktd.printers.shtrih.commands import (
    BEGIN_CORRECTION,
    CLOSE_RECEIPT,
    CORRECTION,
    LINE_TLV,
    OPEN_RECEIPT,
    OPERATION,
    SEND_TLV,
)
from tests.support.receipts import CASHIER, a_line, a_receipt

NANO, OTHER_MODEL = 152, 250


@st.composite
def lines(draw: st.DrawFn) -> Line:
    price = draw(st.integers(1, 10_000_00))
    quantity = draw(
        st.one_of(
            st.integers(1, 500).map(Decimal),
            st.decimals("0.000001", 500, places=6).filter(lambda value: value > 0),
        )
    )
    whole = Line("товар", quantity, Kopecks(price), VatRate.V20)
    discount = draw(st.integers(0, max(0, whole.total)))
    return Line("товар", quantity, Kopecks(price), VatRate.V20, Kopecks(discount))


@given(lines())
def test_no_kopeck_is_lost_or_invented(line: Line) -> None:
    parts = list(sale.operations(line))
    assert sum(part.total_kopecks for part in parts) == line.total
    assert sum(part.quantity_millionths for part in parts) == line.quantity * 10**6
    assert 1 <= len(parts) <= 2


@given(lines())
def test_each_part_is_within_a_kopeck_as_the_fn_reckons(line: Line) -> None:
    for part in sale.operations(line):
        product = Decimal(part.price_kopecks) * part.quantity_millionths / 10**6
        assert abs(product - part.total_kopecks) <= 1
        assert part.quantity_millionths > 0
        assert part.price_kopecks >= 0


@given(lines())
def test_pieces_stay_whole(line: Line) -> None:
    if line.quantity == int(line.quantity):
        assert all(part.quantity_millionths % 10**6 == 0 for part in sale.operations(line))


def test_a_line_without_discount_keeps_its_price() -> None:
    (part,) = sale.operations(a_line(36_99, "0.7"))
    assert (part.price_kopecks, part.total_kopecks) == (36_99, 25_89)


def test_a_discount_that_no_price_gives_splits_the_line() -> None:
    cheap, dear = sale.operations(a_line(10_00, "7", discount=1_00))
    assert (cheap.quantity_millionths, cheap.price_kopecks) == (2_000_000, 9_85)
    assert (dear.quantity_millionths, dear.price_kopecks) == (5_000_000, 9_86)
    assert cheap.total_kopecks + dear.total_kopecks == 69_00


def test_a_gift_is_sold_for_nothing() -> None:
    (part,) = sale.operations(a_line(10_00, "3", discount=30_00))
    assert (part.price_kopecks, part.total_kopecks) == (0, 0)


def test_a_quantity_the_fn_cannot_hold_is_unprintable() -> None:
    with pytest.raises(sale.Unprintable, match="six decimals"):
        list(sale.operations(a_line(10_00, "0.1234567")))
    with pytest.raises(sale.Unprintable, match="quantity"):
        list(sale.operations(a_line(10_00, "0")))


def test_a_correction_goes_by_sums_in_1_05_and_by_lines_in_1_2() -> None:
    asked = a_receipt(type=ReceiptType.CORRECTION)
    by_sums = sale.plan(asked, None, OTHER_MODEL, "1.05")
    assert [step.command for step in by_sums.steps] == [BEGIN_CORRECTION, SEND_TLV]
    assert (by_sums.command, len(by_sums.closing)) == (CORRECTION, 63)
    by_lines = sale.plan(asked, None, OTHER_MODEL, "1.2")
    assert by_lines.steps[0] == sale.Step(OPEN_RECEIPT, b"\x80")
    assert by_lines.command is CLOSE_RECEIPT


def planned(receipt: Receipt, mark: str | None = None, ffd: str = "1.05") -> sale.Sale:
    return sale.plan(receipt, mark, OTHER_MODEL, ffd)


def test_steps_go_in_the_order_of_the_protocol() -> None:
    steps = planned(a_receipt(a_line(), a_line()), "M").steps
    assert [step.command for step in steps] == [OPEN_RECEIPT, OPERATION, OPERATION, SEND_TLV]
    steps = planned(a_receipt(a_line(), a_line()), "M", "1.2").steps
    assert [step.command for step in steps] == [
        OPEN_RECEIPT,
        OPERATION,
        LINE_TLV,
        OPERATION,
        LINE_TLV,
        SEND_TLV,
    ]


def test_a_refund_is_opened_and_counted_as_one() -> None:
    steps = planned(a_receipt(type=ReceiptType.REFUND)).steps
    assert steps[0].parameters == b"\x02"  # 8Dh: return of a sale
    assert steps[1].parameters[0] == 2  # FF46h and tag 1054: the same


def test_new_rates_have_another_byte_on_the_nano_family() -> None:
    receipt = a_receipt(a_line(vat=VatRate.V22))
    rate_at = 22  # FF46h, counted from its type
    other = sale.plan(receipt, None, OTHER_MODEL, "1.05").steps[1].parameters
    nano = sale.plan(receipt, None, NANO, "1.05").steps[1].parameters
    assert (other[rate_at], nano[rate_at]) == (0xCB, 0x90)


def tags(planned_sale: sale.Sale) -> dict[int, bytes]:
    blocks = [step.parameters for step in planned_sale.steps if step.command is SEND_TLV]
    assert all(len(block) <= payload.TLV_BYTES_MAX for block in blocks)
    return {item.tag: item.value for block in blocks for item in tlv.decode(block)}


def test_the_mark_goes_into_the_property_of_the_user() -> None:
    found = tags(planned(a_receipt(), "ABC234"))
    parts = {item.tag: tlv.read_string(item.value) for item in tlv.decode(found[1084])}
    assert parts == {1085: "kktd", 1086: "ABC234"}
    assert 1084 not in tags(planned(a_receipt()))


def test_the_cashier_and_one_contact_go_along() -> None:
    receipt = a_receipt()
    with_contact = Receipt(
        id=receipt.id,
        pos_id=receipt.pos_id,
        type=receipt.type,
        lines=receipt.lines,
        payments=receipt.payments,
        cashier=CASHIER,
        customer=Customer(email="a@example.com", phone="+79990000000"),
    )
    found = tags(planned(with_contact))
    assert found[1008] == b"a@example.com"
    assert tlv.read_string(found[1021]) == CASHIER.name
    assert found[1203] == b"123456789047"


def test_a_refund_carries_the_sign_of_its_original() -> None:
    found = tags(planned(a_receipt(type=ReceiptType.REFUND), "ABC234"))
    assert tlv.read_string(found[1192]) == "1060838650"
    assert 1084 in found
    assert 1192 not in tags(planned(a_receipt()))


def test_long_texts_are_spread_over_several_commands() -> None:
    found = tags(planned(a_receipt(), "M" * sale.MARK_BYTES_MAX))
    assert set(found) == {1021, 1203, 1084}


def test_a_mark_too_long_for_a_command_is_unprintable() -> None:
    with pytest.raises(sale.Unprintable, match="mark"):
        planned(a_receipt(), "M" * (sale.MARK_BYTES_MAX + 1))


def test_tenders_stand_in_their_places() -> None:
    receipt = a_receipt(
        a_line(100_00),
        payments={
            PaymentMethod.CASH: 50_00,
            PaymentMethod.CARD: 20_00,
            PaymentMethod.PREPAID: 10_00,
            PaymentMethod.CREDIT: 15_00,
            PaymentMethod.OTHER: 9_00,
        },
    )
    closing = planned(receipt).closing
    sums = [int.from_bytes(closing[at : at + 5], "little") for at in range(0, 80, 5)]
    assert (sums[0], sums[1]) == (50_00, 20_00)  # cash as handed over: the till gives 4.00 back
    assert sums[13:] == [10_00, 15_00, 9_00]
    assert not any(sums[2:13])
    assert len(closing) == 112


def test_a_name_is_cut_cleaned_and_replaced_visibly() -> None:
    line = a_line(name="Чай «Ясень»\n☕ " + "я" * 200)
    (part,) = sale.operations(line)
    sent = payload.operation(a_receipt().sign, part, payload.VAT_BYTE)[26:]
    assert len(sent) == payload.NAME_BYTES_MAX
    assert sent.decode("cp1251").startswith("Чай «Ясень» ? яя")
