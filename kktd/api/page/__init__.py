"""The status page: a few files as they are, the same for everybody.

It holds nothing of this till: what it shows it asks for as any other caller does.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from starlette.responses import Response

from kktd.api.call import Call
from kktd.errors import NotFound

# Nothing from anywhere else, no inline script, no markup from text, no frame around it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked again each time, sent only when another release has it
}
PARTS: Final = {
    "page.css": "text/css",
    "texts.js": "text/javascript",  # every word in both languages
    "page.js": "text/javascript",  # shows
    "actions.js": "text/javascript",  # acts, once somebody signed in
}


async def show(call: Call) -> Response:
    """GET /."""
    return _answer(call, "page.html", "text/html")


async def part(call: Call) -> Response:
    """GET /page/{file}: what page.html names.  Raises NotFound."""
    name = call.request.path_params["file"]
    if name not in PARTS:
        raise NotFound("no such file of the page")
    return _answer(call, name, PARTS[name])


@cache
def content_of(name: str) -> tuple[bytes, str]:
    """A file of the page and its strong ETag; read once, the root is read-only."""
    content = (resources.files(__name__) / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _answer(call: Call, name: str, media_type: str) -> Response:
    content, etag = content_of(name)
    headers = {**HEADERS, "ETag": etag}
    known = call.request.headers.get("if-none-match", "")
    if etag in (one.strip() for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=f"{media_type}; charset=utf-8")
