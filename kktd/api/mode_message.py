"""The network mode in one line for the cashier: how long, and what waits."""

from __future__ import annotations

from typing import Final

from kktd.api.messages import Language
from kktd.model.states import NetworkMode

_RUSSIAN: Final = {
    NetworkMode.ONLINE: "Онлайн, в буфере {count}",
    NetworkMode.DEGRADED: "Нет связи с Odoo {time}, чеки уходят в ОФД, в буфере {count}",
    NetworkMode.OFFLINE: "Офлайн {time}, в буфере {count}",
}
_ENGLISH: Final = {
    NetworkMode.ONLINE: "Online, {count} in the buffer",
    NetworkMode.DEGRADED: "No Odoo for {time}, receipts go to the ОФД, {count} in the buffer",
    NetworkMode.OFFLINE: "Offline for {time}, {count} in the buffer",
}


def mode_sentence(mode: NetworkMode, for_s: float, queued: int, language: Language) -> str:
    """«Офлайн 4ч 00мин, в буфере 30 чеков»; `for_s` is how long the mode lasts."""
    hours, minutes = divmod(int(for_s) // 60, 60)
    if language is Language.EN:
        count = f"{queued} receipt{'' if queued == 1 else 's'}"
        return _ENGLISH[mode].format(time=f"{hours}h {minutes:02}min", count=count)
    count = f"{queued} {_plural(queued)}"
    return _RUSSIAN[mode].format(time=f"{hours}ч {minutes:02}мин", count=count)


def _plural(count: int) -> str:
    """1 чек, 2 чека, 5 чеков, 11 чеков, 21 чек."""
    if count % 10 == 1 and count % 100 != 11:
        return "чек"
    if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14):
        return "чека"
    return "чеков"
