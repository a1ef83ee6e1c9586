"""A fiscal storage (ФН): numbers, signs and remembers documents, refuses what the law forbids.

Sources: [SHTRIH] 7, 7.3, 10.1; [FFD] 3.17, 9.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from rig import tlv
from rig.tlv import Tlv

REGISTRATION, SHIFT_OPEN, RECEIPT, BSO, SHIFT_CLOSE = 1, 2, 3, 4, 5
FN_CLOSE, REREGISTRATION, SETTLEMENTS, CORRECTION, BSO_CORRECTION = 6, 11, 21, 31, 41
TYPES: Final = {
    REGISTRATION: "registration",
    SHIFT_OPEN: "shift_open",
    RECEIPT: "receipt",
    BSO: "bso",
    SHIFT_CLOSE: "shift_close",
    FN_CLOSE: "fn_close",
    REREGISTRATION: "reregistration",
    SETTLEMENTS: "settlements",
    CORRECTION: "correction",
    BSO_CORRECTION: "bso_correction",
}
WITH_RECEIPT_NUMBER: Final = {RECEIPT, BSO, CORRECTION, BSO_CORRECTION}
# "Current document" of FF01 while the FN forms one.
FORMING: Final = {
    REGISTRATION: 0x01,
    SHIFT_OPEN: 0x02,
    RECEIPT: 0x04,
    SHIFT_CLOSE: 0x08,
    FN_CLOSE: 0x10,
    REREGISTRATION: 0x13,
    CORRECTION: 0x14,
    SETTLEMENTS: 0x17,
}
SIGN_KIND: Final = {REGISTRATION: b"\x21\x04", CORRECTION: b"\x33\x04"}  # first bytes of 1077
EXPIRED, FULL = 0x05, 0x06
WARNINGS: Final = {EXPIRED: 0x01, FULL: 0x04}  # of FF01
LAST_FORMS: Final = {SHIFT_CLOSE, FN_CLOSE}  # what even a spent FN still signs
SHIFT_HOURS_MAX: Final = 24
OFD_WAIT_DAYS_MAX: Final = 30


class FnRefused(Exception):
    """The FN said no; nothing was written.  `code` as in [SHTRIH] 10.1."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code:02X}h")
        self.code = code


@dataclass(frozen=True, slots=True)
class Document:
    """One fiscal document, whole; `made_at` is the till's local clock."""

    fd: int
    form: int
    made_at: datetime
    fp: int
    shift: int
    receipt_no: int
    body: bytes

    def tags(self) -> list[Tlv]:
        return tlv.decode_all(self.body)

    def number(self, tag: int) -> int | None:
        found = tlv.find(self.tags(), tag)
        return None if found is None else found.number()

    def as_record(self) -> dict[str, Any]:
        return {
            "fd": self.fd,
            "form": self.form,
            "made_at": self.made_at.isoformat(),
            "fp": self.fp,
            "shift": self.shift,
            "receipt_no": self.receipt_no,
            "body": self.body.hex(),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Document:
        return cls(
            fd=record["fd"],
            form=record["form"],
            made_at=datetime.fromisoformat(record["made_at"]),
            fp=record["fp"],
            shift=record["shift"],
            receipt_no=record["receipt_no"],
            body=bytes.fromhex(record["body"]),
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the FN hands out for the document being made."""

    fd: int
    shift: int
    receipt_no: int


SUM_TAGS: Final = {1020, 1031, 1081, 1215, 1216, 1217}


@dataclass(slots=True)
class Totals:
    """Counters of the shift and of the whole FN ([FFD] 3.16): by sign, then by tag."""

    documents: int = 0
    corrections: int = 0
    receipts: Counter[int] = field(default_factory=Counter)
    sums: dict[int, Counter[int]] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        self.documents += 1
        self.corrections += document.form in (CORRECTION, BSO_CORRECTION)
        if document.form not in (RECEIPT, BSO):
            return
        tags = document.tags()
        sign = (tlv.find(tags, 1054) or Tlv(1054, b"\0")).number()
        self.receipts[sign] += 1
        sums = self.sums.setdefault(sign, Counter())
        for tag in tags:
            if tag.tag in SUM_TAGS:
                sums[tag.tag] += tag.number()


@dataclass(slots=True)
class FiscalStorage:
    """One FN.  `sign` checks, numbers and signs; the caller makes the result durable."""

    fn_number: str
    secret: bytes
    documents: list[Document] = field(default_factory=list)
    confirmed_fd: int = 0  # the last document the OFD has sent a ticket for
    ofd_wait_days: int = OFD_WAIT_DAYS_MAX
    shift_open: bool = False
    shift_number: int = 0
    receipt_no: int = 0
    opened_at: datetime | None = None
    shift_totals: Totals = field(default_factory=Totals)
    totals: Totals = field(default_factory=Totals)
    ailment: Callable[[], int] = lambda: 0  # error of a full or expired FN; 0: healthy
    aged: Callable[[], bool] = lambda: False  # the open shift counts as old
    begun: int | None = None  # form of the document begun, RAM only
    begun_tags: list[Tlv] = field(default_factory=list)

    @property
    def last_fd(self) -> int:
        return len(self.documents)

    @property
    def phase(self) -> int:
        """Life phase: 1 ready, 3 fiscal mode, 7 closed."""
        if not self.documents:
            return 1
        return 7 if self.documents[-1].form == FN_CLOSE else 3

    @property
    def current_document(self) -> int:
        return 0 if self.begun is None else FORMING[self.begun]

    def warnings(self, now: datetime) -> int:
        late = self._waits_for_ofd(now, timedelta(days=2))
        return (0x08 if late else 0) | WARNINGS.get(self.ailment(), 0)

    def unsent(self) -> list[Document]:
        return self.documents[self.confirmed_fd :]

    def find(self, fd: int) -> Document | None:
        return self.documents[fd - 1] if 1 <= fd <= self.last_fd else None

    def shift_is_old(self, now: datetime) -> bool:
        """More than 24 hours since the shift was opened."""
        if not self.shift_open or self.opened_at is None:
            return False
        return self.aged() or now - self.opened_at > timedelta(hours=SHIFT_HOURS_MAX)

    def begin(self, form: int) -> None:
        """Start a document that tags are sent for; 02 when one is begun or the shift forbids it."""
        if self.begun is not None:
            raise FnRefused(0x02)
        self._check_shift(form)
        self.begun = form
        self.begun_tags = []

    def cancel(self) -> None:
        """Forget the document begun: on FF08 and on power loss."""
        self.begun = None
        self.begun_tags = []

    def sign(self, form: int, now: datetime, body: Callable[[Numbers], Sequence[Tlv]]) -> Document:
        """Number, sign and keep one document; raises FnRefused and keeps nothing.

        The minute is the FN's unit of time; `body` gets the numbers and returns all tags but
        1040, 1041 and 1077.
        """
        self._check_shift(form)
        if self.ailment() and form not in LAST_FORMS:
            raise FnRefused(self.ailment())
        self._check_time(form, now)
        numbers = self._next_numbers(form)
        tags = [
            *body(numbers),
            tlv.number(1040, numbers.fd, 4),
            tlv.text(1041, self.fn_number, 16),
        ]
        content = tlv.encode_all(tags)
        fp = self._sign(content)
        tags.append(Tlv(1077, SIGN_KIND.get(form, b"\x31\x04") + fp.to_bytes(4, "big")))
        document = Document(
            fd=numbers.fd,
            form=form,
            made_at=now.replace(second=0, microsecond=0),
            fp=fp,
            shift=numbers.shift,
            receipt_no=numbers.receipt_no,
            body=tlv.encode_all(tags),
        )
        self.remember(document)
        return document

    def remember(self, document: Document) -> None:
        """Take a document in: a new one, or one read back from disk."""
        self.documents.append(document)
        self.cancel()
        if document.form == SHIFT_OPEN:
            self.shift_totals = Totals()
            self.shift_open = True
            self.shift_number = document.shift
            self.receipt_no = 0
            self.opened_at = document.made_at
        elif document.form == SHIFT_CLOSE:
            self.shift_open = False
        elif document.form in WITH_RECEIPT_NUMBER:
            self.receipt_no = document.receipt_no
        self.shift_totals.add(document)
        self.totals.add(document)

    def _next_numbers(self, form: int) -> Numbers:
        shift = self.shift_number + (1 if form == SHIFT_OPEN else 0)
        receipt_no = self.receipt_no + 1 if form in WITH_RECEIPT_NUMBER else 0
        return Numbers(self.last_fd + 1, shift, receipt_no)

    def _check_shift(self, form: int) -> None:
        if self.phase == 7 or (self.phase == 1) != (form == REGISTRATION):
            raise FnRefused(0x02)
        needs_open = form in WITH_RECEIPT_NUMBER or form == SHIFT_CLOSE
        if needs_open != self.shift_open and form != SETTLEMENTS:
            raise FnRefused(0x02)

    def _check_time(self, form: int, now: datetime) -> None:
        if self.documents and now < self.documents[-1].made_at:
            raise FnRefused(0x07)
        if form in WITH_RECEIPT_NUMBER and self.shift_is_old(now):
            raise FnRefused(0x16)
        blocked = self._waits_for_ofd(now, timedelta(days=self.ofd_wait_days))
        if blocked and form != SHIFT_CLOSE:
            raise FnRefused(0x15)

    def _waits_for_ofd(self, now: datetime, limit: timedelta) -> bool:
        unsent = self.documents[self.confirmed_fd : self.confirmed_fd + 1]
        return bool(unsent) and now - unsent[0].made_at > limit

    def _sign(self, content: bytes) -> int:
        digest = hmac.new(self.secret, self.fn_number.encode() + content, hashlib.sha256).digest()
        return int.from_bytes(digest[:4], "big") or 1
