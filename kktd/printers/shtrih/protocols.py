"""Which low level a till speaks: a setting says it, or ENQ and sync find it out, never a command.

Source: [SHTRIH] 3: the first byte after power-on decides on a till that knows both, until power-on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from kktd.clock import Deadline
from kktd.printers.shtrih.exchange import ShtrihExchange
from kktd.printers.shtrih.exchange2 import ShtrihExchange2
from kktd.wire.exchange import Exchange, NotSent
from kktd.wire.port import Port, PortGone

AUTO: Final = "auto"
MEET_MS: Final = 3_000  # for one protocol: three ENQ, as every second may be silent, or six syncs
ROUNDS: Final = 2  # through both: a till may be starting


class Meeting(Exchange, Protocol):
    """An exchange that can tell whether the far end speaks its protocol."""

    def meet(self, by: Deadline) -> None:
        """Return once it does; sends no command.  Raises NotSent."""


EXCHANGES: Final[dict[str, Callable[[Port], Meeting]]] = {
    "1": ShtrihExchange,
    "2": ShtrihExchange2,
}


class Protocols:
    """Chooses for one till, and remembers what it spoke."""

    def __init__(self, setting: str) -> None:
        self._order = list(EXCHANGES) if setting == AUTO else [setting]
        self._certain = setting != AUTO

    def begin(self, port: Port, by: Deadline) -> Exchange:
        """A conversation on a port just opened; raises NotSent if neither protocol is answered."""
        if self._certain:
            return EXCHANGES[self._order[0]](port)
        for name in self._order * ROUNDS:
            exchange = EXCHANGES[name](port)
            try:
                exchange.meet(by.within_ms(min(MEET_MS, by.left_s() * 1000 / 2)))
            except NotSent as error:
                if isinstance(error.__cause__, PortGone) or by.passed():
                    raise
                continue
            self._order.sort(key=lambda one: one != name)
            self._certain = True
            return exchange
        raise NotSent("the printer answers neither ENQ nor sync")

    def doubt(self) -> None:
        """The till took nothing: look again, at what worked last first."""
        self._certain = len(self._order) == 1
