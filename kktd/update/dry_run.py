"""A receipt through the real store in a scratch folder, with no printer: accepted, signed, kept."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from kktd.clock import Clock, HybridClock
from kktd.errors import KktdError
from kktd.model.fiscal import FiscalDocument
from kktd.model.money import Kopecks
from kktd.model.receipt import (
    Cashier,
    Line,
    Payment,
    PaymentMethod,
    Receipt,
    ReceiptType,
    Sign,
    TaxSystem,
    VatRate,
    new_receipt_id,
)
from kktd.model.states import FiscalState
from kktd.store import buffer, receipts
from kktd.store.receipts import Intent
from kktd.store.store import Store

FN: Final = "9999000000000000"  # of no FN
PRICE: Final = Kopecks(1_990_00)


def dry_run(folder: Path, clock: Clock) -> None:
    """Raises KktdError; leaves its database in `folder`."""
    receipt = _receipt()
    now_s = int(clock.wall_s())
    store = Store(folder / "trial.db")
    try:
        stamp = HybridClock(clock, store.read(receipts.highest_stamp)).tick()
        store.write(lambda db: receipts.accept(db, receipt, stamp, now_s))
        intent = Intent("0", FN, last_fd=0, shift_number=1, mark=None)
        store.write(lambda db: receipts.begin_printing(db, receipt.id, intent, now_s))
        signed = _document(receipt)
        store.write(
            lambda db: receipts.confirm(db, receipt.id, FiscalState.PRINTING, signed, now_s)
        )
    finally:
        store.close()
    again = Store(folder / "trial.db")  # as after a power cut
    try:
        kept = again.read(lambda db: receipts.find(db, receipt.id))
        waiting = again.read(buffer.count_queued)
    finally:
        again.close()
    if kept.state is not FiscalState.REGISTERED or kept.document != signed or waiting != 1:
        raise KktdError("the receipt came back changed", state=str(kept.state), queued=waiting)


def _receipt() -> Receipt:
    return Receipt(
        id=new_receipt_id(),
        pos_id="POS-001",
        type=ReceiptType.SALE,
        lines=(Line("Проба", Decimal(1), PRICE, VatRate.V22),),
        payments=(Payment(PaymentMethod.CASH, PRICE),),
        cashier=Cashier("Проба"),
        tax_system=TaxSystem.OSN,
    )


def _document(receipt: Receipt) -> FiscalDocument:
    issued = datetime(2026, 1, 1, 12, 0)  # noqa: DTZ001 - the printer's own, as the model has it
    return FiscalDocument(FN, 1, "1", 1, 1, issued, Sign.SALE, receipt.total)
