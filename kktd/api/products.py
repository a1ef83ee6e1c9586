"""The catalogue for the cashier: this till's copy, then Odoo, then a person types it in."""

from __future__ import annotations

from typing import Final

from kktd.api.body import read_body
from kktd.api.call import Call
from kktd.api.idempotency import once
from kktd.api.receipts import parse_optional
from kktd.errors import Invalid, NoOdoo, NotFound, UnsyncBuffers
from kktd.model.product import Product
from kktd.receipts.answers import Answer
from kktd.store import buffer, odoo

LIMIT: Final = 50
MAX_QUESTION: Final = 128


async def find(call: Call) -> Answer:
    """GET /v1/kkt/products?barcode=…|sku=…|q=…"""
    asked = {name: call.request.query_params.get(name) for name in ("sku", "barcode", "q")}
    strange = sorted(set(call.request.query_params) - set(asked))
    if strange:
        raise Invalid("unknown field", field=strange[0])
    given = {name: text for name, text in asked.items() if text is not None}
    if len(given) != 1:
        raise Invalid("one of sku, barcode and q is needed", field="q")
    [(field, text)] = given.items()
    if not text.strip() or len(text) > MAX_QUESTION:
        raise Invalid("empty" if not text.strip() else "too long", field=field)
    sku, barcode, name = asked["sku"], asked["barcode"], asked["q"]

    def look() -> list[Product]:
        return call.till.store.read(
            lambda db: odoo.find_products(db, sku=sku, barcode=barcode, name=name, limit=LIMIT)
        )

    found, source = await call.read(look), "cache"
    questions = call.till.questions
    if not found and questions is not None:
        source = "odoo"
        found = await call.write(lambda: questions.products(sku=sku, barcode=barcode, name=name))
    if not found:
        raise NotFound("no such product", remedy="type_it_in")
    return Answer(200, {"source": source, "items": [one.as_json() for one in found]})


async def refresh(call: Call) -> Answer:
    """POST /v1/kkt/cache/refresh: import now, unless receipts are still on their way."""
    body = await read_body(call.request)
    parse_optional(body)

    async def act() -> Answer:
        if call.till.odoo is None:
            raise NoOdoo("this till has no Odoo")
        queued = await call.read(lambda: call.till.store.read(buffer.count_queued))
        if queued:
            raise UnsyncBuffers("receipts are on their way", queued=queued)
        call.till.refresh_catalogue()
        known = await call.read(lambda: call.till.store.read(odoo.count_products))
        return Answer(202, {"products": known})

    return await once(call, body, act)
