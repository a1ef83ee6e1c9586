"""The registrar: a command's payload in, the answer's out.  Source: [SHTRIH] 4, 5, 9, 10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rig import (
    documents,
    shtrih_correction,
    shtrih_items,
    shtrih_life,
    shtrih_marking,
    shtrih_receipt,
    shtrih_service,
    shtrih_shift,
    shtrih_storage,
    shtrih_tags,
    tlv,
)
from rig.faults import Faults, error_byte
from rig.fn import REGISTRATION, FnRefused
from rig.shtrih_requests import Request
from rig.shtrih_settings import FISCAL, PASSWORDS
from rig.shtrih_tables import Command, find_command
from rig.till import Refused, Till

HANDLERS: Final[Mapping[str, shtrih_receipt.Handler]] = {
    **shtrih_service.HANDLERS,
    **shtrih_shift.HANDLERS,
    **shtrih_receipt.HANDLERS,
    **shtrih_items.HANDLERS,
    **shtrih_correction.HANDLERS,
    **shtrih_marking.HANDLERS,
    **shtrih_life.HANDLERS,
    **shtrih_tags.HANDLERS,
    **shtrih_storage.HANDLERS,
}
PAPER_ERRORS: Final[Mapping[int, int]] = {1: 0x6B, 2: 0x6B, 3: 0x58, 4: 0x50, 5: 0x50}
CLOSES_SHIFT: Final = {"z_report", "fn_close_shift"}
UNKNOWN: Final = 0x37


class Registrar:
    """One device; everything durable is on disk when `execute` returns."""

    def __init__(self, till: Till, faults: Faults) -> None:
        self.till = till
        self._faults = faults
        if not till.fn.documents:
            now = till.now()
            till.fn.sign(
                REGISTRATION, now, lambda _numbers: documents.registration(till.settings, now)
            )
            till.commit()
        _check_owner(till)
        till.power_on()

    def execute(self, payload: bytes, now_s: float) -> bytes:
        """Run one command; an error answer means nothing has changed."""
        self.till.tick(now_s)
        command = find_command(payload)
        if command is None:
            return _unknown(payload)
        self.till.lose_paper_before(command.name)
        try:
            self._obey_faults(command)
            request = self._admit(command, payload)
            answer = HANDLERS[command.name](self.till, request)
        except (Refused, FnRefused) as refusal:
            self.till.roll_back()
            return command.code_bytes + bytes([refusal.code])
        self.till.commit()
        if command.name in shtrih_marking.AFTERWARDS:
            shtrih_marking.AFTERWARDS[command.name](self.till.marks)
        if command.name in CLOSES_SHIFT:
            self._faults.clear("printer", "shift_over_24h")
        if command.prints or command.name in ("continue_print", "cancel_receipt"):
            self.till.start_printing(command.name)
        head = bytes([request.operator]) if command.names_operator else b""
        return command.code_bytes + b"\0" + head + answer

    def power_off(self, now_s: float) -> None:
        self.till.tick(now_s)
        self.till.power_off()

    def power_on(self, now_s: float) -> None:
        self.till.tick(now_s)
        self.till.power_on()

    def _obey_faults(self, command: Command) -> None:
        fault = self._faults.take("printer", "refuse", command.name)
        if fault is not None:
            raise Refused(error_byte(fault.settings["code"]))
        busy = self._faults.find("printer", "busy", command.name)
        # Nobody is too busy to tell its status, unless the fault names that command.
        if busy is not None and (command.prints or busy.settings.get("command")):
            self._faults.use(busy)
            raise Refused(0x50)

    def _admit(self, command: Command, payload: bytes) -> Request:
        """Length, password, mode, paper: in this order."""
        options = self.till.options
        if not command.length_min <= len(payload) <= command.length_max:
            raise Refused(options.wrong_length)
        operator = self._operator(command, payload)
        mode = self.till.mode
        if mode not in command.modes:
            if mode == 6:
                raise Refused(0xC0)
            raise Refused(options.wrong_mode)
        if command.prints and self.till.submode in PAPER_ERRORS:
            raise Refused(PAPER_ERRORS[self.till.submode])
        return Request(command, payload, operator)

    def _operator(self, command: Command, payload: bytes) -> int:
        """The operator a password belongs to; 4F for a wrong one."""
        if not command.who:
            return 0
        start = len(command.code_bytes)
        password = int.from_bytes(payload[start : start + 4], "little")
        for operator in sorted(command.who):
            if self.till.settings.number(PASSWORDS, operator, 1) == password:
                return operator
        raise Refused(0x4F)


def _check_owner(till: Till) -> None:
    """A memory of another FN or owner is a mistake of whoever started this till."""
    first = till.fn.documents[0].tags()
    wanted = {1041: till.fn.fn_number, 1018: till.settings.text(FISCAL, 1, 2)}
    for number, value in wanted.items():
        kept = tlv.find(first, number)
        if kept is not None and kept.text().strip() != value.strip():
            raise ValueError(f"this memory belongs to {kept.text().strip()}, not {value.strip()}")


def _unknown(payload: bytes) -> bytes:
    """37h; of a two-byte code both bytes come back."""
    code = payload[:2] if payload[:1] == b"\xff" and len(payload) > 1 else payload[:1]
    return code + bytes([UNKNOWN])
