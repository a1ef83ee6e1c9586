"""The ОФД over REST (§5.4): JSON over HTTPS, a bearer token, the receipt's id as key.

Sources: [OFD-REST] §5 for what an answer means, §6 for the shape; docs/ofd-rest.openapi.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from kktd.clock import Clock, Deadline
from kktd.errors import BadConfig
from kktd.model.fiscal import FiscalDocument
from kktd.model.receipt import Receipt, ReceiptId
from kktd.ofd.body import Seller, dump_body
from kktd.ofd.channel import (
    Busy,
    Delivered,
    DeliveryError,
    Misconfigured,
    NotAccepted,
    Throttled,
    Unavailable,
    Unknown,
    WrongNumbers,
)
from kktd.ofd.http import HttpAnswer, HttpLine, bearer
from kktd.trace import current_trace

RETRY_AFTER_MAX_S: Final = 3_600.0  # nobody may silence a till for a day with one header
POLL_FIRST_S: Final = 0.2
POLL_MAX_S: Final = 1.0  # [OFD-REST] 1: at most one question a second
REASON_MAX: Final = 200

ACCEPTED: Final = 202
NOT_SETTINGS: Final = frozenset({401, 402, 403, 404, 405, 410})  # no receipt would be taken
NO_VERDICT: Final = frozenset({407, 408, 425})  # a proxy's or a moment's
# A service without this call, or one that wants a token for it, is a service that answers.
ALIVE_WITHOUT_HEALTH: Final = frozenset({401, 403, 404, 405})


class RestChannel:
    """Implements OfdChannel.  One caller thread; the token is read anew for each receipt."""

    waits = False

    def __init__(
        self,
        base_url: str,
        token: Callable[[], str],
        seller: Seller,
        clock: Clock,
        ca_file: str | None = None,
    ) -> None:
        """`token` may raise OSError or return "": Misconfigured then.  BadConfig: no such URL."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadConfig("not the address of an ОФД", key="ofd.url")  # it may hold a password
        self._base = base_url.rstrip("/")
        self._token = token
        self._seller = seller
        self._clock = clock
        self._line = HttpLine(ca_file)
        # Taken by a queue over there, not yet answered: asked for, not sent, the next time.
        self._awaited: set[ReceiptId] = set()

    def is_ready(self, document: FiscalDocument) -> bool:
        """At any time."""
        del document
        return True

    def send(self, receipt: Receipt, document: FiscalDocument, by: Deadline) -> Delivered:
        headers = self._headers(receipt.id)
        try:
            if receipt.id in self._awaited:
                return self._poll(receipt.id, document, by, headers)
            body = dump_body(receipt, document, self._seller)
            answer = self._line.ask("POST", f"{self._base}/receipts", by, headers, body)
            match answer.status:
                case 200 | 201 | 202 if _is_waiting(answer):
                    self._awaited.add(receipt.id)
                    return self._poll(receipt.id, document, by, headers)
                case 409:
                    return self._settle_conflict(answer, receipt.id, document, by, headers)
            return _delivered(answer, document, self._clock)
        except NotAccepted as error:
            raise type(error)(_without_contacts(error.reason, receipt)) from error

    def ping(self, by: Deadline) -> None:
        answer = self._line.ask("GET", f"{self._base}/health", by, {"Accept": "application/json"})
        if 200 <= answer.status < 300 or answer.status in ALIVE_WITHOUT_HEALTH:
            return
        raise _refusal(answer, self._clock)

    def close(self) -> None:
        self._line.close()

    def _headers(self, receipt_id: ReceiptId) -> dict[str, str]:
        headers = {
            "Authorization": bearer(self._token),
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # nothing to unpack, nothing that swells
            "Content-Type": "application/json",
            "Idempotency-Key": receipt_id,
        }
        if (of := current_trace()) is not None:
            headers["traceparent"] = of.as_header()
        return headers

    def _poll(
        self,
        receipt_id: ReceiptId,
        document: FiscalDocument,
        by: Deadline,
        headers: Mapping[str, str],
    ) -> Delivered:
        """Ask what became of it until the deadline; Unknown when that is not known by then."""
        wait_s = POLL_FIRST_S
        while True:
            answer = self._look_up(receipt_id, by, headers)
            if answer.status == 404:
                self._awaited.discard(receipt_id)
                raise Unknown("404 accepted before, not known now")
            if not _is_waiting(answer):
                self._awaited.discard(receipt_id)
                return _delivered(answer, document, self._clock)
            if by.left_s() <= wait_s:
                raise Unknown("202 Accepted, not done in time")
            self._clock.sleep(wait_s)
            wait_s = min(POLL_MAX_S, wait_s * 2)

    def _look_up(
        self, receipt_id: ReceiptId, by: Deadline, headers: Mapping[str, str]
    ) -> HttpAnswer:
        try:
            return self._line.ask("GET", f"{self._base}/receipts/{receipt_id}", by, headers)
        except Unavailable as error:  # of the question; the receipt did leave
            raise Unknown(error.reason) from error

    def _settle_conflict(
        self,
        conflict: HttpAnswer,
        receipt_id: ReceiptId,
        document: FiscalDocument,
        by: Deadline,
        headers: Mapping[str, str],
    ) -> Delivered:
        """409: it has this key, or this document under another.  Its own record decides."""
        answer = self._look_up(receipt_id, by, headers)
        if answer.status == 404:
            raise NotAccepted(_reason(conflict))
        if _is_waiting(answer):
            self._awaited.add(receipt_id)
            return self._poll(receipt_id, document, by, headers)
        return _delivered(answer, document, self._clock)


def _delivered(answer: HttpAnswer, document: FiscalDocument, clock: Clock) -> Delivered:
    """Its numbers if they are ours; raises what the answer means otherwise."""
    if answer.status not in (200, 201):
        raise _refusal(answer, clock)
    body = _json(answer)
    if body.get("status") == "fail":
        raise NotAccepted(_reason(answer))
    fn, fd, fp = (_digits(body.get(name)) for name in ("fn", "fd", "fp"))
    if fn is None or fd is None or fp is None:
        raise Unknown(f"{answer.status} without fiscal numbers")
    if (int(fn), int(fd), int(fp)) != (int(document.fn), document.fd, int(document.fp)):
        raise WrongNumbers(
            f"answered fn {fn} fd {fd} fp {fp}, "
            f"the FN has fn {document.fn} fd {document.fd} fp {document.fp}"
        )
    return Delivered(document.fn, document.fd, document.fp)


def _refusal(answer: HttpAnswer, clock: Clock) -> DeliveryError:
    """What an answer other than 200, 201 and 202 lets delivery do next ([OFD-REST] §5)."""
    reason, status = _reason(answer), answer.status
    if status == 429:
        return Throttled(reason, _retry_after_s(answer, clock))
    if status == 503:
        return Busy(reason, _retry_after_s(answer, clock))
    if status in NOT_SETTINGS:
        return Misconfigured(reason)
    if 400 <= status < 500 and status not in NO_VERDICT:
        return NotAccepted(reason)
    return Unknown(reason)


def _is_waiting(answer: HttpAnswer) -> bool:
    if answer.status == ACCEPTED:
        return True
    return answer.status in (200, 201) and _json(answer).get("status") == "wait"


def _json(answer: HttpAnswer) -> Mapping[str, Any]:
    """The object in the body; empty when there is none."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _digits(value: object) -> str | None:
    """A number as they send it, text or JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if len(text) <= 20 and text.isascii() and text.isdigit() else None


def _reason(answer: HttpAnswer) -> str:
    """`422 Unprocessable Entity: <their text>`."""
    error = _json(answer).get("error")
    text = error.get("text") if isinstance(error, dict) else None
    return (f"{answer.reason}: {text}" if isinstance(text, str) else answer.reason)[:REASON_MAX]


def _retry_after_s(answer: HttpAnswer, clock: Clock) -> float | None:
    """Seconds or an HTTP date; None for neither.  0..RETRY_AFTER_MAX_S."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(RETRY_AFTER_MAX_S, float(text[:9]))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at_s = at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    return min(RETRY_AFTER_MAX_S, max(0.0, at_s - clock.wall_s()))


def _without_contacts(reason: str, receipt: Receipt) -> str:
    """Their text may quote the customer; log and journal must not."""
    customer = receipt.customer
    for contact in (customer.email, customer.phone) if customer else ():
        if contact:
            reason = reason.replace(contact, "…")
    return reason
