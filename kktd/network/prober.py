"""Asks every half minute whether the ОФД is there, outside the breaker (§5.2)."""

from __future__ import annotations

from dataclasses import dataclass

from kktd.clock import Clock, Deadline
from kktd.network.mode import Network
from kktd.ofd.channel import DeliveryError, OfdChannel, Throttled


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

    def step(self, now_s: float) -> float:
        """One probe; the next is due an interval after this one began (monotonic s)."""
        try:
            self._channel.ping(Deadline.after_ms(self._clock, self.rules.timeout_ms))
        except Throttled:
            answered = True
        except DeliveryError:
            answered = False
        else:
            answered = True
        self._network.note_ofd(answered)
        return now_s + self.rules.interval_s

    def close(self) -> None:
        """After the last step."""
        self._channel.close()
