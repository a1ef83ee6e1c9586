"""What delivery needs from any way to the ОФД, and the five ways a delivery can end.

`Delivered` is returned; the rest are raised, sorted by what delivery may do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kktd.clock import Deadline
from kktd.errors import KktdError
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Delivered:
    """The ОФД has the document; its numbers equal ours (the channel compared them)."""

    fn: str
    fd: int
    fp: str


class DeliveryError(KktdError):
    """`reason` is the short cause for the log, such as `ConnectionTimeout` or `503 …`."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Unavailable(DeliveryError):
    """Nothing happened at the ОФД: no connection.  Hold the head of the queue."""

    code = "OFD_UNAVAILABLE"


class Busy(Unavailable):
    """503: it asks for time.  Never counts against the receipt, but a failure for the breaker."""

    code = "OFD_BUSY"


class Throttled(Busy):
    """429: it lives, and we ask too much.  Not a failure for the breaker either."""

    code = "OFD_THROTTLED"


class Unknown(DeliveryError):
    """Sent, and no usable answer.  Send again under the same key."""

    code = "OFD_UNKNOWN"


class NotAccepted(DeliveryError):
    """The ОФД lives and refuses this one receipt.  Set it back, go on with the next."""

    code = "OFD_NOT_ACCEPTED"


class WrongNumbers(NotAccepted):
    """It answered with other fiscal numbers than the FN's: a person looks."""

    code = "OFD_WRONG_NUMBERS"


class Misconfigured(DeliveryError):
    """401 or 403: nothing will be accepted until the settings change.  Stop the queue, alarm."""

    code = "OFD_MISCONFIGURED"


class OfdChannel(Protocol):
    """One way to the ОФД.  One caller thread.

    `waits`: a receipt may have to wait until it `is_ready`, which is no failure.
    """

    @property
    def waits(self) -> bool: ...

    def is_ready(self, document: FiscalDocument) -> bool:
        """Whether it makes sense to send this one now."""

    def send(self, receipt: Receipt, document: FiscalDocument, by: Deadline) -> Delivered:
        """Hand over one registered receipt; repeating it is harmless."""

    def ping(self, by: Deadline) -> None:
        """Return if the ОФД is alive; raises DeliveryError."""

    def close(self) -> None:
        """Let go of connections."""
