"""`buffer_events` page by page, each with a sentence for the person who reads (§5.5, A.5)."""

from __future__ import annotations

from typing import Any, Final

from kktd.api import query
from kktd.api.call import Call
from kktd.api.event_messages import event_sentence
from kktd.api.messages import Language
from kktd.api.times import iso_ms
from kktd.receipts.answers import Answer
from kktd.store import journal
from kktd.store.journal import Happening

LEVELS: Final = ("INFO", "WARN", "ERROR", "CRITICAL")


async def show(call: Call) -> Answer:
    """GET /v1/kkt/buffer/logs: newest first; `level` means that level and worse."""
    query.only(call, "level", "since", "page", "limit")
    page, limit = query.page_of(call)
    level = query.one_of(call, "level", LEVELS)
    since_ms = query.instant_ms(call, "since")
    levels = LEVELS[LEVELS.index(level) :] if level else LEVELS
    store, language = call.till.store, call.language
    # A long history takes a while to count: one at a time, so that readers remain for health.
    async with call.runtime.history:
        total, found = await call.read(
            lambda: store.read(
                lambda db: journal.find_page(db, levels, since_ms, limit, (page - 1) * limit)
            )
        )
    items = [_json(one, language) for one in found]
    return Answer(200, {"total": total, "page": page, "limit": limit, "items": items})


def _json(one: Happening, language: Language) -> dict[str, Any]:
    return {
        "id": one.id,
        "timestamp": iso_ms(one.timestamp_ms),
        "level": one.level,
        "event": one.event,
        "receipt_id": one.receipt_id,
        "message": event_sentence(one.event, one.facts, language),
    }
