"""An error's class to its HTTP status, and the one form of every error body."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.responses import Response

from kktd import errors
from kktd.api.messages import Language, error_sentence, sentence
from kktd.errors import KktdError
from kktd.receipts.answers import Answer

# The nearest class of the error's own line of descent counts.
STATUS: Final[dict[type[KktdError], int]] = {
    KktdError: 500,
    errors.Malformed: 400,
    errors.KeyMissing: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.UnknownPos: 404,
    errors.InProgress: 409,
    errors.LeaseHeld: 409,
    errors.TooLate: 409,
    errors.ShiftClosed: 409,
    errors.ShiftExpired: 409,
    errors.DoubtOpen: 409,
    errors.NotEnoughCash: 409,
    errors.FnChanged: 409,
    errors.UnsentLeft: 409,
    errors.RefundNotSynced: 409,
    errors.UnsyncBuffers: 409,
    errors.NoBackup: 409,
    errors.NoOdoo: 409,
    errors.StaleState: 409,
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.KeyReused: 422,
    errors.Refused: 422,
    errors.DocumentTooLong: 422,
    errors.RateLimited: 429,
    errors.NotNow: 503,
    errors.Unreachable: 503,
    errors.NotReady: 503,
    errors.StoreUnavailable: 503,
}

# Seconds a caller should wait where it makes sense to try the same again.
RETRY_AFTER_S: Final[dict[type[KktdError], int]] = {
    errors.InProgress: 2,
    errors.LeaseHeld: 10,
    errors.RateLimited: 5,
    errors.NotNow: 10,
    errors.BufferFull: 60,
    errors.ShuttingDown: 5,
    errors.Unreachable: 5,
    errors.NotReady: 5,
    errors.StoreUnavailable: 30,
}


def status_of(error: KktdError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def retry_after_of(error: KktdError) -> int | None:
    """What the error says itself, else its family's."""
    said = error.details.get("retry_after_seconds")
    if isinstance(said, int):
        return said
    return next(
        (RETRY_AFTER_S[kind] for kind in type(error).__mro__ if kind in RETRY_AFTER_S), None
    )


def error_response(error: KktdError, request_id: str, language: Language) -> Response:
    """The body of contract 1 for an error that was raised."""
    details = dict(error.details)
    if str(error) != error.code:
        details.setdefault("reason", str(error))
    if isinstance(error, errors.StoreUnavailable):
        details = {}  # the disk's own words are for the log
    headers = {}
    retry_after_s = retry_after_of(error)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return plain_error(status_of(error), error.code, details, request_id, language, headers)


def plain_error(
    status: int,
    code: str,
    details: dict[str, Any],
    request_id: str,
    language: Language,
    headers: dict[str, str] | None = None,
) -> Response:
    """`{code, message, details, id}`."""
    message = error_sentence(code, details.get("remedy"), details, language)
    body = {"code": code, "message": message, "details": details, "id": request_id}
    return json_response(status, body, headers)


def answer_response(
    answer: Answer, request_id: str, language: Language, *, replayed: bool = False
) -> Response:
    """An answer of the desk: an error body where it has a code, else its body and what to do."""
    headers = {}
    if answer.location:
        headers["Location"] = answer.location
    if answer.retry_after_s is not None:
        headers["Retry-After"] = str(answer.retry_after_s)
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    if answer.code:
        message = error_sentence(answer.code, answer.hint, answer.body, language)
        body = {
            "code": answer.code,
            "message": message,
            "details": answer.body,
            "id": request_id,
        }
        return json_response(answer.status, body, headers)
    said = sentence(answer.hint, language) if answer.hint else None
    return json_response(
        answer.status, answer.body | {"message": said} if said else answer.body, headers
    )


def json_response(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """UTF-8 as it is; money is text by now."""
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False),
        status,
        headers,
        media_type="application/json; charset=utf-8",
    )
