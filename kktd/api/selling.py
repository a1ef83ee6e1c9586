"""«Можно продавать?»: yes; yes, but so much is left; or no.  Each limit says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kktd.alerts.table import DAY_S, HOUR_S
from kktd.api.messages import Language, sentence
from kktd.api.snapshot import LaneSeen, Snapshot
from kktd.model.states import NetworkMode

SHIFT_S: Final = 24 * HOUR_S  # the FN takes nothing into an older one ([FFD])
SHIFT_WARN_S: Final = 23 * HOUR_S  # thresholds as in alerts/table.py
FN_WARN_DAYS: Final = 30
FN_WARN_DOCUMENTS: Final = 100
UNSENT_S: Final = 30 * DAY_S  # then the FN locks
UNSENT_WARN_S: Final = 20 * DAY_S
WARN_PERCENT: Final = 80
FEW: Final = 5  # receipts below which no rate can be told


@dataclass(frozen=True, slots=True)
class Limit:
    """What ends the selling unless somebody does something; None where it cannot be told."""

    name: str
    seconds_left: float | None
    receipts_left: int | None
    ru: str
    en: str


def selling(seen: Snapshot, language: Language) -> dict[str, Any]:
    """`{answer, limits}`, what ends first first."""
    limits = sorted(limits_of(seen), key=_urgency)
    answer = "no" if seen.obstacle else "limited" if limits else "yes"
    return {
        "answer": answer,
        "limits": [
            {
                "name": one.name,
                "seconds_left": None if one.seconds_left is None else round(one.seconds_left),
                "receipts_left": one.receipts_left,
                "message": one.en if language is Language.EN else one.ru,
            }
            for one in limits
        ],
    }


def limits_of(seen: Snapshot) -> Iterator[Limit]:
    """In no order."""
    for lane in seen.lanes:
        yield from _printer(lane)
        yield from _fn(seen, lane)
    yield from _buffer(seen)
    if seen.power.on_battery and seen.obstacle is None:
        ru, en = (
            sentence("on_battery", Language.RU) or "",
            sentence("on_battery", Language.EN) or "",
        )
        yield Limit("power", None, None, ru, en)
    yield from _shifts(seen)
    unsent_s = seen.oldest_unsent_s or 0.0
    if unsent_s > UNSENT_WARN_S:
        yield Limit(
            "unsent",
            max(0.0, UNSENT_S - unsent_s),
            None,
            "Чеки давно не уходят в ОФД, на 30-й день ФН заблокируется: вызовите инженера.",
            "Receipts have not left for long, on day 30 the FN locks: call an engineer.",
        )


def _urgency(limit: Limit) -> float:
    if limit.seconds_left is not None:
        return limit.seconds_left
    return {"printer": -2.0, "power": -1.0}.get(limit.name, float("inf"))


def _printer(lane: LaneSeen) -> Iterator[Limit]:
    if lane.health.ready or lane.obstacle is not None:
        return
    remedy = lane.health.remedy or "engineer"
    ru, en = sentence(remedy, Language.RU) or "", sentence(remedy, Language.EN) or ""
    yield Limit("printer", None, lane.unprinted_left, ru, en)


def _fn(seen: Snapshot, lane: LaneSeen) -> Iterator[Limit]:
    ends_s, left = lane.fn_expires_s, lane.documents_left
    seconds = None if ends_s is None else max(0.0, ends_s - seen.now_s)
    soon = seconds is not None and seconds < FN_WARN_DAYS * DAY_S
    few = left is not None and left < FN_WARN_DOCUMENTS
    if (soon or few) and lane.obstacle is None:
        yield Limit(
            "fn",
            seconds if soon else None,
            left if few else None,
            "ФН скоро закончится: закажите новый и вызовите инженера для замены.",
            "The FN ends soon: order a new one and call an engineer to replace it.",
        )


def _buffer(seen: Snapshot) -> Iterator[Limit]:
    stuck = seen.network is NetworkMode.OFFLINE or seen.percent_full >= WARN_PERCENT
    if seen.obstacle is not None or not stuck:
        return
    left = max(0, seen.capacity - seen.reading.buffer.queued)
    yield Limit(
        "buffer",
        _fills_in_s(seen, left),
        left,
        "Чеки не уходят в ОФД и копятся в буфере: проверьте интернет.",
        "Receipts do not leave and fill the buffer: check the network.",
    )


def _fills_in_s(seen: Snapshot, left: int) -> float | None:
    """By the rate since the oldest receipt; None while there are too few to tell."""
    buffer = seen.reading.buffer
    if buffer.oldest_created_at_s is None or buffer.queued < FEW:
        return None
    age_s = seen.now_s - buffer.oldest_created_at_s
    return left * age_s / buffer.queued if age_s > 0 else None


def _shifts(seen: Snapshot) -> Iterator[Limit]:
    for pos_id, lane in seen.tills.items():
        age_s = seen.shift_age_s(pos_id)
        if age_s is not None and age_s > SHIFT_WARN_S and lane.obstacle is None:
            yield Limit(
                "shift",
                max(0.0, SHIFT_S - age_s),
                None,
                sentence("shift_old", Language.RU) or "",
                sentence("shift_old", Language.EN) or "",
            )
