"""The OpenAPI document of one listener, from ROUTES, the bodies' schemas and calls.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from kktd import errors
from kktd.api.app import ROUTES
from kktd.api.call import Access, Listener, Route
from kktd.api.errors import STATUS
from kktd.api.messages import Language, error_sentence
from kktd.api.openapi.answers import Problem
from kktd.api.openapi.calls import CALLS
from kktd.api.openapi.said import Key, Query, Said, Text
from kktd.api.page import PARTS
from kktd.api.values import MAX_FD
from kktd.errors import KktdError
from kktd.power.table import UpsEvent
from kktd.store.tokens import Role

VERSION: Final = "3.1.0"
JSON: Final = "application/json"
_UUID: Final = {"type": "string", "format": "uuid"}
_POS: Final = {"type": "string", "minLength": 1, "maxLength": 64}
_BYTE: Final = {"type": "integer", "minimum": 1, "maximum": 0xFF}
_IN_PATH: Final[Mapping[str, Mapping[str, Any]]] = {  # what is no UUID
    "pos_id": _POS,
    "event": {"type": "string", "enum": [str(one) for one in UpsEvent]},
    "fd": {"type": "integer", "minimum": 1, "maximum": MAX_FD},
    "table": _BYTE,
    "row": {"type": "integer", "minimum": 1, "maximum": 0xFFFF},
    "field": _BYTE,
    "kind": {"type": "string", "enum": ["money", "operation"]},
    "number": {"type": "integer", "minimum": 0, "maximum": 0xFFFF},
    "file": {"type": "string", "enum": list(PARTS)},
}
_SCHEMAS: Final = "#/components/schemas/{model}"
_EXAMPLE_ID: Final = "90ee9216-2510-4fb6-b993-81544982bb4b"

# Codes that answers carry and no error class has.
_ANSWERED: Final = {"SHIFT_OPEN": 409, "CASH_UNCLEAR": 409}
_EVERYWHERE: Final = (
    "FORBIDDEN",
    "DISK_FULL",
    "SHUTTING_DOWN",
    "INTERNAL",
)  # 403 also for an origin not listed
_WITH_TOKEN: Final = ("UNAUTHORIZED", "RATE_LIMITED")
_WITH_BODY: Final = ("MALFORMED", "TOO_LARGE", "INVALID")
_WITH_KEY: Final = ("KEY_MISSING", "KEY_REUSED", "IN_PROGRESS")


def document(listener: Listener, version: str, *, open_reading: bool) -> dict[str, Any]:
    """The whole document; `open_reading` as in the settings."""
    rows = [route for route in ROUTES if route.is_on(listener)]
    schemas = _Schemas(rows)
    paths: dict[str, dict[str, Any]] = {}
    for route in rows:
        made = _operation(route, listener, schemas, open_reading=open_reading)
        paths.setdefault(route.path, {})[route.method.lower()] = made
    used = {code for route in rows for code in codes_of(route, open_reading=open_reading)}
    components: dict[str, Any] = {
        "schemas": schemas.components,
        "headers": _HEADERS,
        "examples": {code: {"value": _example(code)} for code in sorted(used)},
    }
    if listener is Listener.LAN:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": VERSION,
        "info": {"title": "kktd", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": components,
    }


_ABOUT: Final = (
    "The till's API; docs/api.md explains it.  Money is rubles with at most two decimals, as text"
    " or number; every error has one body; GET answers HEAD too."
)


def codes_of(route: Route, *, open_reading: bool = True) -> set[str]:
    """Every error code that this route can answer with."""
    row = CALLS[route.handler]
    codes = {*_EVERYWHERE, *row.codes}
    if _wants_token(route, open_reading=open_reading):
        codes |= {*_WITH_TOKEN}
    if row.body is not None:
        codes |= {*_WITH_BODY}
    if row.query:
        codes |= {"INVALID"}
    if row.key is Key.WANTED:
        codes |= {*_WITH_KEY}
    return codes


def _wants_token(route: Route, *, open_reading: bool) -> bool:
    return isinstance(route.access, Role) or (route.access is Access.OPEN and not open_reading)


def status_of_code(code: str) -> int:
    """As api/errors.py answers it."""
    if code in _ANSWERED:
        return _ANSWERED[code]
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]
    kind = next(one for one in kinds if issubclass(one, KktdError) and one.code == code)
    return next(STATUS[one] for one in kind.__mro__ if one in STATUS)


class _Plain(GenerateJsonSchema):
    """Without titles and without defaults in the form Python keeps them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


class _Schemas:
    """Every body and answer of these routes, each once."""

    def __init__(self, rows: Iterable[Route]) -> None:
        kinds: dict[object, None] = {Problem: None}
        for route in rows:
            row = CALLS[route.handler]
            if row.body is not None:
                kinds[row.body] = None
            for forms in row.answers.values():
                kinds |= {one: None for one in forms if not isinstance(one, Text)}
        found, rest = TypeAdapter.json_schemas(
            [(place, "validation", _adapter(kind)) for place, kind in enumerate(kinds)],
            schema_generator=_Plain,
            ref_template=_SCHEMAS,
        )
        self.components: dict[str, Any] = rest.get("$defs", {})
        self._by_kind = {kind: found[place, "validation"] for place, kind in enumerate(kinds)}

    def of(self, kind: object) -> dict[str, Any]:
        return dict(self._by_kind[kind])


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _operation(
    route: Route, listener: Listener, schemas: _Schemas, *, open_reading: bool
) -> dict[str, Any]:
    row = CALLS[route.handler]
    named = f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}"
    made: dict[str, Any] = {
        "operationId": named,
        "summary": row.about,
        "responses": _responses(route, row, schemas, open_reading=open_reading),
    }
    parameters = [*_path_parameters(route.path), *map(_query_parameter, row.query)]
    if row.key is Key.WANTED:
        parameters.append(_key_parameter(required=listener is Listener.LAN))
    if parameters:
        made["parameters"] = parameters
    if row.body is not None:
        examples = {str(place): {"value": one} for place, one in enumerate(row.examples, 1)}
        content = {"schema": schemas.of(row.body), "examples": examples}
        made["requestBody"] = {"required": not row.body_optional, "content": {JSON: content}}
    if listener is Listener.LAN and _wants_token(route, open_reading=open_reading):
        role = route.access if isinstance(route.access, Role) else Role.CASHIER
        made["security"] = [{"token": []}]
        made["description"] = f"Role: {role}."
        made["x-role"] = role.value
    return made


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _IN_PATH.get(name, _UUID),
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameter(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "description": query.about,
        "schema": dict(query.schema),
        "example": query.example,
    }


def _key_parameter(*, required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "A fresh UUID for each new request, the same for its repeats.",
        "schema": _UUID,
    }


def _responses(route: Route, row: Said, schemas: _Schemas, *, open_reading: bool) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for code in sorted(codes_of(route, open_reading=open_reading)):
        codes.setdefault(status_of_code(code), []).append(code)
    return {
        str(status): _response(status, row.answers.get(status, ()), codes.get(status, []), schemas)
        for status in sorted({*row.answers, *codes})
    }


def _response(
    status: int, forms: tuple[object, ...], codes: list[str], schemas: _Schemas
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    bodies = [schemas.of(one) for one in forms if not isinstance(one, Text)]
    if codes:
        bodies.append(_problem(schemas, codes))
    if bodies:
        content[JSON] = {"schema": bodies[0] if len(bodies) == 1 else {"anyOf": bodies}}
    if codes:
        content[JSON]["examples"] = {
            code: {"$ref": f"#/components/examples/{code}"} for code in codes
        }
    content |= {
        one.media_type: {"schema": {"type": "string"}} for one in forms if isinstance(one, Text)
    }
    return {
        "description": ", ".join(codes) if codes and not forms else _DONE.get(status, "As asked."),
        "headers": _headers(status),
        "content": content,
    }


_DONE: Final = {
    202: "Stored or started; not finished yet.",
    304: "As it was.",
    409: "Not now.",
    503: "It cannot sell.",
}


def _problem(schemas: _Schemas, codes: list[str]) -> dict[str, Any]:
    return {"allOf": [schemas.of(Problem), {"properties": {"code": {"enum": codes}}}]}


def _example(code: str) -> Mapping[str, Any]:
    message = error_sentence(code, None, {}, Language.RU)
    return {"code": code, "message": message, "details": {}, "id": _EXAMPLE_ID}


_HEADERS: Final = {
    "RequestId": {"required": True, "schema": _UUID},
    "RetryAfter": {"required": True, "schema": {"type": "integer", "minimum": 1}},
    "MayRetryAfter": {"schema": {"type": "integer", "minimum": 1}},
    "Bearer": {"required": True, "schema": {"const": "Bearer"}},
    "Replayed": {"schema": {"const": "true"}},
}


def _headers(status: int) -> dict[str, Any]:
    made = {"X-Request-Id": "RequestId"}
    if status in (429, 503):
        made["Retry-After"] = "RetryAfter"
    elif status in (202, 409):
        made["Retry-After"] = "MayRetryAfter"
    if status == 401:
        made["WWW-Authenticate"] = "Bearer"
    else:
        made["Idempotency-Replayed"] = "Replayed"
    return {name: {"$ref": f"#/components/headers/{what}"} for name, what in made.items()}
