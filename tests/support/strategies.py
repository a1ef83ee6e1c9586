"""Receipts of every kind that may be, for Hypothesis."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from hypothesis import strategies as st

from kktd.model.fiscal import FiscalDocument
from kktd.model.marking import MarkCheck
from kktd.model.money import MAX_KOPECKS, MAX_QUANTITY, Kopecks, line_sum
from kktd.model.receipt import (
    MARKABLE,
    Cashier,
    Customer,
    DocumentNumbers,
    Line,
    Measure,
    Original,
    Payment,
    PaymentMethod,
    Receipt,
    ReceiptId,
    ReceiptType,
    Settlement,
    Sign,
    Subject,
    TaxSystem,
    VatRate,
    new_receipt_id,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
quantities = st.decimals(Decimal("0.000001"), MAX_QUANTITY, places=6)
_SHARE = MAX_KOPECKS // 10  # so that ten lines stay below the most a receipt can be


@st.composite
def lines(draw: st.DrawFn) -> Line:
    quantity = draw(st.one_of(st.integers(1, 100).map(Decimal), quantities))
    most = max(0, int(_SHARE / quantity) - 1)
    price = Kopecks(draw(st.integers(0, min(most, _SHARE))))
    subject, measure = draw(st.sampled_from(Subject)), draw(st.sampled_from(Measure))
    can_be_marked = subject in MARKABLE and (measure is not Measure.PIECE or quantity == 1)
    return Line(
        name=draw(texts),
        quantity=quantity,
        price=price,
        vat=draw(st.sampled_from(VatRate)),
        discount=Kopecks(draw(st.integers(0, line_sum(price, quantity)))),
        sku=draw(st.none() | texts),
        subject=subject,
        settlement=draw(st.sampled_from(Settlement)),
        measure=measure,
        mark_code=draw(st.none() | st.uuids().map(str)) if can_be_marked else None,
    )


originals = st.builds(
    Original,
    st.none() | st.uuids().map(str).map(ReceiptId),
    st.builds(
        DocumentNumbers,
        st.integers(0, 10**16 - 1).map("{:016d}".format),
        st.integers(1, 2**32 - 1),
        st.integers(0, 2**32 - 1).map(str),
    ),
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    sold = tuple(draw(st.lists(lines(), min_size=1, max_size=10)))
    left: int = sum(line.total for line in sold)
    payments = []
    for method in draw(st.lists(st.sampled_from(PaymentMethod), max_size=4)):
        part = draw(st.integers(0, left))
        payments.append(Payment(method, Kopecks(part)))
        left -= part
    type_ = draw(st.sampled_from([ReceiptType.SALE, ReceiptType.REFUND]))
    refund = type_ is ReceiptType.REFUND
    change = 0 if refund else draw(st.integers(0, 10_000))
    payments.append(Payment(PaymentMethod.CASH, Kopecks(left + change)))
    return Receipt(
        id=new_receipt_id(),
        pos_id="POS-001",
        type=type_,
        lines=sold,
        payments=tuple(payments),
        cashier=Cashier(draw(texts), draw(st.none() | st.just("123456789047"))),
        tax_system=draw(st.none() | st.sampled_from(TaxSystem)),
        customer=draw(st.none() | st.builds(Customer, st.none() | texts, st.none() | texts)),
        original=draw(originals) if refund else None,
    )


documents = st.builds(
    FiscalDocument,
    fn=st.integers(0, 10**16 - 1).map("{:016d}".format),
    fd=st.integers(1, 2**32 - 1),
    fp=st.integers(0, 2**32 - 1).map(str),
    shift=st.integers(1, 9_999),
    receipt_no=st.integers(1, 9_999),
    issued_at=st.datetimes(datetime(2017, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001
        lambda at: at.replace(second=0, microsecond=0)
    ),
    sign=st.sampled_from(Sign),
    total=st.integers(0, MAX_KOPECKS).map(Kopecks),
    marks=st.lists(st.builds(MarkCheck, st.integers(0, 999), st.integers(0, 255))).map(tuple),
)
