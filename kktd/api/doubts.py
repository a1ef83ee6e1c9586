"""A receipt whose fate only a person can tell: the old printer or its FN will not answer again."""

from __future__ import annotations

from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import once
from kktd.api.printer_bodies import AbsentBody, RegisteredBody
from kktd.api.receipts import receipt_id_of, shown
from kktd.api.schemas import parse
from kktd.errors import Invalid
from kktd.model.fiscal import FiscalDocument
from kktd.receipts.answers import Answer
from kktd.receipts.doubts import Decision, Doubts
from kktd.store import lanes


async def settle_registered(call: Call) -> Answer:
    """POST /v1/kkt/receipt/{id}/registered: its paper is here."""
    receipt_id = receipt_id_of(call)
    body = await read_body(call.request)
    asked = parse(RegisteredBody, parse_json(body))
    try:
        document = FiscalDocument.from_qr(asked.qr, asked.shift, asked.receipt_no)
    except ValueError as error:
        raise Invalid("not the text of a receipt's QR code", field="qr") from error
    decision = Decision(asked.resolved_by or call.caller.name, asked.note)

    async def act() -> Answer:
        return await call.write(
            lambda: shown(
                call, _doubts(call, receipt_id).registered(receipt_id, document, decision)
            )
        )

    return await once(call, body, act)


async def settle_absent(call: Call) -> Answer:
    """POST /v1/kkt/receipt/{id}/absent: it was never made; then it is printed or cancelled."""
    receipt_id = receipt_id_of(call)
    body = await read_body(call.request)
    asked = parse(AbsentBody, parse_json(body))
    decision = Decision(asked.resolved_by or call.caller.name, asked.note)

    async def act() -> Answer:
        return await call.write(
            lambda: shown(call, _doubts(call, receipt_id).absent(receipt_id, decision))
        )

    return await once(call, body, act)


def _doubts(call: Call, receipt_id: str) -> Doubts:
    """Of the lane the receipt belongs to; raises NotFound."""
    name = call.till.store.read(lambda db: lanes.of_receipt(db, receipt_id))
    return call.till.lanes.named(name).doubts
