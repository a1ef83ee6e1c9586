"""The FN's own life: a change of the registration, and its end.  Source: [SHTRIH] 7, 7.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import documents, tlv
from rig.fn import FN_CLOSE, REREGISTRATION, Document
from rig.shtrih_receipt import extended
from rig.shtrih_requests import Request, le
from rig.till import Refused, Till

Handler = Callable[[Till, Request], bytes]

CHANGE: Final = 2  # of FF05h: without another FN
REASONS: Final = {1, 2, 3, 4}  # FN, ОФД, requisites, settings


def begin_registration(till: Till, request: Request) -> bytes:
    """FF05h; a till that is registered can only change it."""
    if request.number(6, 1) != CHANGE:
        raise Refused(0x02)
    till.fn.begin(REREGISTRATION)
    return b""


def change_registration(till: Till, request: Request) -> bytes:
    """FF34h: owner and number stay; tax systems, mode and the reason are the document's."""
    reason = request.number(40, 1)
    if reason not in REASONS:
        raise Refused(0x33)
    now = till.now()
    own = [*documents.registration(till.settings, now), tlv.number(1101, reason, 1)]
    return _made(till, till.fn.sign(REREGISTRATION, now, lambda _: own))


def begin_fn_close(till: Till, _request: Request) -> bytes:
    """FF3Dh."""
    till.fn.begin(FN_CLOSE)
    return b""


def close_fn(till: Till, _request: Request) -> bytes:
    """FF3Eh: from here on nothing is signed any more."""
    now = till.now()
    return _made(till, till.fn.sign(FN_CLOSE, now, lambda _: [tlv.moment(1012, now)]))


def _made(till: Till, document: Document) -> bytes:
    return le(document.fd, 4) + le(document.fp, 4) + extended(till, document)


HANDLERS: Final[Mapping[str, Handler]] = {
    "begin_registration": begin_registration,
    "change_registration": change_registration,
    "begin_fn_close": begin_fn_close,
    "close_fn": close_fn,
}
