"""A product of the catalogue, as the cashier's front end puts it on a receipt."""

from __future__ import annotations

from dataclasses import dataclass

from kktd.model.money import Kopecks, rubles
from kktd.model.receipt import Measure, Subject, VatRate


@dataclass(frozen=True, slots=True)
class Product:
    """One row; `sku` is unique, a barcode may be missing."""

    sku: str
    barcode: str | None
    name: str
    price: Kopecks
    vat: VatRate
    measure: Measure = Measure.PIECE
    subject: Subject = Subject.COMMODITY

    def as_json(self) -> dict[str, object]:
        return {
            "sku": self.sku,
            "barcode": self.barcode,
            "name": self.name,
            "price": rubles(self.price),
            "vat": self.vat,
            "measure": self.measure.name.lower(),
            "subject": self.subject.name.lower(),
        }
