"""§5.4.1: an open shift survives a kill to the kopeck; sums that do not agree are told, P2."""

from __future__ import annotations

from kktd.model.receipt import PaymentMethod
from tests.acceptance.reading import alerts
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop

CASH, CARD = 100_01, 233_32


def _sell(shop: Shop) -> None:
    line = a_line(CASH + CARD)
    shop.sell(a_receipt(line, payments={PaymentMethod.CASH: CASH, PaymentMethod.CARD: CARD}))


def test_an_open_shift_is_found_again_and_agrees_to_the_kopeck(shop: Shop) -> None:
    for _ in range(3):
        _sell(shop)
    before = len(shop.lines("session_restored"))
    shop.kill()
    shop.start()
    (restored,) = shop.lines("session_restored")[before:]
    assert (restored["cash_balance"], restored["card_balance"]) == ("300.03", "699.96")
    assert restored["pos_id"] == "POS-001"
    assert restored["unsynced_transactions"] >= 0
    assert shop.lines("session_reconciled")[-1]["pos_id"] == "POS-001"
    session = shop.get("/v1/kkt/session/POS-001").body
    assert session["balances"]["cash"] == "300.03"
    assert session["last_reconciled"] is not None
    assert not any("сход" in text for _, text in alerts(shop))


def test_sums_that_do_not_agree_are_told_and_raise_an_alert(shop: Shop) -> None:
    _sell(shop)
    shop.parts.store.write(
        lambda db: db.execute("UPDATE pos_sessions SET cash_balance = cash_balance + 1")
    )
    shop.kill()
    shop.start()
    (told,) = shop.lines("balance_mismatch")
    assert (told["level"], told["facts"]) == ("ERROR", {"cash": ["100.02", "100.01"]})
    assert "P2" in [level for level, text in alerts(shop) if "сход" in text]
    shop.run(10)
    assert shop.sell(a_receipt()).status == 200, "it sells on"
