"""What an engineer asks of the registrar: FN, clock, tables, registers, documents by number.

The lane asks the device between two jobs (receipts/inquiries.py); what changes it is an operation.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, TypeVar

from kktd.api import query
from kktd.api.body import parse_json, read_body
from kktd.api.call import Call
from kktd.api.idempotency import digest_of, key_of, once
from kktd.api.printer_bodies import FieldBody
from kktd.api.receipts import parse_optional
from kktd.api.schemas import parse
from kktd.api.waiting import await_answer
from kktd.errors import Invalid, NotFound, Unreachable
from kktd.model.device import Cell
from kktd.model.money import rubles
from kktd.receipts.answers import Answer
from kktd.receipts.inquiries import Question
from kktd.receipts.lane import Lane
from kktd.store.operations import OperationKind, Request

T = TypeVar("T")

ANSWER_S: Final = 20.0  # a lane that prints a long receipt is busy for longer
BYTE_MAX: Final = 0xFF
WORD_MAX: Final = 0xFFFF
FD_MAX: Final = 0xFFFF_FFFF


async def fn(call: Call) -> Answer:
    """GET /v1/printer/fn: what it holds back for the ОФД and how long it lasts."""
    life = await _ask(call, lambda printer, by: printer.fn_life(by))
    body = {
        "fn": life.fn,
        "last_fd": life.last_fd,
        "unsent": life.unsent,
        "first_unsent_fd": life.first_unsent_fd,
        "oldest_unsent": _local(life.oldest_unsent),
        "documents_left": life.documents_left,
        "expires": life.expires.isoformat() if life.expires else None,
    }
    return Answer(200, body)


async def document(call: Call) -> Answer:
    """GET /v1/printer/documents/{fd}: as the FN's archive shows it."""
    fd = _number(call, "fd", 1, FD_MAX)
    found = await _ask(call, lambda printer, by: printer.archived(fd, by))
    if found is None:
        raise NotFound("the FN has no such document", fd=fd)
    body = asdict(found) | {
        "issued_at": _local(found.issued_at),
        "total": None if found.total is None else rubles(found.total),
        "sign": None if found.sign is None else found.sign.name.lower(),
    }
    return Answer(200, body)


async def register(call: Call) -> Answer:
    """GET /v1/printer/registers/{kind}/{number}: `money` in rubles, `operation` a count."""
    kind = call.request.path_params["kind"]
    number = _number(call, "number", 0, WORD_MAX)
    if kind == "money":
        kopecks = await _ask(call, lambda printer, by: printer.money_register(number, by))
        return Answer(200, {"kind": kind, "number": number, "value": rubles(kopecks)})
    if kind != "operation":
        raise Invalid("not one of the known names", field="kind", known=["money", "operation"])
    counted = await _ask(call, lambda printer, by: printer.operation_register(number, by))
    return Answer(200, {"kind": kind, "number": number, "value": str(counted)})


async def table(call: Call) -> Answer:
    """GET /v1/printer/tables/{table}: its name and size, by the device's own words."""
    number = _number(call, "table", 1, BYTE_MAX)
    shape = await _ask(call, lambda printer, by: printer.table(number, by))
    return Answer(200, {"table": number, **asdict(shape)})


async def field(call: Call) -> Answer:
    """GET /v1/printer/tables/{table}/{row}/{field}: what stands there; passwords are refused."""
    cell = _cell(call)
    shape, value = await _ask(call, lambda printer, by: printer.read_field(cell, by))
    return Answer(200, {**asdict(cell), **asdict(shape), "value": str(value)})


async def write_field(call: Call) -> Answer:
    """POST /v1/printer/tables/{table}/{row}/{field}; the device says what an open shift forbids."""
    cell, body = _cell(call), await read_body(call.request)
    asked = parse(FieldBody, parse_json(body))
    return await _operate(call, body, OperationKind.WRITE_TABLE, cell=cell, value=asked.value)


async def clock(call: Call) -> Answer:
    """GET /v1/printer/clock: what it shows, and how far it is before the till's own."""
    lane = _lane(call)
    status = await _ask(call, lambda printer, by: printer.status(by))
    zone, now_s = call.till.settings().zone, call.till.clock.wall_s()
    shown = status.clock
    drift_s = None if shown is None else round(shown.replace(tzinfo=zone).timestamp() - now_s)
    body = {
        "printer": lane.name,
        "clock": None if shown is None else f"{shown:%Y-%m-%dT%H:%M:%S}",
        "till": f"{datetime.fromtimestamp(now_s, zone):%Y-%m-%dT%H:%M:%S}",
        "drift_seconds": drift_s,
    }
    return Answer(200, body)


async def set_clock(call: Call) -> Answer:
    """POST /v1/printer/clock: to the till's time; the shift has to be closed."""
    body = await read_body(call.request)
    parse_optional(body)
    now = datetime.fromtimestamp(call.till.clock.wall_s(), call.till.settings().zone)
    offset = now.utcoffset()
    offset_s = int(offset.total_seconds()) if offset else 0
    return await _operate(call, body, OperationKind.SET_CLOCK, utc_offset_s=offset_s)


async def cut(call: Call) -> Answer:
    """POST /v1/printer/cut: the paper that hangs out; once more cuts air."""
    body = await read_body(call.request)
    parse_optional(body)

    async def act() -> Answer:
        await _ask(call, lambda printer, by: printer.cut_paper(by))
        return Answer(200, {"printer": _lane(call).name})

    return await once(call, body, act)


async def _ask(call: Call, question: Question[T]) -> T:
    """The lane asks when nothing has to be done at once.  Raises Unreachable while it is busy."""
    lane = _lane(call)
    asked = lane.inquiries.ask(question)
    lane.wake()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(asked), ANSWER_S)
    except TimeoutError as error:
        raise Unreachable("the printer is busy") from error


async def _operate(call: Call, body: bytes, kind: OperationKind, **what: Any) -> Answer:
    lane, key, digest, desk = _lane(call), key_of(call), digest_of(call, body), call.till.desk
    pos_id = next(iter(lane.pos_ids), call.till.settings().till.pos_ids[0])
    asked = Request(kind, user=call.caller.name, **what)
    ticket = await call.write(lambda: desk.operate(asked, pos_id, key, digest, call.by))
    call.replayed = ticket.replayed
    return await await_answer(call, ticket, lambda: desk.operation_answer(ticket.id))


def _lane(call: Call) -> Lane:
    query.only(call, "printer")
    return query.printer(call)


def _cell(call: Call) -> Cell:
    return Cell(
        _number(call, "table", 1, BYTE_MAX),
        _number(call, "row", 1, WORD_MAX),
        _number(call, "field", 1, BYTE_MAX),
    )


def _number(call: Call, name: str, least: int, most: int) -> int:
    """Of the path; raises Invalid."""
    text = str(call.request.path_params[name])
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
        raise Invalid("not a number in range", field=name)
    return int(text)


def _local(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M}"
