"""The sync lock that daemons with one `pos_id` share through a Redis (contract 2.12, §5.6).

Key `sync:<pos_id>`, value `<owner> <lock_id> <held_by>`, a TTL that is renewed.  When Redis
does not answer in time, the lease alone holds and it is left in peace for a while.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kktd import log
from kktd.clock import Clock
from kktd.errors import LeaseHeld
from kktd.events import Event
from kktd.ofd.within import within
from kktd.store.leases import Lease

AWAY_S: Final = 30.0  # between two tries of a Redis that is away
NEWS_MAX: Final = 200

# One step each: between a GET and a SET of two round trips another could come.
HOLD: Final = """
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return false
"""
RELEASE: Final = """
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return false
"""

# A password that cannot be read is Redis away, too.
_FAILURES: Final = (redis.RedisError, OSError, ValueError)


class RedisLock:
    """Implements SharedLock.  The owner is the process: its lease keeps its own syncs apart.

    A daemon that was killed leaves its key behind; the next one waits for the TTL at most.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        timeout_ms: int,
        password: Callable[[], str | None] = lambda: None,
        ca_file: str | None = None,
    ) -> None:
        """Connects to nobody yet; `password` is read for each connection and may raise OSError."""
        self._url = url
        self._clock = clock
        self._timeout_s = timeout_ms / 1000
        self._password = password
        self._ca_file = ca_file
        self._owner = f"{socket.gethostname()}/{uuid.uuid4()} "
        self._lock = threading.Lock()
        self._client: redis.Redis | None = None
        self._away_until_s: float | None = None

    def hold(self, lease: Lease, ttl_ms: int) -> None:
        held = self._ask(HOLD, lease, f"{lease.lock_id} {lease.held_by}", ttl_ms)
        if held is not None:
            # Another program may have written the key: then it has no parts.
            _, lock_id, held_by = (*str(held).split(" "), lease.name, "another")[:3]
            raise LeaseHeld("another daemon holds the lock", lock_id=lock_id, held_by=held_by)

    def release(self, lease: Lease) -> None:
        self._ask(RELEASE, lease)

    def _ask(self, script: str, lease: Lease, *facts: str | int) -> object:
        """What the script answers; None too while Redis is away."""
        until_s = self._away_until_s
        if until_s is not None and self._clock.monotonic_s() < until_s:
            return None
        try:
            found: object = within(
                self._timeout_s,
                lambda: self._connected().eval(script, 1, lease.name, self._owner, *facts),
            )
        except _FAILURES as error:
            self._note_away(error)
            return None
        self._note_back()
        return found

    def _connected(self) -> redis.Redis:
        """One pool for all; its connections are made when they are needed."""
        with self._lock:
            if self._client is None:
                tls = {"ssl_ca_certs": self._ca_file} if self._ca_file else {}
                self._client = redis.Redis.from_url(
                    self._url,
                    password=self._password(),
                    socket_timeout=self._timeout_s,
                    socket_connect_timeout=self._timeout_s,
                    retry=Retry(NoBackoff(), 0),
                    protocol=2,  # the scripts need no more, and an old server knows it
                    decode_responses=True,
                    **tls,
                )
            return self._client

    def _note_away(self, error: Exception) -> None:
        """Logged once an outage."""
        with self._lock:
            first = self._away_until_s is None
            self._away_until_s = self._clock.monotonic_s() + AWAY_S
            # A new one next time: the password may be another.
            self._client = None
        if first:
            reason = f"{type(error).__name__}: {error}"[:NEWS_MAX]
            log.event(Event.REDIS_LOST, reason=reason, lock="lease alone")

    def _note_back(self) -> None:
        with self._lock:
            was_away, self._away_until_s = self._away_until_s is not None, None
        if was_away:
            log.event(Event.REDIS_RESTORED)
