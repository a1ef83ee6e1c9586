"""Requisites the host sends for a document or an item.  Source: [SHTRIH] 7 (FF0C, FF4D), 7.6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rig import documents, tlv
from rig.shtrih_requests import Request
from rig.shtrih_tables import DOCUMENT_TAGS, ITEM_TAGS, TagRule
from rig.till import Refused, Till
from rig.tlv import Tlv

Handler = Callable[[Till, Request], bytes]

TLV_MAX: Final = 250
ITEM_BYTES_MAX: Final = 1024


def send_tlv(till: Till, request: Request) -> bytes:
    """FF0Ch: tags of the document begun or of the open receipt."""
    if till.state.receipt is None and till.fn.begun is None:
        raise Refused(0x02)
    tags = _checked_tags(request.rest(6), DOCUMENT_TAGS)
    if till.state.receipt is not None:
        till.state.receipt.tags = _merged(till.state.receipt.tags, tags, DOCUMENT_TAGS)
    else:
        till.fn.begun_tags = _merged(till.fn.begun_tags, tags, DOCUMENT_TAGS)
    return b""


def bind_tlv(till: Till, request: Request) -> bytes:
    """FF4Dh: tags of the last operation; 02 before the first one."""
    receipt = till.state.receipt
    if receipt is None or not receipt.items:
        raise Refused(0x02)
    item = receipt.items[-1]
    item.tags = _merged(item.tags, _checked_tags(request.rest(6), ITEM_TAGS), ITEM_TAGS)
    if len(documents.item(item).value) > ITEM_BYTES_MAX:
        raise Refused(0x10)
    return b""


def _checked_tags(data: bytes, rules: Mapping[int, TagRule]) -> list[Tlv]:
    """Whole, known, well-sized tags; 10 when too long, 33 when wrong."""
    if len(data) > TLV_MAX:
        raise Refused(0x10)
    try:
        tags = tlv.decode_all(data)
    except tlv.BadTlv:
        raise Refused(0x33) from None
    for tag in tags:
        _check_tag(tag, rules)
    return tags


def _check_tag(tag: Tlv, rules: Mapping[int, TagRule]) -> None:
    rule = rules.get(tag.tag)
    if rule is None or not tag.value:
        raise Refused(0x33)
    if len(tag.value) > rule.longest:
        raise Refused(0x10)
    if rule.kind == "text" and any(byte < 0x20 for byte in tag.value):
        raise Refused(0x33)  # a line feed is refused by real tills
    if rule.kind == "nested":
        try:
            tlv.decode_all(tag.value)
        except tlv.BadTlv:
            raise Refused(0x33) from None


def _merged(old: list[Tlv], new: list[Tlv], rules: Mapping[int, TagRule]) -> list[Tlv]:
    """A tag sent twice replaces the first, unless the format lets it repeat."""
    single = {tag.tag for tag in new if not rules[tag.tag].many}
    kept = [tag for tag in old if tag.tag not in single]
    last = {tag.tag: tag for tag in new}
    return kept + [tag for tag in new if rules[tag.tag].many or last[tag.tag] is tag]


HANDLERS: Final[Mapping[str, Handler]] = {
    "send_tlv": send_tlv,
    "bind_tlv": bind_tlv,
}
