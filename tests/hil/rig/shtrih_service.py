"""Status, model, tables, registers, clock and loose printing.

Source: [SHTRIH] 6, 6.1, 6.2, 6.4, 11, 12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from rig.shtrih_requests import Request, dmy, fixed, hms, le
from rig.shtrih_settings import FISCAL, READ_ONLY_TABLES, BadValue, NoSuchCell
from rig.shtrih_tables import ERRORS
from rig.till import Refused, Till

Handler = Callable[[Till, Request], bytes]

FIRMWARE: Final = b"C3" + le(664, 2) + bytes([21, 1, 26])
NO_SERIAL: Final = 0xFFFF_FFFF
# What FCh says of the family whose bytes of VAT rates it takes
MODELS: Final = {"nano": (152, "ШТРИХ-НАНО-Ф"), "standard": (250, "ШТРИХ-М-01Ф")}
BAUD_115200: Final = 6
# receipt optical sensor, cover, receipt lever, cutter, drawer sensor, 22 non-fiscal documents,
# 36 6Bh, 43 ФН, 45 tag autoprint, 47 ФФД 1.1, 48 corrections by 8Dh
MODEL_FLAGS: Final = sum(1 << bit for bit in (1, 3, 4, 6, 13, 15, 22, 36, 43, 45, 47, 48))
PROTOCOL_2_FLAG: Final = 1 << 28


def short_status(till: Till, _request: Request) -> bytes:
    """10h, 16 bytes (17 with the last print result); the operator is put in by the registrar."""
    receipt = till.state.receipt
    operations = len(receipt.items) if receipt is not None else 0
    answer = (
        le(_flags(till), 2)
        + bytes([till.mode_byte, till.submode, operations & 0xFF, 0x9D, 0xD7, 0, 0])
        + bytes([operations >> 8])
        + b"\xff\xff\xff"
    )
    if till.options.short_status_17:
        answer += bytes([{0: 0, 5: 5}.get(till.submode, 1)])
    return answer


def full_status(till: Till, _request: Request) -> bytes:
    """11h, 48 bytes with the legacy ФП fields."""
    now, settings = till.now(), till.settings
    serial = till.identity(1).strip()
    short = int(serial) if serial.isdigit() and int(serial) < NO_SERIAL else NO_SERIAL
    registrations = sum(document.form in (1, 11) for document in till.fn.documents)
    closed = till.fn.shift_number - (1 if till.fn.shift_open else 0)
    return (
        FIRMWARE
        + bytes([settings.number(1, 1, 1)])
        + le(till.state.through, 2)
        + le(_flags(till), 2)
        + bytes([till.mode_byte, till.submode, 0])
        + b"NA"
        + bytes(2)
        + bytes([1, 1, 16])
        + dmy(now)
        + hms(now)
        + b"\x00"
        + le(short, 4)
        + le(max(closed, 0), 2)
        + bytes(2)
        + bytes([registrations, 30 - registrations])
        + le(int(settings.text(FISCAL, 1, 2).strip()), 6)
    )


def device_type(till: Till, _request: Request) -> bytes:
    model, name = MODELS[till.options.vat_bytes]
    return bytes([0, 0, 1, 14, model, 0]) + name.encode("cp1251")


def model_parameters(till: Till, request: Request) -> bytes:
    """F7h type 1, all 38 bytes."""
    if request.number(1, 1) != 1:
        raise Refused(0x33)
    flags = MODEL_FLAGS | (PROTOCOL_2_FLAG if till.options.protocol_2 else 0)
    return (
        le(flags, 8)
        + bytes([12, 24, 1, 12, 16, 0, 0])
        + le(0, 4)
        + le(30, 4)
        + bytes([0, 14])
        + le(255, 2)
        + bytes([0x40])
        + bytes([0x40])
        + le(950, 2)
        + bytes([FISCAL, 19, 16, 17, 17])
    )


def exchange_parameters(till: Till, _request: Request) -> bytes:
    """15h: baud code and byte timeout code of a port."""
    return bytes([BAUD_115200, till.state.byte_timeout_code])


def set_exchange(till: Till, request: Request) -> bytes:
    """14h: the byte timeout is kept; speed belongs to the transport."""
    if request.number(6, 1) > 9:
        raise Refused(0x33)
    till.state.byte_timeout_code = request.number(7, 1)
    return b""


def error_text(_till: Till, request: Request) -> bytes:
    code = request.number(1, 1)
    return ERRORS.get(code, f"ОШИБКА {code:02X}").encode("cp1251")


def money_register(till: Till, request: Request) -> bytes:
    number = request.number(5, len(request.payload) - 5)
    return le(max(0, till.state.money[number]), 6)


def operation_register(till: Till, request: Request) -> bytes:
    return le(till.state.operations[request.number(5, 1)] & 0xFFFF, 2)


def read_table(till: Till, request: Request) -> bytes:
    cell = request.number(5, 1), request.number(6, 2), request.number(8, 1)
    try:
        value = till.settings.read(*cell)
    except NoSuchCell:
        raise Refused(0x5D) from None
    if cell[:2] != (FISCAL, 1):
        return value
    shown = till.identity(cell[2])
    return value if shown == till.settings.text(*cell) else fixed(shown, len(value))


def write_table(till: Till, request: Request) -> bytes:
    """1Eh: BIN needs its whole size, CHAR may be shorter."""
    table, row, number = request.number(5, 1), request.number(6, 2), request.number(8, 1)
    value = request.rest(9)
    if table in READ_ONLY_TABLES:
        raise Refused(0x7A)
    try:
        column = till.settings.column(table, number)
        if len(value) > column.size or (not column.is_text and len(value) != column.size):
            raise Refused(0x7E)
        till.settings.write(table, row, number, value)
    except NoSuchCell:
        raise Refused(0x5D) from None
    except BadValue:
        raise Refused(0x33) from None
    return b""


def table_structure(till: Till, request: Request) -> bytes:
    try:
        table = till.settings.structure(request.number(5, 1))
    except NoSuchCell:
        raise Refused(0x5D) from None
    return _name(table.name) + le(table.rows, 2) + bytes([len(table.fields)])


def field_structure(till: Till, request: Request) -> bytes:
    """2Eh: CHAR fields end in two bytes 00 as real tills send them."""
    try:
        column = till.settings.column(request.number(5, 1), request.number(6, 1))
    except NoSuchCell:
        raise Refused(0x5D) from None
    head = _name(column.name) + bytes([1 if column.is_text else 0, column.size])
    if column.is_text:
        return head + bytes(2)
    return head + le(column.minimum, column.size) + le(column.maximum, column.size)


def set_time(till: Till, request: Request) -> bytes:
    hour, minute, second = request.payload[5:8]
    now = till.now()
    try:
        wanted = now.replace(hour=hour, minute=minute, second=second)
    except ValueError:
        raise Refused(0x33) from None
    till.state.clock_offset_s += round((wanted - now).total_seconds())
    return b""


def set_date(till: Till, request: Request) -> bytes:
    """22h: mode 6 until the same date comes with 23h."""
    _date(request)
    till.state.asked_date = request.payload[5:8].hex()
    return b""


def confirm_date(till: Till, request: Request) -> bytes:
    if request.payload[5:8].hex() != till.state.asked_date:
        raise Refused(0x7C)
    wanted, now = _date(request), till.now()
    moved = now.replace(year=wanted.year, month=wanted.month, day=wanted.day)
    till.state.clock_offset_s += round((moved - now).total_seconds())
    till.state.asked_date = None
    return b""


def print_string(till: Till, request: Request) -> bytes:
    """12h, 17h, 2Fh: empty strings are not printed while a receipt is open."""
    text = request.text(7 if request.command.name == "print_string_font" else 6)
    if text or till.state.receipt is None:
        till.print_lines([text])
    return b""


def nothing(_till: Till, _request: Request) -> bytes:
    """Beep, cut, feed, drawer: heard and done."""
    return b""


def continue_print(till: Till, _request: Request) -> bytes:
    till.continue_printing()
    return b""


def _flags(till: Till) -> int:
    """Point, lever; roll and optical sensor while there is paper; cover; drawer closed."""
    return 0x0210 | (0x0082 if till.state.has_paper else 0) | (0x0400 if till.cover_open else 0)


def _name(text: str) -> bytes:
    return text.encode("cp1251", "replace")[:40].ljust(40, b"\0")


def _date(request: Request) -> datetime:
    day, month, year = request.payload[5:8]
    try:
        return datetime(2000 + year, month, day)  # noqa: DTZ001 - the till's local date
    except ValueError:
        raise Refused(0x7D) from None


HANDLERS: Final[Mapping[str, Handler]] = {
    "short_status": short_status,
    "full_status": full_status,
    "device_type": device_type,
    "model_parameters": model_parameters,
    "exchange_parameters": exchange_parameters,
    "set_exchange": set_exchange,
    "error_text": error_text,
    "money_register": money_register,
    "operation_register": operation_register,
    "read_table": read_table,
    "write_table": write_table,
    "table_structure": table_structure,
    "field_structure": field_structure,
    "set_time": set_time,
    "set_date": set_date,
    "confirm_date": confirm_date,
    "print_bold_string": print_string,
    "print_string": print_string,
    "print_string_font": print_string,
    "beep": nothing,
    "cut": nothing,
    "feed": nothing,
    "drawer": nothing,
    "continue_print": continue_print,
}
