"""Who is calling: root on the Unix socket, a bearer token elsewhere, nobody for open reading."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

from kktd.api.call import NOBODY, ROOT, Access, Call, Caller, Listener
from kktd.errors import Forbidden, Unauthorized
from kktd.store import tokens
from kktd.store.tokens import Role

TOKEN_BYTES: Final = 32
_BEARER: Final = re.compile(r"[Bb]earer +([\x21-\x7e]{16,256})", re.ASCII)


def new_token() -> tuple[str, bytes]:
    """A fresh token and what is stored of it."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, digest_of(token)


def digest_of(token: str) -> bytes:
    """SHA-256: a token is 256 random bits, so that no slow hash has to hide it."""
    return hashlib.sha256(token.encode()).digest()


def authorise(call: Call, access: Role | Access) -> Caller:
    """Raises Unauthorized, Forbidden, RateLimited."""
    if call.listener is Listener.SOCKET:
        return ROOT
    if access in (Access.CODE, Access.PUBLIC):
        return NOBODY
    if access is Access.OPEN and call.till.settings().api.open_reading:
        return NOBODY
    caller = _find(call)
    needed = Role.CASHIER if isinstance(access, Access) else access
    if not caller.role.covers(needed):
        raise Forbidden("the token's role may not do this", role=caller.role, needed=needed)
    return caller


def _find(call: Call) -> Caller:
    headers = call.request.headers.getlist("authorization")
    match = _BEARER.fullmatch(headers[0].strip()) if len(headers) == 1 else None
    if match is None:
        raise Unauthorized("a bearer token is needed")
    digest = digest_of(match[1])
    # On the loop itself: one row by its index, for which a thread and back would cost ten times.
    found = call.till.store.read(lambda db: tokens.find_valid(db, digest))
    if found is None or not hmac.compare_digest(found[1], digest):
        _note_guess(call)
        raise Unauthorized("nobody knows this token")
    return Caller(found[0].name, found[0].role)


def _note_guess(call: Call) -> None:
    """A right token always passes, whoever else guesses from its address: 256 bits need no lock."""
    now_s, address = call.till.clock.monotonic_s(), address_of(call)
    call.runtime.guesses.check(address, now_s)
    call.runtime.guesses.note(address, now_s, "token")


def address_of(call: Call) -> str:
    """The other end's IP address."""
    return call.request.client.host if call.request.client else "?"
