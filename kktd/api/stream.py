"""Server-sent events: what changes at the till, to at most `READERS_MAX` readers at once.

The log's events come from any thread; the hub passes them to the loop while somebody reads, and
costs nothing while nobody does.  Each reader has a bounded queue; who does not keep up is cut off.
No token, no personal data: ids, states and numbers alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kktd import log
from kktd.errors import KktdError, RateLimited
from kktd.events import Event
from kktd.model.states import Delivery, FiscalState

READERS_MAX: Final = 16
QUEUE_MAX: Final = 256  # messages of about 100 bytes
HEARTBEAT_S: Final = 15.0
SEND_S: Final = 10.0  # for one message to leave
LAST_WORD_S: Final = 0.2  # for the end of a stream to leave
SETTLE_S: Final = 0.2  # several changes at once are one look at the till

RECEIPT_STATES: Final[Mapping[Event, str]] = {
    Event.RECEIPT_CREATE: FiscalState.ACCEPTED,
    Event.KKT_PRINT_START: FiscalState.PRINTING,
    Event.KKT_PRINT_SUCCESS: FiscalState.REGISTERED,
    Event.KKT_PAPER_FINISHED: FiscalState.PRINTED,
    Event.KKT_PRINT_REFUSED: FiscalState.REFUSED,
    Event.KKT_IN_DOUBT: FiscalState.IN_DOUBT,
    Event.RECEIPT_CANCELLED: FiscalState.CANCELLED,
    Event.RECEIPT_HELD: "held",
    Event.RECEIPT_SYNCED: Delivery.SYNCED,
    Event.RECEIPT_FAILED: Delivery.FAILED,
}

Look = Callable[[], Mapping[str, Any]]
"""The till's parts by name, as JSON values.  Called off the loop."""


@dataclass(eq=False, slots=True)
class Reader:
    """One stream.  `dropped` is set when its queue overflowed."""

    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    dropped: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, message: bytes) -> None:
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped.set()


class Hub:
    """Belongs to one loop; `observe` alone is called from other threads."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._seen: dict[str, Any] = {}

    @property
    def readers(self) -> int:
        return len(self._readers)

    async def join(self, look: Callable[[], Any]) -> Reader:
        """A new reader, who gets every part as it is first.  Raises RateLimited.

        `look` is awaited: see Look.
        """
        if len(self._readers) >= READERS_MAX:
            raise RateLimited("as many readers as there may be", limit=READERS_MAX)
        reader = Reader()
        self._readers.add(reader)
        if self._watch is None:
            self._loop = asyncio.get_running_loop()
            log.add_observer(self.observe)
            self._seen = {}
            self._watch = asyncio.create_task(self._look_after(look))
        for name, value in self._seen.items():
            reader.offer(message_of(name, value))
        return reader

    def leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if not self._readers and self._watch is not None:
            log.remove_observer(self.observe)
            self._watch.cancel()
            self._watch = None

    def observe(self, event: Event, facts: Mapping[str, object]) -> None:
        """From any thread; never raises."""
        loop, state, receipt_id = self._loop, RECEIPT_STATES.get(event), facts.get("receipt_id")
        message = None
        if event is Event.KKT_DOUBT_SETTLED:
            state = FiscalState.REGISTERED if facts.get("fd") else FiscalState.ACCEPTED
        if state is not None and isinstance(receipt_id, str):
            message = message_of("receipt", {"receipt_id": receipt_id, "state": state})
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if loop is not None:
                loop.call_soon_threadsafe(self._publish, message)

    def _publish(self, message: bytes | None) -> None:
        if self._settling is None and self._loop is not None:
            self._settling = self._loop.call_later(SETTLE_S, self._settle)
        if message is not None:
            self._spread(message)

    def _settle(self) -> None:
        self._settling = None
        self._changed.set()

    async def _look_after(self, look: Callable[[], Any]) -> None:
        """While there are readers: look at the till when something happened, say what changed."""
        while True:
            self._changed.clear()
            with contextlib.suppress(KktdError):  # a database that fails is seen by health
                for name, value in (await look()).items():
                    if self._seen.get(name, self) != value:
                        self._seen[name] = value
                        self._spread(message_of(name, value))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._changed.wait()

    def _spread(self, message: bytes) -> None:
        """To each reader; one who is dropped costs nothing from then on."""
        for reader in tuple(self._readers):
            reader.offer(message)
            if reader.dropped.is_set():
                self._readers.discard(reader)


def message_of(name: str, value: object) -> bytes:
    """Which of several it is stands in the data: a browser subscribes to names it knows."""
    name = name.partition(":")[0]
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode()


class Stream(Response):
    """The answer that goes on until its reader leaves, is dropped, or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, reader: Reader, halt: asyncio.Event) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        self._hub = hub
        self._reader = reader
        self._halt = halt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pump = asyncio.create_task(self._pump(send))
        ends = [
            asyncio.create_task(one)
            for one in (_gone(receive), self._reader.dropped.wait(), self._halt.wait())
        ]
        everything: set[asyncio.Task[Any]] = {pump, *ends}
        try:
            await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._reader)
            for task in everything:
                task.cancel()
            await asyncio.gather(*everything, return_exceptions=True)
        # Nobody waits for a reader who does not read: neither for his last bytes nor for his TLS.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        abort: Callable[[], None] | None = scope.get("state", {}).get("abort")
        if abort is not None:
            abort()

    async def _pump(self, send: Send) -> None:
        # asyncio.wait_for would not do: until Python 3.12 it can swallow a cancellation.
        start = {"type": "http.response.start", "status": 200, "headers": self._endless()}
        await send(start)
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    chunk = await self._reader.queue.get()
            except TimeoutError:
                chunk = b": still here\n\n"
            body = {"type": "http.response.body", "body": chunk, "more_body": True}
            async with asyncio.timeout(SEND_S):
                await send(body)

    def _endless(self) -> list[tuple[bytes, bytes]]:
        """Starlette's, without the length of an empty body."""
        return [one for one in self.raw_headers if one[0] != b"content-length"]


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
