"""Idempotency-Key: what a repeated request is, and the replay of what the desk does not keep.

Receipts and operations store their key in the transaction that accepts them (receipts/
desk.py).  The rest is harmless to run twice; its answer is stored when it is known.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from kktd.api.call import Call, Listener, Running
from kktd.errors import InProgress, KeyMissing, KeyReused
from kktd.receipts.answers import Answer
from kktd.store import keys
from kktd.store.connection import Db

# Also as the structured-field string of the IETF draft, in quotes.
_UUID: Final = re.compile(r'"?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"?', re.ASCII)


def key_of(call: Call) -> str | None:
    """The key in lower case; None where it may be left out.  Raises KeyMissing."""
    given = call.request.headers.getlist("idempotency-key")
    if not given and call.listener is Listener.SOCKET:
        return None
    match = _UUID.fullmatch(given[0].strip().lower()) if len(given) == 1 else None
    if match is None:
        raise KeyMissing("a UUID is needed in Idempotency-Key")
    return match[1]


def digest_of(call: Call, body: bytes) -> bytes:
    """SHA-256 of method, path with query, and the body byte for byte.

    Other white space is another request: a client repeats what it sent, it does not write it anew.
    """
    url = call.request.url
    head = f"{call.request.method} {url.path}?{url.query}\n".encode()
    return hashlib.sha256(head + body).digest()


async def once(
    call: Call,
    body: bytes,
    act: Callable[[], Awaitable[Answer]],
    *,
    keep: Callable[[Answer], bool] = lambda answer: answer.final,
) -> Answer:
    """Run `act`, or replay what it answered under the same key; one follower waits, more are told.

    Raises KeyMissing, KeyReused, InProgress and what `act` raises, which leaves the key free.
    """
    key = key_of(call)
    if key is None:
        await call.note()
        return await act()
    digest = digest_of(call, body)
    running = call.runtime.running
    while (first := running.get(key)) is not None:
        if first.digest != digest:
            raise KeyReused("the key belongs to another request", key=key)
        if first.followed:
            raise InProgress("the first request with this key is still running", key=key)
        first.followed = True
        await first.done.wait()
    own = running[key] = Running(digest, asyncio.Event())
    try:
        store = call.till.store
        stored = await call.read(lambda: store.read(lambda db: keys.find(db, key, digest)))
        if stored is not None and stored.answer is not None:
            call.replayed = True
            return Answer.from_stored(stored.answer)
        await call.note()
        answer = await act()
        if keep(answer):
            now_s = int(call.till.clock.wall_s())
            await call.write(lambda: store.write(lambda db: _keep(db, key, digest, now_s, answer)))
        return answer
    finally:
        del running[key]
        own.done.set()


def _keep(db: Db, key: str, digest: bytes, now_s: int, answer: Answer) -> None:
    keys.claim(db, key, digest, now_s)
    keys.store_answer(db, key, answer.status, answer.as_stored())
