"""Corrections from the desk to the FN and back: both formats, both signs, doubt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rig import tlv

from kktd.errors import Invalid, NotEnoughCash
from kktd.model.codec import dump_receipt, load_receipt
from kktd.model.receipt import PaymentMethod, Sign, VatRate
from kktd.model.states import FiscalState
from kktd.store import sessions
from tests.support.receipts import a_correction, a_line, a_receipt
from tests.support.till import POS_ID, TillBench

CASH, CARD = PaymentMethod.CASH, PaymentMethod.CARD


@pytest.fixture(params=["1.05", "1.2"])
def till(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TillBench]:
    made = TillBench(tmp_path, ffd=request.param)
    yield made
    made.close()


def tags_of(till: TillBench) -> dict[int, tlv.Tlv]:
    """Of the FN's last document."""
    document = till.printer.documents(with_tlv=True)[-1]
    return {one.tag: one for one in tlv.decode_all(bytes.fromhex(str(document["tlv"])))}


def test_a_correction_is_registered_once_and_booked(till: TillBench) -> None:
    asked = a_correction(
        a_line(600_00), a_line(400_00, vat=VatRate.V10), payments={CASH: 300_00, CARD: 700_00}
    )
    answer = till.sell(asked)
    assert answer.status == 200, answer.body
    document = till.printer.documents()[-1]
    assert (document["type"], document["sign"], document["total_kopecks"]) == (
        "correction",
        1,
        1_000_00,
    )
    session = till.store.read(lambda db: sessions.find_open(db, POS_ID))
    assert session is not None
    assert (session.balances[CASH], session.balances[CARD]) == (300_00, 700_00)


def test_the_document_says_what_is_corrected_and_why(till: TillBench) -> None:
    till.sell(a_correction(a_line(), order="15-04/127"))
    tags = tags_of(till)
    basis = {one.tag: one for one in tlv.decode_all(tags[1174].value)}
    assert tags[1173].number() == 1
    assert datetime.fromtimestamp(basis[1178].number(), tz=UTC).date() == date(2026, 3, 1)
    assert basis[1179].text().strip() == "15-04/127"
    assert (tags[1031].number(), tags[1081].number()) == (0, 199_00)


def test_a_lost_answer_is_settled_by_the_fn(till: TillBench) -> None:
    till.sell(a_receipt())
    for command in ("correction", "close_receipt"):
        till.faults.add("printer", "lose_reply", times=30, command=command)
    corrected = till.post(a_correction(a_line()))
    till.run(60)
    till.faults.clear("printer")
    till.run(60)
    assert till.stored(corrected.id).state is FiscalState.PRINTED
    made = [one for one in till.printer.documents() if one["type"] == "correction"]
    assert len(made) == 1


def test_a_kill_after_the_document_finds_it_again(till: TillBench) -> None:
    till.sell(a_receipt())
    for command in ("correction", "close_receipt"):
        till.faults.add("printer", "lose_reply", times=30, command=command)
    corrected = till.post(a_correction(a_line()))
    till.run(2)
    till.crash()
    till.faults.clear("printer")
    till.run(60)
    assert till.stored(corrected.id).state is FiscalState.PRINTED
    assert [one["type"] for one in till.printer.documents()].count("correction") == 1


def test_money_goes_back_only_from_what_the_drawer_holds(tmp_path: Path) -> None:
    till = TillBench(tmp_path, ffd="1.2")
    till.sell(a_receipt(a_line(500_00), payments={CASH: 500_00}))
    with pytest.raises(NotEnoughCash):
        till.post(a_correction(a_line(600_00), payments={CASH: 600_00}, sign=Sign.SALE_REFUND))
    answer = till.sell(a_correction(a_line(200_00), payments={CASH: 200_00}, sign=Sign.SALE_REFUND))
    assert answer.status == 200
    session = till.store.read(lambda db: sessions.find_open(db, POS_ID))
    assert session is not None
    assert session.balances[CASH] == 300_00
    assert till.printer.fn_status()["cash_kopecks"] == 300_00
    till.close()


def test_sums_alone_are_enough_in_ffd_1_05(tmp_path: Path) -> None:
    till = TillBench(tmp_path)
    answer = till.sell(a_correction(payments={CARD: 700_00, CASH: 300_00}))
    assert answer.status == 200, answer.body
    assert till.printer.documents()[-1]["total_kopecks"] == 1_000_00
    till.close()


def test_vat_of_the_lines_goes_into_the_sums_of_ffd_1_05(tmp_path: Path) -> None:
    till = TillBench(tmp_path)
    till.sell(a_correction(a_line(120_00), a_line(110_00, vat=VatRate.V10)))
    tags = tags_of(till)
    assert (tags[1102].number(), tags[1103].number()) == (20_00, 10_00)
    assert 1059 not in tags, "FFD 1.05 knows no lines here"
    till.close()


def test_a_rate_without_a_place_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    till = TillBench(tmp_path)
    answer = till.sell(a_correction(a_line(vat=VatRate.V7)))
    assert (answer.status, answer.code) == (422, "PRINTER_REFUSED")
    assert not [one for one in till.printer.documents() if one["type"] == "correction"]
    till.close()


def test_it_is_stored_whole() -> None:
    asked = a_correction(a_line(), order="7")
    assert load_receipt(asked.id, dump_receipt(asked)) == asked


def test_a_correction_gives_no_change_and_needs_a_sum() -> None:
    with pytest.raises(Invalid):
        a_correction(a_line(100_00), payments={CASH: 200_00})
    with pytest.raises(Invalid):
        a_correction(payments={CASH: 0})
