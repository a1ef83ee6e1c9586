"""An Odoo of one object for virtual time; the client over real HTTP has its own tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kktd.clock import Deadline
from kktd.model.product import Product
from kktd.model.receipt import DocumentNumbers
from kktd.odoo.client import Accepted, CataloguePage, Known
from kktd.ofd.channel import NotAccepted, Unavailable, Unknown
from tests.support.clock import VirtualClock


class VirtualOdoo:
    """Keeps each event once.  `outage`: None, "refused", "hang" or "lost" (it came, no answer)."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.outage: str | None = None
        self.ahead_s = 0.0
        self.refuses: set[int] = set()
        self.beats: list[Mapping[str, Any]] = []
        self.events: dict[int, Mapping[str, Any]] = {}
        self.catalogue: list[Product] = []
        self.known: dict[str, Known] = {}

    def heartbeat(self, body: Mapping[str, Any], by: Deadline) -> int:
        self._break(by)
        json.dumps(body)
        self.beats.append(body)
        self._answer(by)
        return self._time()

    def send_events(
        self, pos_id: str, events: Sequence[Mapping[str, Any]], by: Deadline
    ) -> Accepted:
        self._break(by)
        json.dumps(list(events))
        numbers = [event["seq"] for event in events]
        assert numbers == sorted(set(numbers))
        if self.refuses & set(numbers):
            raise NotAccepted("422 Unprocessable Entity")
        for event in events:
            known = self.events.get(event["seq"])
            assert known is None or known["type"] == event["type"]
            if known is None:
                assert event["seq"] > max(self.events, default=0), "out of order"
                self.events[event["seq"]] = event
        self._answer(by)
        return Accepted(max(self.events), self._time())

    def products(self, cursor: str, by: Deadline) -> CataloguePage:
        self._break(by)
        since = int(cursor or 0)
        page = self.catalogue[since : since + 500]
        return CataloguePage(tuple(page), (), str(since + len(page)))

    def find_receipt(
        self, receipt_id: str | None, document: DocumentNumbers | None, by: Deadline
    ) -> Known:
        self._break(by)
        name = receipt_id or (f"{document.fn}:{document.fd}" if document else "")
        return self.known.get(name, Known.DOES_NOT_KNOW)

    def close(self) -> None:
        """Nothing to let go of."""

    def _time(self) -> int:
        return int(self._clock.wall_s() + self.ahead_s)

    def _break(self, by: Deadline) -> None:
        if self.outage == "refused":
            raise Unavailable("ConnectionRefused")
        if self.outage == "hang":
            self._clock.advance(by.left_s())
            raise Unknown("AnswerTimeout")
        self._clock.advance(0.02)

    def _answer(self, by: Deadline) -> None:
        if self.outage == "lost":
            self._clock.advance(by.left_s())
            raise Unknown("AnswerTimeout")
