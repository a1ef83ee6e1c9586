"""Who answers on the line: which till, with which FN, registered how.  Source: [SHTRIH] 11, 12.

A line that was lost and came back may lead to another till: whoever asks reads the status again and
decides, and before that nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kktd.clock import Deadline
from kktd.printers.base import PrinterIdentity
from kktd.printers.shtrih import answers, payload
from kktd.printers.shtrih.answers import DeviceRefused
from kktd.printers.shtrih.commands import (
    DEVICE_TYPE,
    FN_STATUS,
    FULL_STATUS,
    PARAMETERS,
    READ_TABLE,
)
from kktd.printers.shtrih.session import Session
from kktd.wire.exchange import NotSent

SERIAL_FIELD: Final = 1  # of the storage table's first row, [SHTRIH] 12: table 18 on most models
INN_FIELD: Final = 2
REGION_TABLE: Final = 17
FORMAT_FIELD: Final = 17
FORMATS: Final = {1: "1.0", 2: "1.05", 3: "1.1", 4: "1.2"}


class Who:
    """Of one line; what was read is forgotten when the line or its till may be another."""

    def __init__(self, session: Session, another: Callable[[], None]) -> None:
        """`another` is called before each reading: what else was kept may be another till's."""
        self._session = session
        self._another = another
        self._identity: PrinterIdentity | None = None
        self._short_serial = ""  # as 11h shows it
        self._seen: tuple[str, str] | None = None  # serial and FN of the last status
        self.model = 0

    def forget(self) -> None:
        self._identity = None

    def read(self, by: Deadline) -> PrinterIdentity:
        """Once for each connection."""
        if self._identity is not None and self._session.connected:
            return self._identity
        self._identity = None
        self._another()
        call = self._session.call
        device = answers.device_type(call(DEVICE_TYPE, by))
        full = answers.full_status(call(FULL_STATUS, by))
        table = answers.STORAGE_TABLE
        with suppress(DeviceRefused):  # older firmware has no F7h, smart terminals no table 18
            table = answers.storage_table(call(PARAMETERS, by, b"\x01"))
        serial = answers.table_text(self._setting(table, SERIAL_FIELD, by))
        inn = answers.table_text(self._setting(table, INN_FIELD, by))
        form = int.from_bytes(self._setting(REGION_TABLE, FORMAT_FIELD, by)[2:], "little")
        fn = self.fn_status(by).fn
        self.model = device.model
        self._short_serial = full.serial
        self._identity = PrinterIdentity(
            device.name,
            serial or full.serial,
            fn,
            full.firmware,
            FORMATS.get(form),
            inn or None,
        )
        return self._identity

    def note_status(self, full: answers.FullStatus, by: Deadline) -> tuple[str, answers.FnStatus]:
        """The serial number behind a status, and its FN: from here on another till is another."""
        if full.serial != self._short_serial:
            self._identity = None  # the cable goes to another till by now
        fn = self.fn_status(by)
        if self._identity is not None and self._identity.fn != fn.fn:
            self._identity = None  # it was opened, and has another FN
        serial = self.read(by).serial
        self._seen = serial, fn.fn
        return serial, fn

    def require_same(self, by: Deadline) -> None:
        """Before anything is changed: it is the till and the FN of the last status."""
        if self._seen is None:
            return
        identity = self.read(by)
        if (identity.serial, identity.fn) != self._seen:
            raise NotSent("another till or FN answers than the one last asked")

    def fn_before(self, by: Deadline) -> answers.FnStatus:
        """The FN before a document, and still the one of the last status."""
        status = self.fn_status(by)
        if self._seen is not None and status.fn != self._seen[1]:
            raise NotSent("another FN answers than the one last asked")
        return status

    def fn_status(self, by: Deadline) -> answers.FnStatus:
        return answers.fn_status(self._session.call(FN_STATUS, by))

    def _setting(self, table: int, field: int, by: Deadline) -> bytes:
        """The answer with a field of the table's first row; an empty one where it has none."""
        with suppress(DeviceRefused):
            return self._session.call(READ_TABLE, by, payload.read_table(table, 1, field))
        return b""
