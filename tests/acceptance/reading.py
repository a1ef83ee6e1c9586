"""What every row asks in the end: is each receipt there once, whole and in order?"""

from __future__ import annotations

from collections.abc import Sequence

from kktd.model.states import Delivery
from kktd.receipts.answers import Answer
from tests.support.shop import Shop

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400


def ids(answers: Sequence[Answer]) -> list[str]:
    return [str(answer.body["receipt_id"]) for answer in answers]


def assert_all_delivered_once(shop: Shop, sold: Sequence[str], printer: int = 0) -> None:
    """The FN, the store and the ОФД hold the same receipts, one to one, in the FN's order.

    `sold` is everything of one printer, counted from 0.
    """
    stored = [shop.stored(one) for one in sold]
    assert [one.delivery for one in stored] == [Delivery.SYNCED] * len(sold)
    documents = [one.document.fd for one in stored if one.document]
    assert documents == sorted(documents)
    assert len(set(documents)) == len(sold)
    assert [document["fd"] for document in shop.fn_receipts(printer)] == documents
    fns = {one.document.fn for one in stored if one.document}
    assert len(fns) == 1
    assert shop.ofd.documents_of(*fns) == documents


def alerts(shop: Shop) -> list[tuple[str, str]]:
    """Level and text of what the till warns of now."""
    said = shop.get("/v1/kkt/buffer/status").body["alerts"]
    return [(alert["level"], alert["message"]) for alert in said]


def p95(values: Sequence[float]) -> float:
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


def p50(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
