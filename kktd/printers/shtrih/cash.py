"""Cash in, cash out and what the till counts of them.  Source: [SHTRIH] 6, 9.7, 11."""

from __future__ import annotations

from typing import Final

from kktd.clock import Deadline
from kktd.errors import InDoubt
from kktd.model.cash import CashCounters
from kktd.model.money import Kopecks
from kktd.printers.shtrih import answers, payload
from kktd.printers.shtrih.answers import BadAnswer, DeviceRefused
from kktd.printers.shtrih.commands import FULL_STATUS, MONEY_REGISTER, OPERATION_REGISTER, Command
from kktd.printers.shtrih.session import Session
from kktd.printers.shtrih.verdicts import FAILURES
from kktd.wire.exchange import Unanswered

# [SHTRIH] 11
IN_DRAWER: Final = 241  # money
PAID_IN: Final = 242
PAID_OUT: Final = 243
INS: Final = 153  # operations
OUTS: Final = 154


def read_counters(session: Session, by: Deadline) -> CashCounters:
    """Raises what a call raises."""

    def money(number: int) -> int:
        asked = session.call(MONEY_REGISTER, by, payload.register(number))
        return answers.money_register(asked)

    def operations(number: int) -> int:
        asked = session.call(OPERATION_REGISTER, by, payload.register(number))
        return answers.operation_register(asked)

    return CashCounters(
        through=answers.full_status(session.call(FULL_STATUS, by)).through,
        ins=operations(INS),
        outs=operations(OUTS),
        in_kopecks=money(PAID_IN),
        out_kopecks=money(PAID_OUT),
        cash_kopecks=money(IN_DRAWER),
    )


def move(session: Session, command: Command, amount: Kopecks, by: Deadline) -> None:
    """50h or 51h.  Raises InDoubt unless it surely did or did not run."""
    before = read_counters(session, by)
    try:
        session.call(command, by, payload.cash(amount))
    except (Unanswered, BadAnswer) as error:
        raise InDoubt("sent, not confirmed") from error
    except DeviceRefused as refused:
        try:
            after = read_counters(session, by)
        except FAILURES as error:
            raise InDoubt("refused, not confirmed") from error
        if (after.ins, after.outs) != (before.ins, before.outs):
            raise InDoubt("refused, and yet the till has counted it") from refused
        raise
