"""Every state machine of a receipt as a table: what may follow what.  Nobody else decides.

`store/` writes a state, and only along these tables.  docs/states.md draws them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class FiscalState(StrEnum):
    """Where a receipt stands between the till and the FN; `print_state` of the API."""

    ACCEPTED = "accepted"  # on disk, nothing sent
    PRINTING = "printing"  # intent on disk, perhaps sent
    IN_DOUBT = "in_doubt"  # sent, and nobody answered
    REGISTERED = "registered"  # the FN holds it, the paper is not finished
    PRINTED = "printed"  # the FN holds it, the paper is out
    REFUSED = "refused"  # the printer said no, the FN is unchanged
    CANCELLED = "cancelled"  # withdrawn before anything was sent


class Step(StrEnum):
    """What happened to a receipt at the printer."""

    SEND = "send"
    CONFIRM = "confirm"
    FINISH_PAPER = "finish_paper"
    REFUSE = "refuse"
    RETURN = "return"
    LOSE = "lose"
    CANCEL = "cancel"


FISCAL: Final = {
    (FiscalState.ACCEPTED, Step.SEND): FiscalState.PRINTING,
    (FiscalState.ACCEPTED, Step.CANCEL): FiscalState.CANCELLED,
    (FiscalState.PRINTING, Step.CONFIRM): FiscalState.REGISTERED,
    (FiscalState.PRINTING, Step.REFUSE): FiscalState.REFUSED,
    (
        FiscalState.PRINTING,
        Step.RETURN,
    ): FiscalState.ACCEPTED,  # out of paper, away: surely not registered
    (FiscalState.PRINTING, Step.LOSE): FiscalState.IN_DOUBT,
    (FiscalState.IN_DOUBT, Step.CONFIRM): FiscalState.REGISTERED,  # the FN holds it
    (FiscalState.IN_DOUBT, Step.RETURN): FiscalState.ACCEPTED,  # the FN does not
    (FiscalState.REGISTERED, Step.FINISH_PAPER): FiscalState.PRINTED,
}

IN_FN: Final = frozenset({FiscalState.REGISTERED, FiscalState.PRINTED})
FINAL: Final = frozenset({FiscalState.PRINTED, FiscalState.REFUSED, FiscalState.CANCELLED})


class Delivery(StrEnum):
    """Where a registered receipt stands between the till and the ОФД; `status` of the API."""

    PENDING = "pending"
    SYNCING = "syncing"
    SYNCED = "synced"
    FAILED = "failed"  # a copy is in the DLQ


class DeliveryStep(StrEnum):
    """What happened to a receipt on the way to the ОФД."""

    TAKE = "take"
    DELIVER = "deliver"
    GIVE_BACK = "give_back"
    GIVE_UP = "give_up"
    RETRY = "retry"


DELIVERY: Final = {
    (Delivery.PENDING, DeliveryStep.TAKE): Delivery.SYNCING,
    (Delivery.SYNCING, DeliveryStep.DELIVER): Delivery.SYNCED,
    (Delivery.SYNCING, DeliveryStep.GIVE_BACK): Delivery.PENDING,
    (Delivery.SYNCING, DeliveryStep.GIVE_UP): Delivery.FAILED,
    (Delivery.FAILED, DeliveryStep.RETRY): Delivery.PENDING,  # a person, from the DLQ
}


class OperationState(StrEnum):
    """A device operation that is not a receipt: shifts, reports, cash, the drawer."""

    ACCEPTED = "accepted"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    DONE = "done"
    REFUSED = "refused"


OPERATION: Final = {
    (OperationState.ACCEPTED, Step.SEND): OperationState.SENT,
    (OperationState.ACCEPTED, Step.REFUSE): OperationState.REFUSED,
    (OperationState.SENT, Step.CONFIRM): OperationState.DONE,
    (OperationState.SENT, Step.REFUSE): OperationState.REFUSED,
    (OperationState.SENT, Step.LOSE): OperationState.IN_DOUBT,
    (OperationState.IN_DOUBT, Step.CONFIRM): OperationState.DONE,
    (OperationState.IN_DOUBT, Step.REFUSE): OperationState.REFUSED,  # the FN shows it never ran
}


class NetworkMode(StrEnum):
    """§5.2."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class CircuitState(StrEnum):
    """§5.4, as the API and the log spell it."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"
