"""The four calls of the Odoo addon (contract 7), each one exchange under one deadline.

Raises Unavailable (nothing was sent), Unknown (sent, no usable answer; the same again is harmless),
Misconfigured (401, 403) and NotAccepted (Odoo lives and refuses this very request).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from kktd.clock import Deadline
from kktd.model.money import Kopecks, kopecks_from_rubles
from kktd.model.product import Product
from kktd.model.receipt import DocumentNumbers, Measure, Subject, VatRate
from kktd.ofd.channel import Misconfigured, NotAccepted, Unknown
from kktd.ofd.http import HttpAnswer, HttpLine, bearer

BODY_BYTES_MAX: Final = 1 << 20  # a page of 500 products has a sixth of it
PAGE: Final = 500
REASON_MAX: Final = 200


class Known(StrEnum):
    """What Odoo knows of a receipt."""

    SYNCED = "synced"
    PENDING = "pending"
    DOES_NOT_KNOW = "does_not_know"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Odoo has every event up to this one; `server_time_s` is its clock, Unix seconds."""

    up_to: int
    server_time_s: int


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """Products that changed since a cursor, SKUs that are gone, the next cursor."""

    items: tuple[Product, ...]
    deleted: tuple[str, ...]
    cursor: str


class Odoo(Protocol):
    """What the link needs; one caller thread."""

    def heartbeat(self, body: Mapping[str, Any], by: Deadline) -> int:
        """Returns Odoo's clock, Unix seconds."""

    def send_events(
        self, pos_id: str, events: Sequence[Mapping[str, Any]], by: Deadline
    ) -> Accepted:
        """In order; those it has already it ignores."""

    def products(self, cursor: str, by: Deadline) -> CataloguePage:
        """At most PAGE products that changed since `cursor`, "" for all."""

    def find_receipt(
        self, receipt_id: str | None, document: DocumentNumbers | None, by: Deadline
    ) -> Known:
        """By our id, else by FN and FD."""

    def close(self) -> None: ...


class OdooClient:
    """Over HTTP; `token` is read at each call, so that a rotated key works at once."""

    def __init__(self, url: str, token: Callable[[], str], ca_file: str | None = None) -> None:
        self._base = url.rstrip("/")
        self._token = token
        self._line = HttpLine(ca_file, BODY_BYTES_MAX)

    def heartbeat(self, body: Mapping[str, Any], by: Deadline) -> int:
        return _server_time(self._ask("POST", "/heartbeat", by, body))

    def send_events(
        self, pos_id: str, events: Sequence[Mapping[str, Any]], by: Deadline
    ) -> Accepted:
        said = self._ask("POST", "/events", by, {"pos_id": pos_id, "events": list(events)})
        up_to = said.get("accepted_up_to")
        if not isinstance(up_to, int) or isinstance(up_to, bool) or up_to < 0:
            raise Unknown("an answer without accepted_up_to")
        return Accepted(up_to, _server_time(said))

    def products(self, cursor: str, by: Deadline) -> CataloguePage:
        query = urlencode({"since": cursor, "limit": PAGE})
        said = self._ask("GET", f"/products?{query}", by)
        items, deleted, after = said.get("items"), said.get("deleted"), said.get("cursor")
        if not isinstance(items, list) or not isinstance(deleted, list):
            raise Unknown("a catalogue without items")
        if not isinstance(after, str | int) or isinstance(after, bool):
            raise Unknown("a catalogue without a cursor")
        return CataloguePage(
            tuple(_product(item) for item in items), tuple(map(str, deleted)), str(after)
        )

    def find_receipt(
        self, receipt_id: str | None, document: DocumentNumbers | None, by: Deadline
    ) -> Known:
        if receipt_id is not None:
            said = self._ask("GET", f"/receipts/{receipt_id}", by)
        elif document is not None:
            query = urlencode({"fn": document.fn, "fd": document.fd})
            said = self._ask("GET", f"/receipts?{query}", by)
        else:
            raise ValueError("a receipt has an id or a document")
        if said.get("known") is not True:
            return Known.DOES_NOT_KNOW
        return Known.SYNCED if said.get("sync_status") == "synced" else Known.PENDING

    def close(self) -> None:
        self._line.close()

    def _ask(
        self, method: str, path: str, by: Deadline, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer = self._line.ask(method, f"{self._base}{path}", by, self._headers(), data)
        if answer.status in (401, 403):
            raise Misconfigured(answer.reason)
        if 400 <= answer.status < 500 and answer.status not in (408, 425, 429):
            raise NotAccepted(_reason(answer))
        if answer.status != 200:
            raise Unknown(_reason(answer))
        said = _json(answer)
        if said is None:
            raise Unknown("an answer that is no JSON object")
        return said

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": bearer(self._token),
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # nothing to unpack, nothing that swells
            "Content-Type": "application/json",
        }


def _server_time(said: Mapping[str, Any]) -> int:
    value = said.get("server_time")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        raise Unknown("an answer without server_time")
    return int(value)


def _product(item: object) -> Product:
    """Raises Unknown: half a catalogue is not taken."""
    if not isinstance(item, Mapping):
        raise Unknown("a product that is no object")
    try:
        return Product(
            sku=str(item["sku"]),
            barcode=str(item["barcode"]) if item.get("barcode") else None,
            name=str(item["name"]),
            price=_price(item["price"]),
            vat=VatRate(item["vat"]),
            measure=Measure[str(item.get("measure") or "piece").upper()],
            subject=Subject[str(item.get("subject") or "commodity").upper()],
        )
    except (KeyError, ValueError) as error:
        raise Unknown(f"product {item.get('sku')!r}: {error}"[:REASON_MAX]) from error


def _price(value: object) -> Kopecks:
    """Rubles as text or number, at most two decimals; read as a decimal."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("no price")
    return kopecks_from_rubles(Decimal(value))


def _json(answer: HttpAnswer) -> Mapping[str, Any] | None:
    try:
        said = json.loads(answer.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _reason(answer: HttpAnswer) -> str:
    said = _json(answer) or {}
    text = said.get("message")
    return (f"{answer.reason}: {text}" if isinstance(text, str) else answer.reason)[:REASON_MAX]
