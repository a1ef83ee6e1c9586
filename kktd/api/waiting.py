"""How a caller waits for what the printer's lane will finish: never with a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kktd.api.call import Call
from kktd.receipts.answers import Answer, Ticket


async def await_answer(call: Call, ticket: Ticket, present: Callable[[], Answer]) -> Answer:
    """The ticket's answer; after `print_timeout_ms`, or when the till stops, the present state."""
    if ticket.answer is not None:
        return ticket.answer
    if ticket.waiter is None:
        return await call.read(present)
    timeout_s = call.till.settings().printer_for(ticket.pos_id).print_timeout_ms / 1000
    halted = asyncio.ensure_future(call.runtime.halt.wait())
    answered = asyncio.wrap_future(ticket.waiter)
    either: set[asyncio.Future[Any]] = {answered, halted}
    try:
        await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            return answered.result()
    finally:
        halted.cancel()
        answered.cancel()
        call.till.desk.leave(ticket)
    return await call.read(present)
