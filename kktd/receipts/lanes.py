"""The table of the till's printers: a lane each, found by name or by the till it serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kktd.errors import NotFound, UnknownPos
from kktd.receipts.lane import Lane


class Lanes:
    """Made once at the start; never empty.  Iterates in the order of the settings."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = tuple(lanes)
        self._by_pos = {pos_id: lane for lane in self._lanes for pos_id in lane.pos_ids}

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    @property
    def first(self) -> Lane:
        """The one of [printer]."""
        return self._lanes[0]

    def named(self, name: str) -> Lane:
        """Raises NotFound."""
        for lane in self._lanes:
            if lane.name == name:
                return lane
        raise NotFound("no such printer", printer=name[:64], known=[one.name for one in self])

    def find(self, pos_id: str) -> Lane | None:
        """Whose printer prints for this till; None if nobody's."""
        return self._by_pos.get(pos_id)

    def of(self, pos_id: str) -> Lane:
        """The same; raises UnknownPos."""
        if (lane := self.find(pos_id)) is None:
            raise UnknownPos("this till does not serve that pos_id", pos_id=pos_id[:64])
        return lane
