"""What the registrar itself remembers over power cuts: open receipt, registers, paper, print job.

Source: [SHTRIH] 5, 9, 11.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rig import tlv
from rig.tlv import Tlv


@dataclass(slots=True)
class Item:
    """One registered operation; quantity in millionths, money in kopecks."""

    quantity_millionths: int
    price_kopecks: int
    sum_kopecks: int
    tax_row: int
    department: int
    method: int
    subject: int
    name: str
    printed: bool = True
    tags: list[Tlv] = field(default_factory=list)

    def as_record(self) -> list[Any]:
        return [
            self.quantity_millionths,
            self.price_kopecks,
            self.sum_kopecks,
            self.tax_row,
            self.department,
            self.method,
            self.subject,
            self.name,
            self.printed,
            tlv.encode_all(self.tags).hex(),
        ]

    @classmethod
    def from_record(cls, record: list[Any]) -> Item:
        *own, tags = record
        item = cls(*own)
        item.tags = tlv.decode_all(bytes.fromhex(tags))
        return item


@dataclass(slots=True)
class Receipt:
    """The receipt under construction; `kind`: 0 sale, 1 buy, 2 sale return, 3 buy return."""

    kind: int
    operator: int
    items: list[Item] = field(default_factory=list)
    tags: list[Tlv] = field(default_factory=list)
    corrects: bool = False  # 8Dh 80h..83h

    @property
    def total_kopecks(self) -> int:
        return sum(item.sum_kopecks for item in self.items)

    def as_record(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "operator": self.operator,
            "items": [item.as_record() for item in self.items],
            "tags": tlv.encode_all(self.tags).hex(),
            "corrects": self.corrects,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Receipt:
        return cls(
            kind=record["kind"],
            operator=record["operator"],
            items=[Item.from_record(item) for item in record["items"]],
            tags=tlv.decode_all(bytes.fromhex(record["tags"])),
            corrects=record.get("corrects", False),
        )


@dataclass(slots=True)
class PrintJob:
    """Lines on their way to paper; `waiting` = stopped by paper, printed again after B0h."""

    lines: list[str]
    waiting: bool = False


@dataclass(slots=True)
class TillState:
    """The battery-backed memory.  Registers by number, see [SHTRIH] 11; absent means 0."""

    receipt: Receipt | None = None
    money: Counter[int] = field(default_factory=Counter)
    operations: Counter[int] = field(default_factory=Counter)
    through: int = 0  # сквозной номер документа
    last_receipt: list[str] = field(default_factory=list)  # what 8Ch prints again
    clock_offset_s: int = 0  # device clock minus wall clock
    asked_date: str | None = None  # DD MM YY of 22h until 23h confirms it, hex
    has_paper: bool = True
    job: PrintJob | None = None
    byte_timeout_code: int = 50

    def as_record(self) -> dict[str, Any]:
        job = self.job
        return {
            "receipt": None if self.receipt is None else self.receipt.as_record(),
            "money": {str(number): value for number, value in self.money.items() if value},
            "operations": {
                str(number): value for number, value in self.operations.items() if value
            },
            "through": self.through,
            "last_receipt": self.last_receipt,
            "clock_offset_s": self.clock_offset_s,
            "asked_date": self.asked_date,
            "has_paper": self.has_paper,
            "job": None if job is None else [job.lines, job.waiting],
            "byte_timeout_code": self.byte_timeout_code,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> TillState:
        receipt, job = record["receipt"], record["job"]
        return cls(
            receipt=None if receipt is None else Receipt.from_record(receipt),
            money=Counter({int(number): value for number, value in record["money"].items()}),
            operations=Counter(
                {int(number): value for number, value in record["operations"].items()}
            ),
            through=record["through"],
            last_receipt=list(record["last_receipt"]),
            clock_offset_s=record["clock_offset_s"],
            asked_date=record["asked_date"],
            has_paper=record["has_paper"],
            job=None if job is None else PrintJob(list(job[0]), job[1]),
            byte_timeout_code=record["byte_timeout_code"],
        )
