"""One request as a handler sees it, and the row that says who may make it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from kktd import log
from kktd.api.guesses import Guesses
from kktd.api.messages import Language
from kktd.api.pairing_code import Pairing
from kktd.api.stream import Hub
from kktd.api.till import Till
from kktd.events import Event
from kktd.receipts.answers import Answer
from kktd.store import journal
from kktd.store.tokens import Role

T = TypeVar("T")

WRITERS: Final = 16  # threads that wait for a commit; one group holds 64 writes
WHAT_MAX: Final = 200
READERS: Final = 4  # reads take well under a millisecond and never wait for the writer


class Listener(StrEnum):
    """Where a request came in; decides who the caller can be."""

    LAN = "lan"  # TLS, tokens
    METRICS = "metrics"  # plain HTTP, GET /metrics alone
    SOCKET = "socket"  # Unix socket, mode 0600: root


class Access(Enum):
    """Who may call a route that no role guards."""

    OPEN = "open"  # no token while `api.open_reading` is on
    PUBLIC = "public"  # no token ever: the same for everybody, nothing of this till
    SOCKET = "socket"  # on the Unix socket alone; elsewhere there is no such path
    CODE = "code"  # on the LAN alone, without a token: the pairing code is the proof


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.  `name` goes to the log."""

    name: str
    role: Role


ROOT: Final = Caller("root", Role.ADMIN)
NOBODY: Final = Caller("anyone", Role.CASHIER)  # no token was asked for


@dataclass(slots=True)
class Running:
    """A request under way whose key the desk does not keep (api/idempotency.py)."""

    digest: bytes
    done: asyncio.Event
    followed: bool = False


@dataclass(slots=True)
class Runtime:
    """Threads of the API, apart: a slow commit never holds up a read.

    `halt` is set when the server stops: callers who wait are told how their receipt stands.
    """

    writes: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(WRITERS, thread_name_prefix="api-write")
    )
    reads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READERS, thread_name_prefix="api-read")
    )
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    hub: Hub = field(default_factory=Hub)
    history: asyncio.Lock = field(default_factory=asyncio.Lock)  # one long look at a time
    running: dict[str, Running] = field(default_factory=dict)  # touched by the loop alone
    described: dict[tuple[Listener, bool], bytes] = field(default_factory=dict)  # api/describe.py
    guesses: Guesses = field(default_factory=Guesses)
    pairing: Pairing = field(default_factory=Pairing)

    def close(self) -> None:
        """Let the threads end; nothing new is started."""
        self.writes.shutdown(wait=False, cancel_futures=True)
        self.reads.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class Call:
    """One request with what its handler needs."""

    request: Request
    till: Till
    runtime: Runtime
    listener: Listener
    caller: Caller
    replayed: bool = False  # the answer was given before

    @property
    def language(self) -> Language:
        """Of what is written for a person."""
        language: Language = self.request.scope["kktd"][2]
        return language

    @property
    def by(self) -> dict[str, str]:
        """Who asks, for the journal."""
        return {"user": self.caller.name, "role": self.caller.role}

    async def note(self) -> None:
        """Keep who asks for what; on disk before the till acts."""
        clock, request = self.till.clock, self.request
        what = f"{request.method} {request.url.path}"[:WHAT_MAX]
        facts = {**self.by, "request": what}
        now_ms = int(clock.wall_s() * 1000)
        await self.write(
            lambda: self.till.store.write(
                lambda db: journal.append(db, Event.PERSON_ASKED, now_ms, **facts)
            )
        )
        log.event(Event.PERSON_ASKED, **facts)

    async def write(self, work: Callable[[], T]) -> T:
        """Run something that commits, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.runtime.writes, work)

    async def read(self, work: Callable[[], T]) -> T:
        """Run something that only reads, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.runtime.reads, work)


Handler = Callable[[Call], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the API: what, who may, and what answers."""

    method: str
    path: str
    access: Role | Access
    handler: Handler

    @property
    def methods(self) -> tuple[str, ...]:
        """HEAD asks as GET does, and gets no body."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)

    def is_on(self, listener: Listener) -> bool:
        """Elsewhere there is no such path."""
        match listener:
            case Listener.METRICS:
                return self.path == "/metrics"
            case Listener.SOCKET:
                return self.access is not Access.CODE
            case Listener.LAN:
                return self.access is not Access.SOCKET
