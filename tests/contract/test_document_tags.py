"""What was sold stands in the FN's document tag by tag: both formats, both families of rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rig import tlv

from kktd.config import PrinterSettings
from kktd.errors import Refused
from kktd.model.receipt import (
    TAG_1199,
    Customer,
    Measure,
    PaymentMethod,
    ReceiptType,
    Settlement,
    Subject,
    TaxSystem,
    VatRate,
)
from tests.contract.conftest import PrinterBench, shtrih
from tests.support.receipts import CASHIER, a_line, a_receipt

FORMATS = pytest.mark.parametrize("ffd", ["1.05", "1.2"])
FAMILIES = pytest.mark.parametrize("family", ["nano", "standard"])
FORMAT_FIELD, REPLACES_FIELD = (17, 1, 17), (17, 1, 71)  # tables of the device
FORMAT_CODES = {"1.05": "2", "1.2": "4"}


@pytest.fixture
def open_till(tmp_path: Path) -> Callable[..., PrinterBench]:
    def make(ffd: str = "1.05", tables: dict[Any, str] | None = None, **more: Any) -> PrinterBench:
        bench = shtrih(
            folder=tmp_path,
            settings=PrinterSettings(ffd=ffd),
            tables={FORMAT_FIELD: FORMAT_CODES[ffd]} | (tables or {}),
            **more,
        )
        bench.open_shift()
        return bench

    return make


def tags(bench: PrinterBench) -> tuple[dict[int, bytes], list[dict[int, bytes]]]:
    """Of the FN's last document, and of each of its lines."""
    body = tlv.decode_all(bytes.fromhex(str(bench.device.documents(with_tlv=True)[-1]["tlv"])))
    lines = [
        {one.tag: one.value for one in tlv.decode_all(item.value)}
        for item in body
        if item.tag == 1059
    ]
    return {one.tag: one.value for one in body}, lines


def number(value: bytes) -> int:
    return int.from_bytes(value, "little")


@FORMATS
def test_people_tax_system_and_tenders(open_till: Callable[..., PrinterBench], ffd: str) -> None:
    till = open_till(ffd, tax_systems=0b11)
    receipt = replace(
        a_receipt(
            a_line(100_00),
            payments={
                PaymentMethod.CASH: 60_00,
                PaymentMethod.CARD: 20_00,
                PaymentMethod.PREPAID: 10_00,
                PaymentMethod.CREDIT: 15_00,
                PaymentMethod.OTHER: 5_00,
            },
        ),
        customer=Customer(email="a@example.com", phone="+79990000000"),
        tax_system=TaxSystem.USN_INCOME,
    )
    till.sell(receipt, "MARK")
    found, _ = tags(till)
    assert found[1008] == b"a@example.com"
    assert found[1021].decode("cp866") == CASHIER.name
    assert found[1203] == b"123456789047"
    assert (number(found[1054]), number(found[1055])) == (1, 2)
    sums = {tag: number(found[tag]) for tag in (1020, 1031, 1081, 1215, 1216, 1217)}
    assert sums == {
        1020: 100_00,
        1031: 50_00,  # the change is taken off
        1081: 20_00,
        1215: 10_00,
        1216: 15_00,
        1217: 5_00,
    }
    assert number(found[1209]) == int(FORMAT_CODES[ffd])


@FORMATS
def test_a_refund_names_its_original_and_a_phone_does_for_an_address(
    open_till: Callable[..., PrinterBench], ffd: str
) -> None:
    till = open_till(ffd)
    till.sell(replace(a_receipt(type=ReceiptType.REFUND), customer=Customer(phone="+79990000000")))
    found, _ = tags(till)
    assert (found[1192], found[1008]) == (b"1060838650", b"+79990000000")
    assert number(found[1054]) == 2


@FORMATS
def test_a_line_with_discount_measure_subject_and_method(
    open_till: Callable[..., PrinterBench], ffd: str
) -> None:
    till = open_till(ffd)
    line = replace(
        a_line(500_00, "0.3", discount=10_00, name="Сыр", vat=VatRate.V10),
        subject=Subject.SERVICE,
        settlement=Settlement.FULL_PREPAYMENT,
        measure=Measure.KILOGRAM,
    )
    till.sell(a_receipt(line, a_line(10_00, "7", discount=1_00)))
    _, (cheese, *parts) = tags(till)
    assert cheese[1030].decode("cp866") == "Сыр"
    assert (number(cheese[1043]), number(cheese[1079])) == (140_00, 466_67)
    assert cheese[1023] == b"\x06" + (300_000).to_bytes(3, "little")
    assert (number(cheese[1212]), number(cheese[1214]), number(cheese[1199])) == (4, 1, 2)
    assert number(cheese[1200]) == 12_73
    assert [number(part[1043]) for part in parts] == [19_70, 49_30]
    measures = [line.get(2108) for line in (cheese, *parts)]
    assert measures == ([b"\x0b", b"\0", b"\0"] if ffd == "1.2" else [None] * 3)


@pytest.mark.parametrize("measure", Measure)
def test_every_measure_stands_in_its_tag(
    open_till: Callable[..., PrinterBench], measure: Measure
) -> None:
    till = open_till("1.2")
    till.sell(a_receipt(replace(a_line(), measure=measure)))
    assert tags(till)[1][0][2108] == bytes([measure])


@FAMILIES
@FORMATS
def test_every_vat_rate_stands_in_its_tag_with_its_sum(
    open_till: Callable[..., PrinterBench], ffd: str, family: str
) -> None:
    till = open_till(ffd, vat_bytes=family)
    rates = list(VatRate)
    till.sell(a_receipt(*(a_line(122_00 + place, vat=rate) for place, rate in enumerate(rates))))
    found, lines = tags(till)
    assert [number(line[1199]) for line in lines] == [TAG_1199[rate] for rate in rates]
    percents = [rate.value.rstrip("%").partition("/")[0] for rate in rates]
    for place, (line, percent) in enumerate(zip(lines, percents, strict=True)):
        if percent in ("0", "no_vat"):
            assert 1200 not in line
            continue
        exact = Decimal(122_00 + place) * int(percent) / (100 + int(percent))
        assert number(line[1200]) == int(exact + Decimal("0.5"))
    assert {1102, 1103, 1104, 1105, 1106, 1107, 1115} <= set(found)
    newer = [tlv.decode_all(one.value) for one in tlv.decode_all(found[1115])]
    assert sorted(number(group[0].value) for group in newer) == [7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("rate", [VatRate.V20, VatRate.V20_120])
def test_a_till_that_would_turn_20_into_22_is_not_asked_to(
    open_till: Callable[..., PrinterBench], rate: VatRate
) -> None:
    """So it is delivered: a refund of an earlier sale would carry another rate than the sale."""
    till = open_till(tables={REPLACES_FIELD: "1"})
    before = till.device.documents()
    with pytest.raises(Refused) as refused:
        till.sell(a_receipt(a_line(vat=rate), type=ReceiptType.REFUND))
    assert refused.value.remedy == "vat_replaced"
    assert till.device.documents() == before
    till.sell(a_receipt(a_line(vat=VatRate.V22)))
    assert number(tags(till)[1][0][1199]) == 11


def test_a_rate_the_table_of_the_model_lacks_is_refused_before_the_receipt(
    open_till: Callable[..., PrinterBench],
) -> None:
    till = open_till()
    settings = till.device.till.settings
    settings.tables = {**settings.tables, 6: replace(settings.tables[6], rows=6)}
    for rate in list(VatRate)[6:]:
        with pytest.raises(Refused) as refused:
            till.sell(a_receipt(a_line(vat=rate)))
        assert refused.value.remedy == "vat_missing"
    till.sell(a_receipt(*(a_line(vat=rate) for rate in list(VatRate)[:6])))
    assert len(till.receipts()) == 1


def test_older_firmware_without_the_field_keeps_what_was_sent(
    open_till: Callable[..., PrinterBench],
) -> None:
    till = open_till()
    till.fault("refuse", command="read_table", code="5D")
    till.sell(a_receipt(a_line(vat=VatRate.V20)))
    assert number(tags(till)[1][0][1199]) == 1
