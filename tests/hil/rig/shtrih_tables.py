"""Shtrih-M commands, modes, errors and tax codes as the device knows them.

Sources: [SHTRIH] 5, 6, 7, 10.  Lengths are payload lengths, code bytes included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ANY: Final = frozenset(range(16))
OPEN_SHIFT: Final = frozenset({2, 3})
OPERATOR: Final = frozenset(range(1, 31))
ADMINISTRATORS: Final = frozenset({29, 30})
SYSTEM: Final = frozenset({30})
NOBODY: Final[frozenset[int]] = frozenset()  # the command carries no password

FRAME_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the vendor's list; `name` is what faults call it."""

    code: int
    name: str
    length_min: int
    length_max: int
    who: frozenset[int]
    modes: frozenset[int] = ANY
    prints: bool = False  # refused without paper, while printing and before B0h
    names_operator: bool = False  # the operator's number follows the error byte
    run_ms: int = 10  # execution with real timing

    @property
    def code_bytes(self) -> bytes:
        return self.code.to_bytes(2 if self.code > 0xFF else 1, "big")


def _plain(
    code: int,
    name: str,
    length: int,
    who: frozenset[int] = OPERATOR,
    modes: frozenset[int] = ANY,
    *,
    longest: int = 0,
    prints: bool = False,
    oper: bool = True,
    run_ms: int = 10,
) -> Command:
    return Command(code, name, length, longest or length, who, modes, prints, oper, run_ms)


def _fn(
    code: int,
    name: str,
    length: int,
    who: frozenset[int] = SYSTEM,
    modes: frozenset[int] = ANY,
    *,
    longest: int = 0,
    prints: bool = False,
    run_ms: int = 20,
) -> Command:
    return Command(code, name, length, longest or length, who, modes, prints, False, run_ms)


_RECEIPT = frozenset({8})
_IDLE = frozenset({2, 3, 4, 9})
_NOT_IN_RECEIPT = ANY - {8, 10}
_SALE_MODES = frozenset({2, 3, 4, 8})
_SHIFT_OR_NONE = frozenset({2, 3, 4})

COMMANDS: Final[tuple[Command, ...]] = (
    _plain(0x10, "short_status", 5),
    _plain(0x11, "full_status", 5),
    _plain(0x12, "print_bold_string", 6, longest=FRAME_MAX, prints=True),
    _plain(0x13, "beep", 5),
    _plain(0x14, "set_exchange", 8, SYSTEM, oper=False),
    _plain(0x15, "exchange_parameters", 6, SYSTEM, oper=False),
    _plain(0x17, "print_string", 6, longest=FRAME_MAX, prints=True),
    _plain(0x1A, "money_register", 6, longest=7),
    _plain(0x1B, "operation_register", 6),
    _plain(0x1E, "write_table", 10, SYSTEM, ANY - {1, 8}, longest=FRAME_MAX, oper=False),
    _plain(0x1F, "read_table", 9, SYSTEM, oper=False),
    _plain(0x21, "set_time", 8, SYSTEM, frozenset({4, 6, 9}), oper=False),
    _plain(0x22, "set_date", 8, SYSTEM, frozenset({4, 6, 9}), oper=False),
    _plain(0x23, "confirm_date", 8, SYSTEM, frozenset({6}), oper=False),
    _plain(0x25, "cut", 6, OPERATOR, _NOT_IN_RECEIPT, prints=True, run_ms=300),
    _plain(0x28, "drawer", 6),
    _plain(0x29, "feed", 7, OPERATOR, _NOT_IN_RECEIPT, prints=True, run_ms=100),
    _plain(0x2D, "table_structure", 6, SYSTEM, oper=False),
    _plain(0x2E, "field_structure", 7, SYSTEM, oper=False),
    _plain(0x2F, "print_string_font", 7, longest=FRAME_MAX, prints=True),
    _plain(0x40, "x_report", 5, ADMINISTRATORS, OPEN_SHIFT, prints=True, run_ms=500),
    _plain(0x41, "z_report", 5, ADMINISTRATORS, OPEN_SHIFT, prints=True, run_ms=1500),
    _plain(0x50, "cash_in", 10, OPERATOR, _IDLE, prints=True, run_ms=200),
    _plain(0x51, "cash_out", 10, OPERATOR, _IDLE, prints=True, run_ms=200),
    _plain(0x6B, "error_text", 2, NOBODY, oper=False),
    _plain(0x80, "sale", 60, OPERATOR, _SALE_MODES, longest=FRAME_MAX, prints=True, run_ms=50),
    _plain(0x81, "buy", 60, OPERATOR, _SALE_MODES, longest=FRAME_MAX, prints=True, run_ms=50),
    _plain(
        0x82, "sale_return", 60, OPERATOR, _SALE_MODES, longest=FRAME_MAX, prints=True, run_ms=50
    ),
    _plain(
        0x83, "buy_return", 60, OPERATOR, _SALE_MODES, longest=FRAME_MAX, prints=True, run_ms=50
    ),
    _plain(
        0x85,
        "close_receipt_old",
        71,
        OPERATOR,
        _RECEIPT,
        longest=FRAME_MAX,
        prints=True,
        run_ms=500,
    ),
    _plain(0x88, "cancel_receipt", 5, OPERATOR, _RECEIPT, run_ms=100),
    _plain(0x89, "subtotal", 5, OPERATOR, _RECEIPT),
    _plain(0x8C, "repeat_document", 5, OPERATOR, OPEN_SHIFT, prints=True, run_ms=200),
    _plain(0x8D, "open_receipt", 6, OPERATOR, frozenset({2, 3, 4, 9}), prints=True, run_ms=50),
    _plain(0xB0, "continue_print", 5),
    _plain(0xE0, "open_shift", 5, OPERATOR, frozenset({4}), prints=True, run_ms=1500),
    _plain(0xF7, "model_parameters", 2, NOBODY, longest=FRAME_MAX, oper=False),
    _plain(0xFC, "device_type", 1, NOBODY, oper=False),
    _fn(0xFF01, "fn_status", 6),
    _fn(0xFF02, "fn_number", 6),
    _fn(0xFF03, "fn_expiry", 6),
    _fn(0xFF04, "fn_version", 6),
    _fn(0xFF05, "begin_registration", 7, SYSTEM, frozenset({4})),
    _fn(0xFF08, "cancel_document", 6),
    _fn(0xFF09, "last_registration", 6),
    _fn(0xFF0A, "find_document", 10),
    _fn(0xFF0B, "fn_open_shift", 6, SYSTEM, frozenset({4}), run_ms=1000),
    _fn(0xFF0C, "send_tlv", 7, longest=FRAME_MAX),
    _fn(0xFF0D, "operation_discounted", 254, OPERATOR, _SALE_MODES, prints=True, run_ms=50),
    _fn(0xFF34, "change_registration", 41, SYSTEM, frozenset({4}), prints=True, run_ms=500),
    _fn(0xFF35, "begin_correction", 6, SYSTEM, _SHIFT_OR_NONE),
    _fn(0xFF36, "correction_old", 12, SYSTEM, _SHIFT_OR_NONE, prints=True, run_ms=500),
    _fn(0xFF37, "begin_settlements", 6, SYSTEM, _SHIFT_OR_NONE),
    _fn(0xFF38, "settlements", 6, SYSTEM, _SHIFT_OR_NONE, prints=True, run_ms=500),
    _fn(0xFF39, "ofd_exchange_status", 6),
    _fn(0xFF3A, "read_document", 10),
    _fn(0xFF3B, "read_tlv", 6),
    _fn(0xFF3C, "ofd_ticket", 10),
    _fn(0xFF3D, "begin_fn_close", 6, SYSTEM, frozenset({4})),
    _fn(0xFF3E, "close_fn", 6, SYSTEM, frozenset({4}), prints=True, run_ms=500),
    _fn(0xFF3F, "unsent_count", 6),
    _fn(0xFF40, "shift_params", 6),
    _fn(0xFF41, "begin_open_shift", 6, SYSTEM, frozenset({4})),
    _fn(0xFF42, "begin_close_shift", 6, SYSTEM, OPEN_SHIFT),
    _fn(0xFF43, "fn_close_shift", 6, SYSTEM, OPEN_SHIFT, run_ms=1000),
    _fn(0xFF44, "operation_taxed", 254, OPERATOR, _RECEIPT, prints=True, run_ms=50),
    _fn(0xFF45, "close_receipt", 118, OPERATOR, _RECEIPT, longest=182, prints=True, run_ms=500),
    _fn(0xFF46, "operation", 32, OPERATOR, ANY, longest=160, prints=True, run_ms=50),
    _fn(0xFF4A, "correction", 69, SYSTEM, _SHIFT_OR_NONE, prints=True, run_ms=500),
    _fn(0xFF4D, "bind_tlv", 7, SYSTEM, _RECEIPT, longest=FRAME_MAX),
    _fn(0xFF61, "check_mark", 11, OPERATOR, longest=FRAME_MAX, run_ms=500),
    _fn(0xFF63, "fn_memory", 6),
    _fn(0xFF67, "bind_mark", 8, OPERATOR, _RECEIPT, longest=FRAME_MAX, run_ms=100),
    _fn(0xFF68, "notification_status", 6, OPERATOR),
    _fn(0xFF69, "decide_mark", 7, OPERATOR),
    _fn(0xFF70, "marking_status", 6, OPERATOR),
)
BY_CODE: Final[Mapping[int, Command]] = {row.code: row for row in COMMANDS}
BY_NAME: Final[Mapping[str, Command]] = {row.name: row for row in COMMANDS}


def find_command(payload: bytes) -> Command | None:
    """The row a payload starts with; None for a command this device lacks."""
    if payload[:1] == b"\xff" and len(payload) > 1:
        return BY_CODE.get(0xFF00 | payload[1])
    return BY_CODE.get(payload[0]) if payload else None


# Receipt type of 8Dh (and of the mode byte's high nibble) to tag 1054, and back.
SIGN_OF_TYPE: Final[Mapping[int, int]] = {0: 1, 1: 3, 2: 2, 3: 4}
TYPE_OF_SIGN: Final[Mapping[int, int]] = {sign: kind for kind, sign in SIGN_OF_TYPE.items()}
SIGN_NAMES: Final[Mapping[int, str]] = {
    1: "ПРИХОД",
    2: "ВОЗВРАТ ПРИХОДА",
    3: "РАСХОД",
    4: "ВОЗВРАТ РАСХОДА",
}


@dataclass(frozen=True, slots=True)
class Tax:
    """One row of table 6: the byte of FF46 by family and the FFD code.  [SHTRIH] 7.5."""

    row: int
    byte: int
    byte_nano: int
    ffd: int  # tag 1199
    percent: int
    included: bool  # расчётная ставка
    sum_tag: int | None  # receipt tag of the sum or turnover; None: inside 1115
    turnover: bool = False


TAXES: Final[tuple[Tax, ...]] = (
    Tax(1, 0x01, 0x01, 1, 20, False, 1102),
    Tax(2, 0x02, 0x02, 2, 10, False, 1103),
    Tax(3, 0x04, 0x04, 5, 0, False, 1104, turnover=True),
    Tax(4, 0x08, 0x08, 6, 0, False, 1105, turnover=True),
    Tax(5, 0x10, 0x10, 3, 20, True, 1106),
    Tax(6, 0x20, 0x20, 4, 10, True, 1107),
    Tax(7, 0x81, 0x81, 7, 5, False, None),
    Tax(8, 0x82, 0x82, 8, 7, False, None),
    Tax(9, 0x84, 0x84, 9, 5, True, None),
    Tax(10, 0x88, 0x88, 10, 7, True, None),
    Tax(11, 0xCB, 0x90, 11, 22, False, None),
    Tax(12, 0xCC, 0xA0, 12, 22, True, None),
)
TAX_BY_ROW: Final[Mapping[int, Tax]] = {tax.row: tax for tax in TAXES}
TAX_BY_BYTE: Final[Mapping[str, Mapping[int, Tax]]] = {
    "standard": {tax.byte: tax for tax in TAXES},
    "nano": {tax.byte_nano: tax for tax in TAXES},
}
REPLACED_IN_2026: Final[Mapping[int, int]] = {1: 11, 5: 12}  # table 17 field 71 = 1

ERRORS: Final[Mapping[int, str]] = {
    0x00: "ОШИБОК НЕТ",
    0x01: "ФН: НЕИЗВЕСТНАЯ КОМАНДА",
    0x02: "ФН: НЕВЕРНОЕ СОСТОЯНИЕ",
    0x03: "ФН: ОШИБКА",
    0x05: "ФН: ЗАКОНЧЕН СРОК ЭКСПЛУАТАЦИИ",
    0x06: "ФН: АРХИВ ПЕРЕПОЛНЕН",
    0x07: "ФН: НЕВЕРНЫЕ ДАТА И ВРЕМЯ",
    0x08: "ФН: НЕТ ЗАПРОШЕННЫХ ДАННЫХ",
    0x09: "ФН: НЕКОРРЕКТНОЕ ЗНАЧЕНИЕ ПАРАМЕТРОВ",
    0x10: "ФН: ПРЕВЫШЕНИЕ РАЗМЕРОВ TLV",
    0x15: "ФН: ИСЧЕРПАН РЕСУРС ОЖИДАНИЯ ПЕРЕДАЧИ",
    0x16: "ФН: СМЕНА БОЛЕЕ 24 ЧАСОВ",
    0x33: "НЕКОРРЕКТНЫЕ ПАРАМЕТРЫ В КОМАНДЕ",
    0x37: "КОМАНДА НЕ ПОДДЕРЖИВАЕТСЯ",
    0x40: "ПЕРЕПОЛНЕНИЕ ДИАПАЗОНА СКИДОК",
    0x45: "СУММА ВСЕХ ОПЛАТ МЕНЬШЕ ИТОГА ЧЕКА",
    0x46: "НЕ ХВАТАЕТ НАЛИЧНОСТИ В КАССЕ",
    0x48: "ПЕРЕПОЛНЕНИЕ ИТОГА ЧЕКА",
    0x49: "ОПЕРАЦИЯ НЕВОЗМОЖНА В ОТКРЫТОМ ЧЕКЕ ДАННОГО ТИПА",
    0x4A: "ОТКРЫТ ЧЕК - ОПЕРАЦИЯ НЕВОЗМОЖНА",
    0x4B: "БУФЕР ЧЕКА ПЕРЕПОЛНЕН",
    0x4D: "БЕЗНАЛИЧНАЯ СУММА БОЛЬШЕ СУММЫ ЧЕКА",
    0x4E: "СМЕНА ПРЕВЫСИЛА 24 ЧАСА",
    0x4F: "НЕВЕРНЫЙ ПАРОЛЬ",
    0x50: "ИДЕТ ПЕЧАТЬ ПРЕДЫДУЩЕЙ КОМАНДЫ",
    0x56: "НЕТ ДОКУМЕНТА ДЛЯ ПОВТОРА",
    0x58: "ОЖИДАНИЕ КОМАНДЫ ПРОДОЛЖЕНИЯ ПЕЧАТИ",
    0x59: "ДОКУМЕНТ ОТКРЫТ ДРУГИМ ОПЕРАТОРОМ",
    0x5A: "СКИДКА ПРЕВЫШАЕТ НАКОПЛЕНИЯ В ЧЕКЕ",
    0x5D: "ТАБЛИЦА НЕ ОПРЕДЕЛЕНА",
    0x5E: "НЕВЕРНАЯ ОПЕРАЦИЯ",
    0x60: "ПЕРЕПОЛНЕНИЕ ПРИ УМНОЖЕНИИ",
    0x61: "ПЕРЕПОЛНЕНИЕ ДИАПАЗОНА ЦЕНЫ",
    0x62: "ПЕРЕПОЛНЕНИЕ ДИАПАЗОНА КОЛИЧЕСТВА",
    0x63: "ПЕРЕПОЛНЕНИЕ ДИАПАЗОНА ОТДЕЛА",
    0x6B: "НЕТ ЧЕКОВОЙ ЛЕНТЫ",
    0x72: "КОМАНДА НЕ ПОДДЕРЖИВАЕТСЯ В ДАННОМ ПОДРЕЖИМЕ",
    0x73: "КОМАНДА НЕ ПОДДЕРЖИВАЕТСЯ В ДАННОМ РЕЖИМЕ",
    0x7A: "ПОЛЕ НЕ РЕДАКТИРУЕТСЯ",
    0x7C: "НЕ СОВПАДАЕТ ДАТА",
    0x7D: "НЕВЕРНЫЙ ФОРМАТ ДАТЫ",
    0x7E: "НЕВЕРНОЕ ЗНАЧЕНИЕ В ПОЛЕ ДЛИНЫ",
    0x8E: "НУЛЕВОЙ ИТОГ ЧЕКА",
    0xA1: "ФН: НЕВЕРНАЯ ПОСЛЕДОВАТЕЛЬНОСТЬ КОМАНД",
    0xA3: "ФН: ПЕРЕПОЛНЕНА ТАБЛИЦА ПРОВЕРКИ КМ",
    0xC0: "ПОДТВЕРДИТЕ ДАТУ И ВРЕМЯ",
}


@dataclass(frozen=True, slots=True)
class TagRule:
    """What a tag sent by the host may hold: kind of value and most bytes.  [FFD] 3.3, 3.4."""

    kind: str  # text | number | bytes | nested
    longest: int
    many: bool = False


def _rules(**kinds: Mapping[int, int]) -> dict[int, TagRule]:
    many = {1073, 1074, 1075, 1171, 1260, 1261}
    return {
        tag: TagRule(kind, longest, tag in many)
        for kind, tags in kinds.items()
        for tag, longest in tags.items()
    }


DOCUMENT_TAGS: Final[Mapping[int, TagRule]] = _rules(
    text={
        **{1005: 256, 1008: 64, 1009: 256, 1016: 12, 1021: 64, 1026: 64, 1036: 20, 1044: 24},
        **{1060: 256, 1073: 19, 1074: 19, 1075: 19, 1117: 64, 1171: 19, 1177: 256, 1179: 32},
        **{1187: 256, 1192: 16, 1203: 12, 1227: 256, 1228: 12, 1276: 32, 1278: 32},
    },
    number={1011: 1, 1055: 1, 1057: 1, 1108: 1, 1125: 1, 1173: 1, 1178: 4},
    bytes={1277: 32, 1279: 32},
    nested={1084: 320, 1174: 292, 1234: 1024, 1256: 1024, 1261: 317, 1270: 144},
)
ITEM_TAGS: Final[Mapping[int, TagRule]] = _rules(
    text={1191: 64, 1197: 16, 1226: 12, 1230: 3, 1231: 32},
    number={1198: 6, 1200: 6, 1222: 1, 1229: 6, 2102: 1, 2106: 1, 2108: 1},
    bytes={1162: 32},
    nested={1163: 256, 1223: 512, 1224: 512, 1260: 317, 1291: 52},
)
