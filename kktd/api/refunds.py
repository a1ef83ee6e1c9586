"""POST /v1/pos/refund: may this receipt be refunded now?  It changes nothing and needs no key.

The refund itself is POST /v1/kkt/receipt and looks again, in the transaction that stores it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic_core import PydanticCustomError

from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.receipts import what_odoo_knows
from kktd.api.schemas import Body, parse
from kktd.api.values import MAX_FD, ReceiptKey, checked, whole
from kktd.errors import Invalid
from kktd.model.receipt import DocumentNumbers, Original, ReceiptId
from kktd.receipts.answers import Answer
from kktd.store.tokens import Role

_FN_FD: Final = re.compile(r"(\d{16}):(\d{1,10})", re.ASCII)


def _fn_and_fd(value: object) -> DocumentNumbers:
    match = _FN_FD.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match[2]) <= MAX_FD:
        raise PydanticCustomError("text", "fn:fd is needed")
    return DocumentNumbers(match[1], int(match[2]), "")


_FN_FD_CHECK: Final = checked(_fn_and_fd, type="string", pattern=whole(_FN_FD))


class RefundCheckBody(Body):
    original_receipt_id: ReceiptKey | None = None
    original_fiscal_doc_id: Annotated[DocumentNumbers, _FN_FD_CHECK] | None = None


async def check(call: Call) -> Answer:
    """200 `{allowed: true}` or 409 `{allowed: false}` with the reason and when to ask again."""
    original = _original_of(parse_json(await read_body(call.request)))
    supervised = call.caller.role.covers(Role.SUPERVISOR)
    verdict = await call.write(
        lambda: call.till.desk.check_refund(
            original, what_odoo_knows(call, original), supervised=supervised
        )
    )
    if verdict.allowed:
        return Answer(200, {"allowed": True, "sync_status": verdict.sync_status})
    return Answer(
        409,
        {
            "allowed": False,
            "reason": verdict.hint,
            "sync_status": verdict.sync_status,
            "retry_after_seconds": verdict.retry_after_s,
        },
        hint=verdict.hint,
        retry_after_s=verdict.retry_after_s,
    )


def _original_of(data: dict[str, Any]) -> Original:
    """Raises Invalid unless it is named in exactly one way."""
    body = parse(RefundCheckBody, data)
    by_id, by_document = body.original_receipt_id, body.original_fiscal_doc_id
    if by_id is not None and by_document is not None:
        raise Invalid("one original, not two", field="original_fiscal_doc_id")
    if by_id is not None:
        return Original(receipt_id=ReceiptId(by_id.lower()))
    if by_document is None:
        raise Invalid("a refund names its original", field="original_receipt_id")
    return Original(document=by_document)
