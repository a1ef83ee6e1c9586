"""The till's versions in health: what is on its way, which one was rejected and why."""

from __future__ import annotations

from typing import Any, Final

from kktd.api.messages import Language
from kktd.api.times import iso
from kktd.update.reasons import FAILURES
from kktd.update.state import UpdateState

REJECTED: Final = (
    "Версия {} отклонена: {}. Касса работает на прежней; нужна следующая версия.",
    "Version {} was rejected: {}. The till runs the one before; the next version is needed.",
)


def updates_json(state: UpdateState, language: Language) -> dict[str, Any]:
    """Degraded while a rejected version waits for its successor."""
    rejected, progress, pending = state.rejected, state.progress, state.pending
    return {
        "status": "degraded" if rejected else "healthy",
        "installing": None
        if progress is None
        else {"version": progress.version, "percent": progress.percent},
        "pending": pending.version if pending else None,
        "rejected": None
        if rejected is None
        else {
            "version": rejected.version,
            "reason": rejected.reason,
            "detail": rejected.detail,
            "at": iso(rejected.at_s),
        },
        "message": _message(state, language),
    }


def _message(state: UpdateState, language: Language) -> str | None:
    if state.rejected is None:
        return None
    place = 0 if language is Language.RU else 1
    why = FAILURES.get(state.rejected.reason, (state.rejected.reason,) * 2)
    return REJECTED[place].format(state.rejected.version, why[place])
