"""The door of one listener: request id, origins, and the last net under every error.

Plain ASGI around the application: nothing here costs a thread or a task.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kktd import log
from kktd.api.call import Listener
from kktd.api.errors import error_response, plain_error
from kktd.api.messages import Language, language_of
from kktd.errors import Forbidden
from kktd.events import Event

CORS_HEADERS: Final = "authorization, content-type, idempotency-key, accept-language, traceparent"
CORS_EXPOSED: Final = "Idempotency-Replayed, Location, Retry-After, X-Request-Id"
TRACE_CHARS: Final = 2_000


class Gate:
    """Wraps the application for one listener."""

    def __init__(
        self, app: ASGIApp, listener: Listener, origins: Callable[[], tuple[str, ...]]
    ) -> None:
        self._app = app
        self._listener = listener
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        request_id = str(uuid.uuid4())
        language = language_of(headers.get("accept-language"))
        scope["kktd"] = (self._listener, request_id, language)
        origin = _foreign(headers.get("origin"), scope, headers)
        reply = _Reply(send, scope, request_id, origin)
        if origin is not None and origin not in self._origins():
            reply.origin = None
            error = Forbidden("this origin is not listed", origin=origin[:200])
            await error_response(error, request_id, language)(scope, receive, reply)
        elif origin is not None and scope["method"] == "OPTIONS":
            await _preflight(headers)(scope, receive, reply)
        else:
            await self._run(scope, receive, reply, language)

    async def _run(self, scope: Scope, receive: Receive, reply: _Reply, language: Language) -> None:
        try:
            await self._app(scope, receive, reply)
        except Exception as error:  # noqa: BLE001 - the request's top: logged, answered, never swallowed
            log.event(
                Event.REQUEST_FAILED,
                id=reply.request_id,
                method=scope["method"],
                path=scope["path"],
                code="INTERNAL",
                error=repr(error),
                trace="".join(traceback.format_exception(error))[-TRACE_CHARS:],
            )
            if not reply.started:
                response = plain_error(500, "INTERNAL", {}, reply.request_id, language)
                await response(scope, receive, reply)


def _foreign(origin: str | None, scope: Scope, headers: Headers) -> str | None:
    """The origin, unless it is the till's own page.

    TLS has shown to the browser that the name it asked for is ours, so that no other site can pass.
    """
    own = scope["scheme"] == "https" and origin == f"https://{headers.get('host')}"
    return None if own else origin


class _Reply:
    """`send` that adds what every response carries."""

    def __init__(self, send: Send, scope: Scope, request_id: str, origin: str | None) -> None:
        self._send = send
        self._scope = scope
        self.request_id = request_id
        self.origin = origin
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Content-Type-Options"] = "nosniff"
            if self._scope.get("kktd_close"):
                headers["Connection"] = "close"
            if self.origin is not None:
                headers["Access-Control-Allow-Origin"] = self.origin
                headers["Access-Control-Expose-Headers"] = CORS_EXPOSED
                headers["Vary"] = "Origin"
        await self._send(message)


def _preflight(headers: Headers) -> Response:
    """For a listed origin; a page on the internet asks apart whether it may call into the LAN."""
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": CORS_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    if headers.get("access-control-request-private-network") == "true":
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=allowed)
