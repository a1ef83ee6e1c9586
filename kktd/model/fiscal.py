"""What the FN says: documents, shifts, reports.  Never invented here, only read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from kktd.model.marking import MarkCheck
from kktd.model.money import Kopecks, kopecks_from_rubles, rubles
from kktd.model.receipt import Sign


class DocumentType(StrEnum):
    """Form of a fiscal document ([FFD] document codes)."""

    REGISTRATION = "registration"
    REGISTRATION_CHANGE = "registration_change"
    SHIFT_OPEN = "shift_open"
    RECEIPT = "receipt"
    BSO = "bso"
    SHIFT_CLOSE = "shift_close"
    FN_CLOSE = "fn_close"
    STATE_REPORT = "state_report"
    CORRECTION = "correction"
    BSO_CORRECTION = "bso_correction"


_QR: Final = re.compile(
    r"t=(\d{8}T\d{4})(?:\d\d)?&s=(\d{1,10}\.\d\d)&fn=(\d{16})&i=(\d{1,10})&fp=(\d{1,10})&n=([1-4])",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FiscalDocument:
    """A receipt in the FN.  `issued_at`: the printer's local time, to the minute, no zone."""

    fn: str  # 16 digits
    fd: int
    fp: str  # up to 10 digits, no leading zeros
    shift: int
    receipt_no: int  # within the shift
    issued_at: datetime
    sign: Sign
    total: Kopecks
    marks: tuple[MarkCheck, ...] = ()  # of its marked lines

    @property
    def qr(self) -> str:
        """The string under the printed square ([FFD] QR, tag 1196)."""
        return (
            f"t={self.issued_at:%Y%m%dT%H%M}&s={rubles(self.total)}&fn={self.fn}"
            f"&i={self.fd}&fp={self.fp}&n={self.sign.value}"
        )

    @classmethod
    def from_qr(cls, text: str, shift: int, receipt_no: int) -> FiscalDocument:
        """What stands on the paper; raises ValueError for what is no such square."""
        match = _QR.fullmatch(text.strip())
        if match is None:
            raise ValueError("not the text of a receipt's QR code")
        moment, total, fn, fd, fp, sign = match.groups()
        return cls(
            fn=fn,
            fd=int(fd),
            fp=fp.lstrip("0") or "0",
            shift=shift,
            receipt_no=receipt_no,
            issued_at=datetime.strptime(moment, "%Y%m%dT%H%M"),  # noqa: DTZ007 - the FN keeps none
            sign=Sign(int(sign)),
            total=kopecks_from_rubles(Decimal(total)),
        )

    def as_json(self) -> dict[str, object]:
        """`fiscal_doc` of the API."""
        return {
            "fn": self.fn,
            "fd": self.fd,
            "fp": self.fp,
            "shift": self.shift,
            "receipt_no": self.receipt_no,
            "datetime": f"{self.issued_at:%Y-%m-%dT%H:%M}",
            "qr": self.qr,
        }


@dataclass(frozen=True, slots=True)
class ArchivedDocument:
    """One document as the FN's archive shows it; what a kind does not carry is None."""

    fd: int
    fp: str
    type: DocumentType
    issued_at: datetime
    sign: Sign | None = None
    total: Kopecks | None = None
    shift: int | None = None
    receipt_no: int | None = None
    mark: str | None = None  # value 1086 of tag 1084
    mark_results: tuple[int, ...] = ()  # tag 2106 of its marked lines, in their order


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """A shift opening or closing in the FN."""

    fn: str
    fd: int
    fp: str
    shift: int
    issued_at: datetime
