"""Whether another daemon may be sending for the same till: what delivery asks besides its lease.

The lease in the till's own database always holds (contract 2.12); this goes further than one file.
"""

from __future__ import annotations

from typing import Protocol

from kktd.store.leases import Lease


class SharedLock(Protocol):
    """Held from the start of a sync to its end.  Any thread."""

    def hold(self, lease: Lease, ttl_ms: int) -> None:
        """Take it, or keep it for another `ttl_ms`; raises LeaseHeld while another daemon has it.

        Returns as well when nobody can be asked: the lease alone holds then.
        """

    def release(self, lease: Lease) -> None:
        """Let go of it, if it is ours."""


class LeaseAlone:
    """No other daemon can know of this till."""

    def hold(self, lease: Lease, ttl_ms: int) -> None:
        return

    def release(self, lease: Lease) -> None:
        return
