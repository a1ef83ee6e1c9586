"""Asks every half minute whether the ОФД is there, outside the breaker (§5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kktd.clock import Clock, Deadline
from kktd.network.mode import Network
from kktd.ofd.channel import DeliveryError, OfdChannel, Throttled

SLOWEST_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class ProbeRules:
    """A slow ОФД is still there (contract 2.6), so a probe waits as long as a receipt would."""

    interval_s: float = 30.0
    timeout_ms: int = 10_000


class Prober:
    """A pure step for a worker of its own, with a channel of its own: a channel has one caller."""

    def __init__(
        self, channel: OfdChannel, network: Network, clock: Clock, rules: ProbeRules
    ) -> None:
        self._channel = channel
        self._network = network
        self._clock = clock
        self.rules = rules
        self._refusals = 0  # 429 in a row

    def step(self, now_s: float) -> float:
        """One probe; the next is due an interval after this one began (monotonic s).

        After a 429 it is due later, as long as it was asked to wait or twice the interval before.
        """
        wait_s = 0.0
        try:
            self._channel.ping(Deadline.after_ms(self._clock, self.rules.timeout_ms))
        except Throttled as error:
            answered, wait_s = True, error.retry_after_s or 0.0
            self._refusals += 1
        except DeliveryError:
            answered = False
        else:
            answered, self._refusals = True, 0
        self._network.note_ofd(answered)
        slower_s = min(self.rules.interval_s * 2.0 ** min(self._refusals, 10), SLOWEST_S)
        return now_s + max(self.rules.interval_s, slower_s, wait_s)

    def close(self) -> None:
        """After the last step."""
        self._channel.close()
