"""A request's body, once: counted and timed while it arrives, then strict JSON without a float.

Torn JSON, NaN, duplicate keys, deep nests and text that is no UTF-8 are MALFORMED here, before any
schema looks at them.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from starlette.requests import ClientDisconnect, Request

from kktd.errors import Malformed, TooLarge
from kktd.model.receipt import MAX_LINES

BODY_BYTES_MAX: Final = 1 << 20
DRAIN_BYTES_MAX: Final = 16 << 20  # read and thrown away, so that the caller hears why
BODY_S: Final = 10.0
DEPTH_MAX: Final = 8
FIELDS_MAX: Final = 64  # members of one object; no call has half as many
NUMBER_CHARS_MAX: Final = 26  # below the 28 digits of decimal arithmetic: nothing is rounded


async def read_body(request: Request) -> bytes:
    """The whole body; raises TooLarge over 1 MiB, Malformed if it is late or cut off."""
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isascii() and declared.isdigit() else 0
    if length > DRAIN_BYTES_MAX or (length > BODY_BYTES_MAX and "expect" in request.headers):
        _close_after(request)
        raise TooLarge("too long", limit_bytes=BODY_BYTES_MAX)
    body = bytearray()
    received = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                received += len(chunk)
                if received <= BODY_BYTES_MAX:
                    body += chunk
                elif received > DRAIN_BYTES_MAX:
                    break
    except TimeoutError as error:
        _close_after(request)
        raise Malformed("the body did not arrive in time", seconds=BODY_S) from error
    except ClientDisconnect as error:
        raise Malformed("the body was cut off") from error
    if received > BODY_BYTES_MAX:
        _close_after(request)
        raise TooLarge("too long", limit_bytes=BODY_BYTES_MAX)
    return bytes(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """One JSON object, numbers exactly as written (int, Decimal).  Raises Malformed, TooLarge."""
    try:
        found = json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise Malformed("not JSON", position=error.pos, problem=error.msg) from error
    except RecursionError as error:
        raise Malformed("nested too deep", limit=DEPTH_MAX) from error
    if not isinstance(found, dict):
        raise Malformed("not an object")
    _check(found, DEPTH_MAX)
    return found


def _check(value: object, levels: int) -> None:
    """Depth, list lengths and text that can be stored, over the whole value."""
    if levels == 0:
        raise Malformed("nested too deep", limit=DEPTH_MAX)
    match value:
        case str():
            _check_text(value)
        case list():
            if len(value) > MAX_LINES:
                raise TooLarge("too long", limit=MAX_LINES)
            for one in value:
                _check(one, levels - 1)
        case dict():
            for key, one in value.items():
                _check_text(key)
                _check(one, levels - 1)


def _check_text(text: str) -> None:
    """An escape such as \\ud800 is half a letter: neither disk nor answer can hold it."""
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Malformed("half a surrogate pair") from error


def _decimal(text: str) -> Decimal:
    if len(text) > NUMBER_CHARS_MAX:
        raise Malformed("a number is too long", limit=NUMBER_CHARS_MAX)
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > NUMBER_CHARS_MAX:
        raise Malformed("a number is too long", limit=NUMBER_CHARS_MAX)
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed("not JSON", problem=name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > FIELDS_MAX:
        raise Malformed("too many fields in one object", limit=FIELDS_MAX)
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed("a key stands twice", field=twice[:64])
    return found


def _close_after(request: Request) -> None:
    """The rest of the body is not read: this connection cannot carry another request."""
    request.scope["kktd_close"] = True  # api/gate.py
