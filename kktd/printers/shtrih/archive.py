"""Documents of the FN's archive: short by FF0Ah, with all their tags by FF3Ah and FF3Bh.

Source: [SHTRIH] 7, 7.3; [FFD] 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from kktd.clock import Deadline
from kktd.model.fiscal import ArchivedDocument
from kktd.printers.shtrih import answers, payload, tlv
from kktd.printers.shtrih.answers import DeviceRefused, FoundDocument
from kktd.printers.shtrih.codes import NO_DATA
from kktd.printers.shtrih.commands import FIND_DOCUMENT, READ_TLV, REQUEST_TLV
from kktd.printers.shtrih.sale import TAG_USER_PROP, TAG_USER_PROP_VALUE
from kktd.printers.shtrih.session import Session

TAG_SHIFT: Final = 1038
TAG_RECEIPT_NO: Final = 1042
TAG_ITEM: Final = 1059
TAG_MARK_RESULT: Final = 2106
DOCUMENT_BYTES_MAX: Final = 65_536  # [FFD] 1: the longest has 32 KiB
PARTS_MAX: Final = 4_096  # one item each at worst, and a thousand lines


class Archive:
    """Reads documents; raises what `Session.call` raises."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._output_left = False  # FF3Bh was begun and not read to its end

    def found(self, fd: int, by: Deadline) -> FoundDocument | None:
        """What the FN keeps of document `fd` for ever; None if there is no such number."""
        try:
            answer = self._session.call(FIND_DOCUMENT, by, payload.unsigned(fd, 4))
        except DeviceRefused as refused:
            if refused.device_code == NO_DATA:
                return None
            raise
        return answers.found_document(answer, fd)

    def document(self, fd: int, by: Deadline) -> ArchivedDocument | None:
        """The same with shift, number in it and mark, where the full form is still kept."""
        found = self.found(fd, by)
        if found is None:
            return None
        shift, receipt_no, mark = found.shift, None, None
        mark_results: tuple[int, ...] = ()
        if found.type in answers.SETTLEMENTS:
            tags = self._tags(fd, by)
            shift = _number(tags, TAG_SHIFT)
            receipt_no = _number(tags, TAG_RECEIPT_NO)
            mark = _mark(tags)
            mark_results = tuple(_mark_results(tags))
        return ArchivedDocument(
            fd=found.fd,
            fp=str(found.fp),
            type=found.type,
            issued_at=found.issued_at,
            sign=found.sign,
            total=found.total,
            shift=shift,
            receipt_no=receipt_no,
            mark=mark,
            mark_results=mark_results,
        )

    def finish_output(self, by: Deadline) -> bytes:
        """Read FF3Bh to its end: until then desktop models stay in mode 1."""
        data = b""
        for _ in range(PARTS_MAX):
            try:
                data += answers.tlv_part(self._session.call(READ_TLV, by))
            except DeviceRefused:
                break  # 08h: nothing left
            if len(data) > DOCUMENT_BYTES_MAX:
                break
        self._output_left = False
        return data

    def _tags(self, fd: int, by: Deadline) -> list[tlv.Tlv]:
        """In their order; none where the FN keeps no full form any more."""
        if self._output_left:
            self.finish_output(by)
        try:
            self._session.call(REQUEST_TLV, by, payload.unsigned(fd, 4))
        except DeviceRefused:
            return []
        self._output_left = True
        tags: list[tlv.Tlv] = []
        with suppress(tlv.BadTlv):  # what came before the damage is still true
            tags.extend(tlv.decode(self.finish_output(by)))
        return tags


def _first(tags: list[tlv.Tlv], tag: int) -> bytes | None:
    return next((item.value for item in tags if item.tag == tag), None)


def _number(tags: list[tlv.Tlv], tag: int) -> int | None:
    value = _first(tags, tag)
    return None if value is None else int.from_bytes(value, "little")


def _mark_results(tags: list[tlv.Tlv]) -> Iterator[int]:
    for item in tags:
        if item.tag == TAG_ITEM:
            with suppress(tlv.BadTlv):
                value = tlv.find(item.value, TAG_MARK_RESULT)
                if value:
                    yield value[0]


def _mark(tags: list[tlv.Tlv]) -> str | None:
    try:
        value = tlv.find(_first(tags, TAG_USER_PROP) or b"", TAG_USER_PROP_VALUE)
    except tlv.BadTlv:
        return None
    return None if value is None else tlv.read_string(value)
