"""Bodies of the fiscal documents a till has the FN sign.  Source: [FFD] 3.1..3.6, 6."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rig import tlv
from rig.fn import FiscalStorage, Numbers, Totals
from rig.shtrih_settings import FISCAL, PASSWORDS, REGION, Settings
from rig.shtrih_tables import ITEM_TAGS, SIGN_OF_TYPE, TAX_BY_ROW, Tax
from rig.till_state import Item, Receipt
from rig.tlv import Tlv

KKT_VERSION: Final = "C.3.664"
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Payment:
    """A closed receipt's money in kopecks: applied, not tendered ([FFD] 6.3)."""

    total: int
    cash: int
    cashless: int
    advance: int
    credit: int
    provision: int
    change: int
    tax_system: int


def half_up(numerator: int, denominator: int) -> int:
    """Rounding of money: half a kopeck goes up."""
    return (2 * numerator + denominator) // (2 * denominator)


def vat_kopecks(sum_kopecks: int, tax: Tax) -> int:
    """VAT inside a sum ([FFD] 6.5)."""
    return half_up(sum_kopecks * tax.percent, 100 + tax.percent)


def ffd_version(settings: Settings) -> int:
    return settings.number(REGION, 1, 17)


def operator_name(settings: Settings, operator: int) -> str:
    return settings.text(PASSWORDS, operator, 2)


def with_host_tags(own: Sequence[Tlv], sent: Sequence[Tlv]) -> list[Tlv]:
    """What the host sent takes the place of the till's own value of the same tag."""
    replaced = {tag.tag for tag in sent}
    return [tag for tag in own if tag.tag not in replaced] + list(sent)


def registration(settings: Settings, now: datetime) -> list[Tlv]:
    tax_systems = settings.number(FISCAL, 1, 5)
    work_mode = settings.number(FISCAL, 1, 6)
    return [
        tlv.number(1209, ffd_version(settings), 1),
        tlv.text(1048, settings.text(FISCAL, 1, 7)),
        *_user(settings),
        tlv.number(1062, tax_systems, 1),
        tlv.moment(1012, now),
        tlv.number(1002, work_mode >> 1 & 1, 1),
        tlv.number(1056, work_mode & 1, 1),
        tlv.number(1001, work_mode >> 2 & 1, 1),
        tlv.text(1013, settings.text(FISCAL, 1, 1)),
        tlv.text(1021, settings.text(FISCAL, 1, 8)),
        *_place(settings),
        tlv.text(1060, settings.text(FISCAL, 1, 13)),
        tlv.text(1117, settings.text(FISCAL, 1, 15)),
        tlv.text(1017, settings.text(FISCAL, 1, 12).strip(), 12),
        tlv.text(1046, settings.text(FISCAL, 1, 10)),
        tlv.text(1188, KKT_VERSION),
        tlv.number(1189, ffd_version(settings), 1),
        tlv.number(1190, 4, 1),
        tlv.number(1213, 1000, 2),
        tlv.number(1290, 0, 4),
    ]


def shift_open(
    settings: Settings, now: datetime, numbers: Numbers, operator: int, sent: Sequence[Tlv]
) -> list[Tlv]:
    own = [
        tlv.number(1209, ffd_version(settings), 1),
        *_user(settings),
        tlv.text(1021, operator_name(settings, operator)),
        tlv.moment(1012, now),
        tlv.number(1038, numbers.shift, 4),
        *_place(settings),
        tlv.text(1188, KKT_VERSION),
        tlv.number(1189, ffd_version(settings), 1),
    ]
    return with_host_tags(own, sent)


def shift_close(
    settings: Settings,
    now: datetime,
    fn: FiscalStorage,
    numbers: Numbers,
    operator: int,
) -> list[Tlv]:
    unsent = fn.unsent()
    own = [
        tlv.number(1209, ffd_version(settings), 1),
        *_user(settings),
        tlv.text(1021, operator_name(settings, operator)),
        tlv.moment(1012, now),
        tlv.number(1038, numbers.shift, 4),
        *_place(settings),
        tlv.number(1118, fn.receipt_no, 4),
        tlv.number(1111, fn.shift_totals.documents + 1, 4),
        tlv.number(1097, len(unsent) + 1, 4),
        tlv.moment(
            1098, (unsent[0].made_at if unsent else now).replace(hour=0, minute=0, second=0)
        ),
        tlv.nested(1194, _counters(fn.shift_totals)),
        tlv.nested(1157, _counters(fn.totals)),
        tlv.number(1213, 1000, 2),
    ]
    return with_host_tags(own, fn.begun_tags)


def settlements(settings: Settings, now: datetime, fn: FiscalStorage) -> list[Tlv]:
    """Report on the state of settlements: what the ОФД has not confirmed yet."""
    unsent = fn.unsent()
    own = [
        tlv.number(1209, ffd_version(settings), 1),
        *_user(settings),
        tlv.moment(1012, now),
        *_place(settings),
        tlv.number(1097, len(unsent), 4),
        tlv.moment(
            1098, (unsent[0].made_at if unsent else now).replace(hour=0, minute=0, second=0)
        ),
        tlv.nested(1157, _counters(fn.totals)),
    ]
    return with_host_tags(own, fn.begun_tags)


def receipt(
    settings: Settings, now: datetime, numbers: Numbers, closed: Receipt, paid: Payment
) -> list[Tlv]:
    own = [
        tlv.number(1209, ffd_version(settings), 1),
        *_user(settings),
        tlv.number(1042, numbers.receipt_no, 4),
        tlv.moment(1012, now),
        tlv.number(1038, numbers.shift, 4),
        tlv.number(1054, SIGN_OF_TYPE[closed.kind], 1),
        tlv.number(1055, paid.tax_system, 1),
        tlv.text(1021, operator_name(settings, closed.operator)),
        *_place(settings),
        *(item(line) for line in closed.items),
        tlv.vln(1020, paid.total),
        tlv.vln(1031, paid.cash),
        tlv.vln(1081, paid.cashless),
        tlv.vln(1215, paid.advance),
        tlv.vln(1216, paid.credit),
        tlv.vln(1217, paid.provision),
        *_taxes(closed.items),
    ]
    return with_host_tags(own, closed.tags)


def item(line: Item) -> Tlv:
    """Tag 1059; quantity goes with six decimals as real tills send it."""
    tax = TAX_BY_ROW[line.tax_row]
    own = [
        tlv.text(1030, line.name),
        tlv.vln(1079, line.price_kopecks),
        tlv.fvln(1023, line.quantity_millionths, 6),
        tlv.vln(1043, line.sum_kopecks),
        tlv.number(1199, tax.ffd, 1),
    ]
    if tax.percent:
        own.append(tlv.vln(1200, vat_kopecks(line.sum_kopecks, tax)))
    own.append(tlv.number(1214, line.method, 1))
    own.append(tlv.number(1212, line.subject, 1))
    sent = [tag for tag in line.tags if tag.tag in ITEM_TAGS]
    return tlv.nested(1059, with_host_tags(own, sent))


def tax_totals(items: Sequence[Item]) -> dict[int, int]:
    """By row of table 6: VAT of the group, or turnover for 0 % and "without VAT"."""
    groups: Counter[int] = Counter()
    for line in items:
        groups[line.tax_row] += line.sum_kopecks
    return {
        row: total if TAX_BY_ROW[row].turnover else vat_kopecks(total, TAX_BY_ROW[row])
        for row, total in sorted(groups.items())
    }


def _taxes(items: Sequence[Item]) -> list[Tlv]:
    tags: list[Tlv] = []
    newer: list[Tlv] = []
    for row, total in tax_totals(items).items():
        tax = TAX_BY_ROW[row]
        if tax.sum_tag is not None:
            tags.append(tlv.vln(tax.sum_tag, total))
        else:
            newer.append(tlv.nested(1119, [tlv.number(1199, tax.ffd, 1), tlv.vln(1120, total)]))
    if newer:
        if not tags:
            tags.append(tlv.vln(1104, 0))
        tags.append(tlv.nested(1115, newer))
    return tags


def _user(settings: Settings) -> list[Tlv]:
    return [
        tlv.text(1018, settings.text(FISCAL, 1, 2).strip(), 12),
        tlv.text(1037, settings.text(FISCAL, 1, 3).strip(), 20),
    ]


def _place(settings: Settings) -> list[Tlv]:
    return [
        tlv.text(1009, settings.text(FISCAL, 1, 9)),
        tlv.text(1187, settings.text(FISCAL, 1, 14)),
    ]


COUNTER_OF_SIGN: Final = {1: 1129, 2: 1130, 3: 1131, 4: 1132}


def _counters(totals: Totals) -> list[Tlv]:
    """1194 and 1157: totals of receipts by sign ([FFD] 3.16)."""
    found = [tlv.number(1134, totals.receipts.total(), 4)]
    for sign, tag in COUNTER_OF_SIGN.items():
        if totals.receipts[sign]:
            found.append(tlv.nested(tag, _sign_counter(totals.receipts[sign], totals.sums[sign])))
    if totals.corrections:
        found.append(tlv.nested(1133, [tlv.number(1144, totals.corrections, 4)]))
    return found


def _sign_counter(count: int, sums: Mapping[int, int]) -> list[Tlv]:
    return [
        tlv.number(1135, count, 4),
        tlv.vln(1201, sums[1020]),
        tlv.vln(1136, sums[1031]),
        tlv.vln(1138, sums[1081]),
        tlv.vln(1218, sums[1215]),
        tlv.vln(1219, sums[1216]),
        tlv.vln(1220, sums[1217]),
    ]
