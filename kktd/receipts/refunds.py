"""May this refund be made?  One table for the original, then the sums; all in one transaction.

Source: contract 6.  The cashier's way back is in the verdict: when to try again, whom to call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from kktd.errors import Invalid, NotEnoughCash, RefundNotSynced
from kktd.model.money import rubles
from kktd.model.receipt import (
    DocumentNumbers,
    Original,
    PaymentMethod,
    Receipt,
    ReceiptId,
    ReceiptType,
)
from kktd.model.states import Delivery
from kktd.receipts.drawer import Tills, free_cash
from kktd.store import refunds
from kktd.store.connection import Db
from kktd.store.refunds import KnownOriginal

RETRY_UNKNOWN_S: Final = 600
RETRY_UNSYNCED_S: Final = 300


class Here(StrEnum):
    """What this till knows of the original."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    FAILED = "failed"  # in the DLQ: waiting alone does not help
    UNKNOWN = "unknown"


class Odoo(StrEnum):
    """What Odoo knows of it."""

    SYNCED = "synced"
    PENDING = "pending"
    DOES_NOT_KNOW = "does_not_know"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sync_status` of the original; `hint` picks the sentence of a refusal."""

    allowed: bool
    sync_status: str
    hint: str | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: None stands for any.  `paper`: FN, FD and FP were given."""

    here: Here
    odoo: Odoo | None
    paper: bool | None
    supervised: bool | None
    verdict: Verdict

    def fits(self, here: Here, odoo: Odoo, *, paper: bool, supervised: bool) -> bool:
        return (
            self.here is here
            and self.odoo in (None, odoo)
            and self.paper in (None, paper)
            and self.supervised in (None, supervised)
        )


_GO: Final = Verdict(True, "synced")
_FROM_PAPER: Final = Verdict(True, "not_found")
_UNSYNCED: Final = Verdict(False, "pending", "refund_unsynced", RETRY_UNSYNCED_S)
_FAILED: Final = Verdict(False, "failed", "refund_failed", RETRY_UNKNOWN_S)
_NEEDS_PAPER: Final = Verdict(False, "not_found", "refund_needs_paper")
_UNKNOWN: Final = Verdict(False, "not_found", "refund_unknown", RETRY_UNKNOWN_S)

# Exactly one row fits each case; a test walks them all.
RULES: Final = (
    Rule(Here.SYNCED, None, None, None, _GO),
    Rule(Here.UNSYNCED, None, None, None, _UNSYNCED),
    Rule(Here.FAILED, None, None, None, _FAILED),
    Rule(Here.UNKNOWN, Odoo.SYNCED, None, None, _GO),
    Rule(Here.UNKNOWN, Odoo.PENDING, None, None, _UNSYNCED),
    Rule(Here.UNKNOWN, Odoo.DOES_NOT_KNOW, True, None, _FROM_PAPER),
    Rule(Here.UNKNOWN, Odoo.DOES_NOT_KNOW, False, None, _NEEDS_PAPER),
    Rule(Here.UNKNOWN, Odoo.AWAY, True, True, _FROM_PAPER),
    Rule(Here.UNKNOWN, Odoo.AWAY, True, False, _UNKNOWN),
    Rule(Here.UNKNOWN, Odoo.AWAY, False, None, _UNKNOWN),
)


def decide(here: Here, odoo: Odoo, *, paper: bool, supervised: bool) -> Verdict:
    """The verdict of the one row that fits."""
    return next(
        rule.verdict for rule in RULES if rule.fits(here, odoo, paper=paper, supervised=supervised)
    )


_HERE: Final = {
    Delivery.PENDING: Here.UNSYNCED,
    Delivery.SYNCING: Here.UNSYNCED,
    Delivery.SYNCED: Here.SYNCED,
    Delivery.FAILED: Here.FAILED,
}


def check_original(db: Db, original: Original, odoo: Odoo, *, supervised: bool) -> Verdict:
    """Whether a refund of it would be taken now; raises Invalid if it is no registered sale."""
    known = _find_sale(db, original)
    verdict = _decide(known, original, odoo, supervised=supervised)
    if known is not None and verdict.allowed and not left_of(db, known):
        return replace(verdict, allowed=False, hint="refund_nothing_left")
    return verdict


def admit(db: Db, receipt: Receipt, tills: Tills, odoo: Odoo, *, supervised: bool) -> Receipt:
    """The refund as it is to be stored: with the FN's numbers of its original.

    Run it in the transaction that stores it, else two refunds could take the same money.  Raises
    Invalid, RefundNotSynced, NotEnoughCash.
    """
    original = receipt.original
    if original is None:
        raise Invalid("a refund names its original", field="original_receipt_id")
    known = _find_sale(db, original)
    verdict = _decide(known, original, odoo, supervised=supervised)
    if not verdict.allowed:
        raise RefundNotSynced(
            remedy=verdict.hint,
            sync_status=verdict.sync_status,
            retry_after_seconds=verdict.retry_after_s,
        )
    if known is not None:
        left = left_of(db, known)
        if receipt.total > left:
            raise Invalid("more than is left of the original", field="items", left=rubles(left))
        original = Original(ReceiptId(known.id), _numbers_of(known))
    check_cash(db, receipt, tills)
    return replace(receipt, original=original)


def left_of(db: Db, sale: KnownOriginal) -> int:
    """Kopecks of it that no refund took or will take."""
    numbers = _numbers_of(sale)
    return sale.total - refunds.sum_refunded(db, numbers.fn, numbers.fd)


def check_cash(db: Db, refund: Receipt, tills: Tills, *, reserved: int = 0) -> None:
    """Raises NotEnoughCash if the drawer that `tills` share will not hold the cash part.

    `reserved`: kopecks of it that an earlier acceptance of this same refund holds already.
    """
    wanted = refund.applied(PaymentMethod.CASH)
    if not wanted:
        return
    free = free_cash(db, tills) + reserved
    if wanted > free:
        raise NotEnoughCash(wanted=rubles(wanted), available=rubles(max(free, 0)))


def _decide(
    known: KnownOriginal | None, original: Original, odoo: Odoo, *, supervised: bool
) -> Verdict:
    here = Here.UNKNOWN if known is None else _HERE[known.delivery]
    return decide(here, odoo, paper=original.document is not None, supervised=supervised)


def _find_sale(db: Db, original: Original) -> KnownOriginal | None:
    """The original if it is ours; raises Invalid if it cannot be refunded at all."""
    known = refunds.find_original(db, original)
    if known is None:
        return None
    field = "original_receipt_id" if original.receipt_id else "original"
    if known.type is not ReceiptType.SALE or known.numbers is None:
        raise Invalid("not a registered sale", field=field, print_state=known.state)
    if original.document is not None and original.document.fp not in ("", known.numbers.fp):
        raise Invalid("not the sign of that document", field="original.fp")
    return known


def _numbers_of(sale: KnownOriginal) -> DocumentNumbers:
    """Raises Invalid if the FN never took it."""
    if sale.numbers is None:
        raise Invalid("not a registered sale", field="original", print_state=sale.state)
    return sale.numbers
