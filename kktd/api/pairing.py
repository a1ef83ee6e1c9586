"""Pairing: root makes a short code at the till, a front end gives it for its token, once."""

from __future__ import annotations

import re

from kktd import log
from kktd.api import tls
from kktd.api.auth import address_of
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.pairing_code import LIFE_S
from kktd.api.schemas import CodeBody, TokenBody, parse
from kktd.api.times import iso
from kktd.api.tokens import make_token
from kktd.errors import Forbidden
from kktd.events import Event
from kktd.receipts.answers import Answer
from kktd.store import journal


async def offer(call: Call) -> Answer:
    """POST /v1/pair on the Unix socket.  Not replayed: a repeat makes another code."""
    asked = parse(TokenBody, parse_json(await read_body(call.request)))
    clock, store = call.till.clock, call.till.store
    now_ms = int(clock.wall_s() * 1000)
    facts = {"role": asked.role, "name": asked.name, "user": call.caller.name}
    await call.write(
        lambda: store.write(lambda db: journal.append(db, Event.PAIRING_OFFERED, now_ms, **facts))
    )
    made = call.runtime.pairing.open(asked.role, asked.name, clock.monotonic_s())
    log.event(Event.PAIRING_OFFERED, **facts)
    files = tls.Files(call.till.settings().till.state_dir / "tls")
    return Answer(
        201,
        {
            "code": made.code,
            "role": made.role,
            "name": made.name,
            "expires_at": iso(clock.wall_s() + LIFE_S),
            "expires_in_seconds": LIFE_S,
            "ca_sha256": await call.read(lambda: tls.fingerprint(files)),
        },
    )


async def redeem(call: Call) -> Answer:
    """POST /v1/pair on the LAN: the code for a token.  Not replayed: a code is good for one."""
    asked = parse(CodeBody, parse_json(await read_body(call.request)))
    now_s, address = call.till.clock.monotonic_s(), address_of(call)
    call.runtime.guesses.check(address, now_s)
    try:
        taken = call.runtime.pairing.take(re.sub(r"[ -]", "", asked.code), now_s)
    except Forbidden:
        call.runtime.guesses.note(address, now_s, "pairing code")
        raise
    try:
        return await make_token(call, taken.role, taken.name, user="pairing", address=address)
    except BaseException:
        call.runtime.pairing.give_back(taken)
        raise
