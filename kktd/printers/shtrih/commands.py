"""Shtrih-M commands used by kktd.  Source: [SHTRIH] 6, 7; waits 2.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the vendor's list."""

    name: str
    code: bytes  # one byte, or FF and one
    reply_ms: int  # longest wait for the answer after the command was taken
    registers: bool  # a lost answer leaves a document in doubt
    repeatable: bool  # asking twice changes nothing
    answer_bytes_min: int  # of an answer without error, code and error byte included
    source: str  # key and place in docs/sources.md
    password: bool = True


SHORT_STATUS: Final = Command("short status", b"\x10", 3_000, False, True, 16, "[SHTRIH] 10h")
FULL_STATUS: Final = Command("full status", b"\x11", 3_000, False, True, 48, "[SHTRIH] 11h")
MONEY_REGISTER: Final = Command("money register", b"\x1a", 3_000, False, True, 9, "[SHTRIH] 1Ah")
OPERATION_REGISTER: Final = Command(
    "operation register", b"\x1b", 3_000, False, True, 5, "[SHTRIH] 1Bh"
)
READ_TABLE: Final = Command("read table", b"\x1f", 3_000, False, True, 3, "[SHTRIH] 1Fh")
WRITE_TABLE: Final = Command("write table", b"\x1e", 3_000, False, True, 2, "[SHTRIH] 1Eh")
SET_TIME: Final = Command("set time", b"\x21", 3_000, False, False, 2, "[SHTRIH] 21h")
SET_DATE: Final = Command("set date", b"\x22", 3_000, False, False, 2, "[SHTRIH] 22h")
CONFIRM_DATE: Final = Command("confirm date", b"\x23", 3_000, False, False, 2, "[SHTRIH] 23h")
TABLE_SHAPE: Final = Command("table structure", b"\x2d", 3_000, False, True, 45, "[SHTRIH] 2Dh")
FIELD_SHAPE: Final = Command("field structure", b"\x2e", 3_000, False, True, 44, "[SHTRIH] 2Eh")
CUT: Final = Command("cut", b"\x25", 10_000, False, False, 3, "[SHTRIH] 25h")
OPEN_DRAWER: Final = Command("open drawer", b"\x28", 10_000, False, False, 3, "[SHTRIH] 28h")
X_REPORT: Final = Command("X-report", b"\x40", 30_000, False, False, 3, "[SHTRIH] 40h")
CLOSE_SHIFT: Final = Command("close shift", b"\x41", 65_000, True, False, 3, "[SHTRIH] 41h")
# 50h, 51h: no fiscal document, and yet a lost answer leaves a doubt (docs/decisions, 008)
CASH_IN: Final = Command("cash in", b"\x50", 10_000, False, False, 5, "[SHTRIH] 50h")
CASH_OUT: Final = Command("cash out", b"\x51", 10_000, False, False, 5, "[SHTRIH] 51h")
CANCEL_RECEIPT: Final = Command("cancel receipt", b"\x88", 10_000, False, False, 3, "[SHTRIH] 88h")
SUBTOTAL: Final = Command("subtotal", b"\x89", 10_000, False, True, 8, "[SHTRIH] 89h")
PRINT_COPY: Final = Command("print copy", b"\x8c", 10_000, False, False, 3, "[SHTRIH] 8Ch")
OPEN_RECEIPT: Final = Command("open receipt", b"\x8d", 10_000, False, False, 3, "[SHTRIH] 8Dh")
CONTINUE_PRINT: Final = Command("continue print", b"\xb0", 10_000, False, False, 3, "[SHTRIH] B0h")
# E0h: one text of the vendor gives two bytes, real ones send three ([SHTRIH] 14)
OPEN_SHIFT: Final = Command("open shift", b"\xe0", 120_000, True, False, 2, "[SHTRIH] E0h")
PARAMETERS: Final = Command("parameters", b"\xf7", 3_000, False, True, 10, "[SHTRIH] F7h", False)
DEVICE_TYPE: Final = Command("device type", b"\xfc", 3_000, False, True, 8, "[SHTRIH] FCh", False)

FN_STATUS: Final = Command("FN status", b"\xff\x01", 30_000, False, True, 33, "[SHTRIH] FF01h")
FN_EXPIRY: Final = Command("FN expiry", b"\xff\x03", 30_000, False, True, 6, "[SHTRIH] FF03h")
CANCEL_DOCUMENT: Final = Command(
    "cancel FN document", b"\xff\x08", 30_000, False, True, 3, "[SHTRIH] FF08h"
)
FIND_DOCUMENT: Final = Command(
    "find document", b"\xff\x0a", 30_000, False, True, 18, "[SHTRIH] FF0Ah"
)
SEND_TLV: Final = Command("send TLV", b"\xff\x0c", 30_000, False, False, 3, "[SHTRIH] FF0Ch")
EXCHANGE_STATUS: Final = Command(
    "exchange status", b"\xff\x39", 30_000, False, True, 16, "[SHTRIH] FF39h"
)
REQUEST_TLV: Final = Command(
    "request document in TLV", b"\xff\x3a", 30_000, False, True, 7, "[SHTRIH] FF3Ah"
)
READ_TLV: Final = Command("read TLV", b"\xff\x3b", 30_000, False, False, 3, "[SHTRIH] FF3Bh")
SHIFT_STATE: Final = Command("shift state", b"\xff\x40", 30_000, False, True, 8, "[SHTRIH] FF40h")
BEGIN_SHIFT: Final = Command(
    "begin opening shift", b"\xff\x41", 30_000, False, False, 3, "[SHTRIH] FF41h"
)
BEGIN_SHIFT_CLOSE: Final = Command(
    "begin closing shift", b"\xff\x42", 30_000, False, False, 3, "[SHTRIH] FF42h"
)
CLOSE_RECEIPT: Final = Command(
    "close receipt", b"\xff\x45", 30_000, True, False, 16, "[SHTRIH] FF45h"
)
OPERATION: Final = Command("operation", b"\xff\x46", 30_000, False, False, 3, "[SHTRIH] FF46h")
BEGIN_CORRECTION: Final = Command(
    "begin correction", b"\xff\x35", 30_000, False, False, 3, "[SHTRIH] FF35h"
)
CORRECTION: Final = Command("correction", b"\xff\x4a", 30_000, True, False, 13, "[SHTRIH] FF4Ah")
LINE_TLV: Final = Command("TLV of a line", b"\xff\x4d", 30_000, False, False, 3, "[SHTRIH] FF4Dh")
# FF61h, FF67h: a server far away may be asked ([SHTRIH] 2.4)
CHECK_MARK: Final = Command(
    "check marking code", b"\xff\x61", 40_000, False, False, 7, "[SHTRIH] FF61h"
)
BIND_MARK: Final = Command(
    "bind marking code", b"\xff\x67", 40_000, False, False, 6, "[SHTRIH] FF67h"
)
DECIDE_MARK: Final = Command(
    "accept or reject marking code", b"\xff\x69", 30_000, False, False, 3, "[SHTRIH] FF69h"
)
FN_MEMORY: Final = Command("FN memory", b"\xff\x63", 30_000, False, True, 7, "[SHTRIH] FF63h")

COMMANDS: Final = (
    SHORT_STATUS,
    FULL_STATUS,
    MONEY_REGISTER,
    OPERATION_REGISTER,
    READ_TABLE,
    WRITE_TABLE,
    SET_TIME,
    SET_DATE,
    CONFIRM_DATE,
    TABLE_SHAPE,
    FIELD_SHAPE,
    CUT,
    OPEN_DRAWER,
    X_REPORT,
    CLOSE_SHIFT,
    CASH_IN,
    CASH_OUT,
    CANCEL_RECEIPT,
    SUBTOTAL,
    PRINT_COPY,
    OPEN_RECEIPT,
    CONTINUE_PRINT,
    OPEN_SHIFT,
    PARAMETERS,
    DEVICE_TYPE,
    FN_STATUS,
    FN_EXPIRY,
    EXCHANGE_STATUS,
    FN_MEMORY,
    CANCEL_DOCUMENT,
    FIND_DOCUMENT,
    SEND_TLV,
    REQUEST_TLV,
    READ_TLV,
    SHIFT_STATE,
    BEGIN_SHIFT,
    BEGIN_SHIFT_CLOSE,
    CLOSE_RECEIPT,
    OPERATION,
    BEGIN_CORRECTION,
    CORRECTION,
    LINE_TLV,
    CHECK_MARK,
    BIND_MARK,
    DECIDE_MARK,
)
