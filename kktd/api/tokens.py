"""Tokens: made, listed and revoked by root on the Unix socket.  A token is shown once, here."""

from __future__ import annotations

import uuid
from typing import Any

from kktd import log
from kktd.api.auth import new_token
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.receipts import parse_optional
from kktd.api.schemas import TokenBody, parse
from kktd.api.times import iso
from kktd.events import Event
from kktd.receipts.answers import Answer
from kktd.store import journal, tokens
from kktd.store.connection import Db
from kktd.store.tokens import Role, Token


async def create(call: Call) -> Answer:
    """POST /v1/tokens.  Not replayed: the token itself is nowhere on disk."""
    asked = parse(TokenBody, parse_json(await read_body(call.request)))
    return await make_token(call, asked.role, asked.name, user=call.caller.name)


async def make_token(call: Call, role: Role, name: str, **facts: str) -> Answer:
    """A new one, shown in this answer alone; `facts` go to the journal."""
    token_id, (token, digest) = str(uuid.uuid4()), new_token()
    now_s = int(call.till.clock.wall_s())
    known: dict[str, str] = {"token_id": token_id, "role": role, "name": name, **facts}

    def work(db: Db) -> None:
        tokens.create(db, token_id, role, name, digest, now_s)
        journal.append(db, Event.TOKEN_CREATED, now_s * 1000, **known)

    await call.write(lambda: call.till.store.write(work))
    log.event(Event.TOKEN_CREATED, **known)
    return Answer(201, {"id": token_id, "token": token, "role": role, "name": name})


async def show(call: Call) -> Answer:
    """GET /v1/tokens."""
    found = await call.read(lambda: call.till.store.read(tokens.find_all))
    return Answer(200, {"tokens": [_json(one) for one in found]})


async def revoke(call: Call) -> Answer:
    """POST /v1/tokens/{id}/revoke."""
    token_id = str(call.request.path_params["token_id"]).lower()
    parse_optional(await read_body(call.request))
    now_s, user = int(call.till.clock.wall_s()), call.caller.name

    def work(db: Db) -> Token:
        revoked = tokens.revoke(db, token_id, now_s)
        journal.append(
            db, Event.TOKEN_REVOKED, now_s * 1000, token_id=token_id, name=revoked.name, user=user
        )
        return revoked

    revoked = await call.write(lambda: call.till.store.write(work))
    log.event(Event.TOKEN_REVOKED, token_id=token_id, name=revoked.name, user=user)
    return Answer(200, _json(revoked))


def _json(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "role": token.role,
        "name": token.name,
        "created_at": iso(token.created_at_s),
        "revoked_at": iso(token.revoked_at_s),
    }
