"""Every error of kktd, sorted by what the caller may do next.  One root, facts as attributes.

Drivers and channels translate into these, services decide, `api/errors.py` alone turns a class into
an HTTP status.  `code` is the stable name of docs/api.md.
"""

from __future__ import annotations

from typing import ClassVar


class KktdError(Exception):
    """Root.  `details` go to the caller as they are: no secrets, no customer data."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message or self.code)
        self.details = details


# ---- the printer --------------------------------------------------------------------------------


class PrinterError(KktdError):
    """What a printer call can end with.

    `remedy` names the sentence that says what to do; `device_code` is the vendor's, or None.
    """

    remedy: str = "engineer"
    device_code: int | None = None


class Unreachable(PrinterError):
    """The printer does not answer, and what was asked cannot have run.  Try later.

    `line_unusable`: nor will it before settings or rights are changed.
    """

    code = "PRINTER_UNAVAILABLE"
    remedy = "printer_away"

    def __init__(self, message: str = "", *, line_unusable: bool = False) -> None:
        super().__init__(message)
        if line_unusable:
            self.remedy = "printer_line"


class NotReady(PrinterError):
    """Nothing was registered; someone at the till can mend it (paper, cover, busy).  Try later."""

    code = "PRINTER_NOT_READY"

    def __init__(self, message: str, *, device_code: int | None, remedy: str) -> None:
        super().__init__(message, device_code=device_code, remedy=remedy)
        self.device_code = device_code
        self.remedy = remedy


class Refused(PrinterError):
    """The printer said no for good; the FN is unchanged.  Asking again changes nothing."""

    code = "PRINTER_REFUSED"

    def __init__(
        self, message: str, *, device_code: int | None, remedy: str, **facts: object
    ) -> None:
        super().__init__(message, device_code=device_code, remedy=remedy, **facts)
        self.device_code = device_code
        self.remedy = remedy


class InDoubt(PrinterError):
    """Sent, unanswered: only the FN knows.  Never send again before it was asked."""

    code = "IN_DOUBT"
    remedy = "in_doubt"


class FnChanged(PrinterError):
    """Another FN or printer answers than the one noted.  A person decides."""

    code = "FN_CHANGED"
    remedy = "fn_changed"


# ---- the store ----------------------------------------------------------------------------------


class StoreError(KktdError):
    """What the database can end with."""


class StaleState(StoreError):
    """Another thread moved the row first.  Read it again."""

    code = "STALE_STATE"


class StoreUnavailable(StoreError):
    """The disk failed or is full: nothing of this request was kept.  Call an engineer.

    Full, selling goes on when there is space again; failed, only the next start knows what was
    written of it, which is why a repeat has to carry the same key.
    """

    code = "DISK_FULL"


class StoreCorrupt(StoreError):
    """The file failed its integrity check.  The daemon does not start on it."""

    code = "STORE_CORRUPT"


class StoreTooNew(StoreError):
    """The file's schema is outside the window this release opens.  Install the newer release."""

    code = "STORE_TOO_NEW"


class LeaseHeld(StoreError):
    """Another owner holds the lease.  `held_by`, `lock_id` say who."""

    code = "SYNC_IN_PROGRESS"


# ---- requests -----------------------------------------------------------------------------------


class RequestError(KktdError):
    """The caller asked for something that cannot be; nothing was stored."""


class Malformed(RequestError):
    """Not JSON, or not the JSON this call takes."""

    code = "MALFORMED"


class KeyMissing(RequestError):
    """A mutating request without a UUID in Idempotency-Key."""

    code = "KEY_MISSING"


class Unauthorized(RequestError):
    """No token, or one nobody knows."""

    code = "UNAUTHORIZED"


class Forbidden(RequestError):
    """The token's role may not do this."""

    code = "FORBIDDEN"


class NotFound(RequestError):
    """No such receipt, job or page."""

    code = "NOT_FOUND"


class UnknownPos(RequestError):
    """This till does not serve that pos_id."""

    code = "UNKNOWN_POS"


class TooLarge(RequestError):
    """Body, line count or string over the limit."""

    code = "TOO_LARGE"


class Invalid(RequestError):
    """Well-formed and wrong: sums, VAT rate, payments.  `details["field"]` names the place."""

    code = "INVALID"


class DocumentTooLong(RequestError):
    """The receipt would not fit the FN's 30 KB.  Split it."""

    code = "DOCUMENT_TOO_LONG"


class KeyReused(RequestError):
    """The key belongs to another body.  Make a new key for a new request."""

    code = "KEY_REUSED"


class InProgress(RequestError):
    """The first request with this key is still running.  Repeat it with the same key."""

    code = "IN_PROGRESS"


class TooLate(RequestError):
    """The receipt was already sent to the printer, or is finished."""

    code = "TOO_LATE"


class ShiftClosed(RequestError):
    """No shift is open and the settings do not open one by themselves."""

    code = "SHIFT_CLOSED"


class ShiftExpired(RequestError):
    """The shift is older than 24 hours.  Close it (Z-report) and open a new one."""

    code = "SHIFT_EXPIRED"


class NotEnoughCash(RequestError):
    """The drawer holds less than is asked for, movements under way taken off.  Pay in first."""

    code = "NOT_ENOUGH_CASH"


class DoubtOpen(RequestError):
    """A receipt is in doubt; the shift cannot close before the FN settled it."""

    code = "DOUBT_OPEN"


class UnsentLeft(RequestError):
    """The old FN's receipts are not at the ОФД.  Deliver them first, or leave them knowingly."""

    code = "UNSENT_LEFT"


class RefundNotSynced(RequestError):
    """The original is not at the ОФД yet, or nobody here knows it.  Later, or with a supervisor."""

    code = "REFUND_NOT_SYNCED"


class UnsyncBuffers(RequestError):
    """Prices are not imported while receipts are on their way.  `queued`: how many."""

    code = "UNSYNC_BUFFERS"


class NoBackup(RequestError):
    """No second place for copies is set."""

    code = "NO_BACKUP"


class NoOdoo(RequestError):
    """This till has no Odoo."""

    code = "NO_ODOO"


# ---- not now ------------------------------------------------------------------------------------


class NotNow(KktdError):
    """Nothing was stored; the same request may succeed later."""


class BufferFull(NotNow):
    """As many receipts wait for the ОФД as the settings allow."""

    code = "BUFFER_FULL"


class PrinterUnavailable(NotNow):
    """The printer is away and `max_unprinted` receipts already wait for it."""

    code = "PRINTER_UNAVAILABLE"


class NoNetwork(NotNow):
    """The breaker is open: the ОФД was not reached lately."""

    code = "NO_NETWORK"


class RateLimited(NotNow):
    """Too many requests from one caller."""

    code = "RATE_LIMITED"


class ShuttingDown(NotNow):
    """The daemon is stopping."""

    code = "SHUTTING_DOWN"


class Maintenance(NotNow):
    """An engineer works at the till.  `details` say why and until when."""

    code = "MAINTENANCE"


class DiskFilled(NotNow):
    """The disk is nearly full: nothing new is sold, what is under way goes on."""

    code = "DISK_FULL"


class RecordsMissing(NotNow):
    """The database was damaged and what is missing is not counted, or nobody has seen it yet."""

    code = "RECORDS_MISSING"


class FnFull(NotNow):
    """The FN's archive or its 30-day queue is full."""

    code = "FN_FULL"


class FnExpired(NotNow):
    """The FN's keys have ended."""

    code = "FN_EXPIRED"


# ---- the start ----------------------------------------------------------------------------------


class BadConfig(KktdError):
    """The settings file is refused whole.  `details` name line or key, and the reason."""

    code = "BAD_CONFIG"


class AlreadyRunning(KktdError):
    """Another daemon holds this database."""

    code = "ALREADY_RUNNING"
