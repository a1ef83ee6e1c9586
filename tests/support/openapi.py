"""Holds every answer of a test's till to its own OpenAPI document: status, headers, body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.message import Message
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import jsonschema_rs

from kktd.api.call import Listener

NOT_DESCRIBED: Final = {405}  # a method that no row has


def check_answer(
    document: Document,
    method: str,
    target: str,
    status: int,
    headers: Message,
    raw: bytes,
) -> None:
    """Raises AssertionError with what is not as described."""
    path = urlsplit(target).path
    said = document.find(method, path)
    if said is None or status in NOT_DESCRIBED:
        return
    where = f"{method} {path} {status}"
    assert str(status) in said["responses"], f"{where}: not described: {raw[:500]!r}"
    response = said["responses"][str(status)]
    for name, reference in response["headers"].items():
        header = document.resolve(reference["$ref"])
        assert not header.get("required") or name in headers, f"{where}: no {name}"
    media_type = headers.get("Content-Type", "").partition(";")[0]
    assert media_type in (response["content"] or {""}), f"{where}: {media_type}"
    if media_type == "application/json" and method != "HEAD":
        schema = response["content"][media_type]["schema"]
        problems = document.problems(json.dumps(schema), raw)
        assert not problems, f"{where}: {problems}: {raw[:500]!r}"


class Document:
    """One document as a test reads it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), row)
            for path, row in data["paths"].items()
        ]
        self.problems = cache(self._problems)

    def find(self, method: str, path: str) -> dict[str, Any] | None:
        """What is said of this call; None if the document does not know it."""
        wanted = "get" if method == "HEAD" else method.lower()
        for form, row in self._paths:
            if form.fullmatch(path) and wanted in row:
                found: dict[str, Any] = row[wanted]
                return found
        return None

    def resolve(self, reference: str) -> dict[str, Any]:
        found: Any = self.data
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return dict(found)

    def _problems(self, schema: str, raw: bytes) -> list[str]:
        validator = self._validator(schema)
        return [str(one) for one in validator.iter_errors(json.loads(raw))]

    @cache  # noqa: B019 - lives as long as the tests
    def _validator(self, schema: str) -> jsonschema_rs.Draft202012Validator:
        whole = {**json.loads(schema), "components": self.data["components"]}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


@cache
def described(listener: Listener, *, open_reading: bool) -> Document:
    """As this listener's till says it of itself."""
    from kktd.api.openapi.document import document

    return Document(document(listener, "0", open_reading=open_reading))
