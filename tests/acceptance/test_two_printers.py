"""Two tills with a printer each at one box: what happens to one is no business of the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kktd.errors import DoubtOpen, PrinterUnavailable
from kktd.model.receipt import Receipt
from kktd.model.states import FiscalState
from kktd.store.operations import OperationKind
from tests.acceptance.reading import MINUTE_S, assert_all_delivered_once, ids
from tests.support.receipts import a_receipt
from tests.support.shop import Shop

ONE, TWO = "POS-001", "POS-002"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, printers=2)
    made.run(5)
    yield made
    made.close()


def a_sale(pos_id: str) -> Receipt:
    return replace(a_receipt(), pos_id=pos_id)


def _sell(shop: Shop, pos_id: str, count: int = 1) -> list[str]:
    """So many, each printed at once."""
    sold = []
    for _ in range(count):
        began_s = shop.clock.monotonic_s()
        answer = shop.sell(a_sale(pos_id))
        assert (answer.status, answer.body["status"]) == (200, "printed")
        assert shop.clock.monotonic_s() - began_s <= 7
        sold += ids([answer])
    return sold


def _fill(shop: Shop, pos_id: str) -> None:
    """As many as may wait for a printer that is away, and one more."""
    for _ in range(shop.parts.settings.printer_for(pos_id).max_unprinted):
        assert shop.sell(a_sale(pos_id)).status == 202
    with pytest.raises(PrinterUnavailable):
        shop.sell(a_sale(pos_id))


def test_each_till_prints_on_its_own_printer_and_both_reach_the_ofd(shop: Shop) -> None:
    first, second = _sell(shop, ONE, 5), _sell(shop, TWO, 7)
    first += _sell(shop, ONE, 3)
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, first, 0)
    assert_all_delivered_once(shop, second, 1)


@pytest.mark.parametrize("fault", ["unplug", "lose_reply", "power_cut", "paper_out", "fn_full"])
def test_trouble_at_one_printer_holds_nothing_at_the_other(shop: Shop, fault: str) -> None:
    first, second = _sell(shop, ONE), _sell(shop, TWO)
    how: dict[str, dict[str, object]] = {
        "lose_reply": {"command": "close_receipt"},
        "power_cut": {"command": "close_receipt", "when": "after"},
    }
    shop.faults.add("printer", fault, None, **how.get(fault, {}))
    troubled = a_sale(ONE)
    shop.sell(troubled)
    second += _sell(shop, TWO, 5)
    health = shop.get("/v1/health")
    assert health.status == 200, "a till that can sell is left"
    other = {"printer": "n2", "can_sell": True, "obstacle": None}
    assert health.body["tills"][TWO].items() >= other.items()
    assert health.body["components"]["printers"]["n2"]["status"] == "healthy"
    assert shop.operate(OperationKind.Z_REPORT, TWO).status == 200
    second += _sell(shop, TWO)

    shop.faults.clear("printer")
    shop.printer.insert_paper()
    shop.printer.plug()
    shop.run(30)
    if shop.stored(troubled.id).document is not None:
        first.append(troubled.id)
    if fault != "fn_full":
        first += _sell(shop, ONE)
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, first, 0)
    assert_all_delivered_once(shop, second, 1)


def test_a_doubt_refuses_the_z_report_of_its_own_printer_alone(shop: Shop) -> None:
    _sell(shop, ONE)
    _sell(shop, TWO)
    shop.faults.add("printer", "lose_reply", command="close_receipt")
    for question in ("find_document", "read_document"):
        shop.faults.add("printer", "lose_reply", command=question)
    shop.sell(a_sale(ONE))
    assert shop.get("/v1/kkt/buffer/status").body["in_doubt"] == 1
    with pytest.raises(DoubtOpen):
        shop.operate(OperationKind.Z_REPORT, ONE)
    assert shop.operate(OperationKind.Z_REPORT, TWO).status == 200


def test_only_so_many_wait_for_each_printer(shop: Shop) -> None:
    shop.boards[1].add("printer", "unplug")
    shop.run(10)
    _fill(shop, TWO)
    assert shop.get("/v1/health").body["tills"][TWO]["obstacle"] == "PRINTER_UNAVAILABLE"
    _sell(shop, ONE, 3)
    shop.boards[0].add("printer", "unplug")
    shop.run(10)
    _fill(shop, ONE)
    health = shop.get("/v1/health")
    assert (health.status, health.body["obstacle"]) == (503, "PRINTER_UNAVAILABLE")


def test_a_kill_finds_each_receipt_at_its_own_printer_again(shop: Shop) -> None:
    first, second = _sell(shop, ONE, 2), _sell(shop, TWO, 2)
    for board in shop.boards:
        board.add("printer", "lose_reply", command="close_receipt")
    doubtful = [a_sale(ONE), a_sale(TWO)]
    for receipt in doubtful:
        shop.sell(receipt)
    shop.kill()
    for board in shop.boards:
        board.clear("printer")
    shop.start()
    done = (FiscalState.PRINTED, FiscalState.ACCEPTED)
    shop.wait(lambda: all(shop.stored(one.id).state in done for one in doubtful), MINUTE_S)
    for receipt, sold in zip(doubtful, (first, second), strict=True):
        if shop.stored(receipt.id).document is not None:
            sold.append(receipt.id)
    first += _sell(shop, ONE)
    second += _sell(shop, TWO)
    held = [one.id for one in doubtful if shop.stored(one.id).document is None]
    shop.wait(lambda: shop.queued() == len(held), 10 * MINUTE_S)
    assert_all_delivered_once(shop, first, 0)
    assert_all_delivered_once(shop, second, 1)


def test_exchanged_cables_print_nothing_anywhere_until_they_are_right(shop: Shop) -> None:
    first, second = _sell(shop, ONE), _sell(shop, TWO)
    shop.registrars.reverse()
    shop.restart()
    waiting = [a_sale(ONE), a_sale(TWO)]
    for receipt in waiting:
        assert shop.sell(receipt).status == 202
    assert shop.get("/v1/health").body["components"]["kkt_device"]["remedy"] == "fn_changed"
    shop.registrars.reverse()
    shop.restart()
    shop.wait(lambda: all(shop.stored(one.id).document for one in waiting), MINUTE_S)
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, [*first, waiting[0].id], 0)
    assert_all_delivered_once(shop, [*second, waiting[1].id], 1)


def test_a_till_moved_to_the_other_printer_takes_along_what_was_never_sent(shop: Shop) -> None:
    first, second = _sell(shop, ONE), _sell(shop, TWO)
    shop.boards[1].add("printer", "unplug")
    shop.run(10)
    waiting = a_sale(TWO)
    shop.sell(waiting)
    shop.configure('[printers.n2]\nurl = "tcp://127.0.0.1:2"\npos_ids = ["POS-002"]\n', "")
    shop.restart()
    shop.wait(lambda: shop.stored(waiting.id).document is not None, MINUTE_S)
    first += [waiting.id, *_sell(shop, TWO)]
    shop.wait(lambda: shop.queued() == 0, 10 * MINUTE_S)
    assert_all_delivered_once(shop, first, 0)
    assert_all_delivered_once(shop, second, 1)


def test_events_and_series_say_which_till(shop: Shop) -> None:
    _sell(shop, ONE)
    shop.boards[1].add("printer", "unplug")
    shop.run(10)
    lost = shop.lines("printer_lost")
    assert [line["printer"] for line in lost] == ["n2"]
    _fill(shop, TWO)
    shown = shop.parts.till.metrics.render().decode()
    assert 'kkt_can_sell{pos_id="POS-001"} 1.0' in shown
    assert 'kkt_can_sell{pos_id="POS-002"} 0.0' in shown
    for pos_id, printed in ((ONE, "1.0"), (TWO, None)):
        series = f'kkt_receipts_total{{pos_id="{pos_id}",status="registered"}} {printed}'
        assert (series in shown) is (printed is not None)
    assert set(shop.parts.workers) >= {"printer", "printer:n2"}
