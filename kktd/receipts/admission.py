"""Whether a printer's lane may be given a receipt or an operation; asked before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kktd import log
from kktd.errors import (
    BufferFull,
    DoubtOpen,
    FnExpired,
    FnFull,
    PrinterUnavailable,
    ShiftClosed,
    ShiftExpired,
)
from kktd.events import Event
from kktd.printers.base import Shift
from kktd.receipts import drawer
from kktd.receipts.handover import Handover
from kktd.receipts.health import LaneHealth
from kktd.store import lanes
from kktd.store.connection import Db
from kktd.store.lanes import LaneCount
from kktd.store.operations import OperationKind, Request


@dataclass(frozen=True, slots=True)
class PrinterRules:
    """The settings of one printer that decide whether a receipt is taken."""

    max_unprinted: int
    open_shift_on_sale: bool


@dataclass(frozen=True, slots=True)
class DeskRules:
    """`capacity` is of the whole till box, `printers` by name."""

    capacity: int
    printers: Mapping[str, PrinterRules]


class DeskLane(Protocol):
    """A printer's lane as the desk meets it."""

    @property
    def name(self) -> str: ...
    @property
    def pos_ids(self) -> tuple[str, ...]: ...
    @property
    def health(self) -> LaneHealth:
        """What it last saw."""

    @property
    def handover(self) -> Handover: ...
    @property
    def wake(self) -> Callable[[], None]:
        """There is work."""


LaneOf = Callable[[str], DeskLane | None]
"""Which lane prints for a pos_id; None where nobody does."""


def check_may_sell(rules: DeskRules, lane: DeskLane, count: LaneCount, *, testing: bool) -> None:
    """Raises BufferFull, FnFull, FnExpired, PrinterUnavailable, ShiftExpired, ShiftClosed.

    `testing`: an engineer, who may try an FN that was said to have ended.
    """
    if count.queued >= rules.capacity:
        log.event(Event.BUFFER_FULL, buffer_size=count.queued, capacity=rules.capacity)
        raise BufferFull("the buffer is full", queued=count.queued, capacity=rules.capacity)
    health, printer = lane.health, rules.printers[lane.name]
    if health.fn_ended and not testing:
        ended = FnExpired if health.fn_ended == "fn_expired" else FnFull
        raise ended("the FN signs no more documents", fn=health.status and health.status.fn)
    if not health.ready and count.waiting >= printer.max_unprinted:
        raise PrinterUnavailable(
            "receipts already wait for the printer",
            waiting=count.waiting,
            remedy=health.remedy,
        )
    status = health.status
    if status is None or not health.ready:
        return  # the lane finds out when it prints
    if status.shift is Shift.EXPIRED:
        raise ShiftExpired("the shift is older than 24 hours", shift=status.shift_number)
    if status.shift is Shift.CLOSED and not printer.open_shift_on_sale:
        raise ShiftClosed("no shift is open")


def check_may_operate(db: Db, lane: DeskLane, asked: Request) -> None:
    """Raises DoubtOpen of a Z-report, ShiftClosed and NotEnoughCash of a cash-out."""
    status = lane.health.status
    match asked.kind, asked.amount:
        case OperationKind.Z_REPORT, _:
            if doubtful := lanes.count(db, lane.name).in_doubt:
                raise DoubtOpen("a receipt is in doubt", in_doubt=doubtful)
        case OperationKind.CASH_OUT, amount if amount is not None:
            shift_open = status is not None and status.shift is not Shift.CLOSED
            drawer.check_cash_out(db, lane.pos_ids, amount, shift_open=shift_open)
