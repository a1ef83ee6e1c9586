"""How one call is described: a row of calls.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from kktd.api.schemas import Body, Nothing


class Key(Enum):
    """What a call does with Idempotency-Key."""

    WANTED = auto()  # on the LAN; on the Unix socket it may be left out
    UNUSED = auto()


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter of the query string; `schema` is its JSON Schema."""

    name: str
    about: str
    schema: Mapping[str, Any]
    example: object


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    media_type: str


@dataclass(frozen=True, slots=True)
class Said:
    """`codes` are those of its own; those of every call, of bodies and keys are added."""

    about: str
    answers: Mapping[int, tuple[object, ...]]  # status to the forms of its body
    codes: tuple[str, ...] = ()
    body: type[Body] | None = None
    body_optional: bool = False
    key: Key = Key.UNUSED
    query: tuple[Query, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = field(default=())  # of the body


def bodiless(
    about: str,
    answers: Mapping[int, tuple[object, ...]],
    *codes: str,
    key: Key = Key.WANTED,
) -> Said:
    """A call that changes something and takes `{}` or no body."""
    return Said(about, answers, codes, Nothing, True, key, examples=({},))
