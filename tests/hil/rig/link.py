"""The device's side of Shtrih-M's standard low level, protocol 1.

Source: [SHTRIH] 2.2, 2.4, 2.6.
"""

from __future__ import annotations

from typing import Final

from rig.faults import Faults
from rig.line import PROTOCOL_1, Device, Level, Line, LinkOptions, State
from rig.shtrih_tables import find_command

__all__ = ["Device", "Level1", "Link", "LinkOptions", "State", "frame", "lrc"]

ENQ, STX, ACK, NAK, STRAY = 0x05, 0x02, 0x06, 0x15, 0xFF


def lrc(data: bytes) -> int:
    """XOR of length and payload."""
    result = 0
    for byte in data:
        result ^= byte
    return result


def frame(payload: bytes) -> bytes:
    body = bytes([len(payload)]) + payload
    return bytes([STX]) + body + bytes([lrc(body)])


class Level1(Level):
    """ENQ, ACK, NAK and frames 02 N payload LRC."""

    start = State.WAIT_ENQ

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._answer: bytes | None = None  # kept until acknowledged

    def hear(self, byte: int) -> None:
        self._READERS[self.line.state](self, byte)

    def time_is_up(self) -> None:
        if self.line.state is State.IN_FRAME:
            self._reject_frame()
        elif self.line.state is State.WAIT_CONFIRM:
            self.line.enter(State.WAIT_ENQ_REPEAT)

    def answered(self, answer: bytes) -> None:
        self._answer = answer
        self._send_answer()

    def forget(self) -> None:
        self.buffer.clear()
        self._answer = None

    def forget_answer(self) -> None:
        if self.line.state in (State.WAIT_CONFIRM, State.WAIT_ENQ_REPEAT):
            self._confirmed()

    def payload_ahead(self, head: bytes) -> bytes:
        return head[2:] if head[:1] == bytes([STX]) else b""

    # --- states ----------------------------------------------------------------------------

    def _say(self, byte: int) -> None:
        self.line.say(bytes([byte]))

    def _in_wait_enq(self, byte: int) -> None:
        if byte == ENQ:
            self._say(NAK)
            self.line.enter(State.WAIT_STX)

    def _in_wait_stx(self, byte: int) -> None:
        if byte != STX:
            self._say(NAK)
            return
        self.buffer.clear()
        self.line.wait_for_byte()

    def _in_frame(self, byte: int) -> None:
        self.buffer.append(byte)
        if self.buffer[0] == 0:
            self._reject_frame()
            return
        read = len(self.buffer)
        if read in (2, 3) and self.line.cut_late(bytes(self.buffer[1:]), 1 + read):
            return
        if read < self.buffer[0] + 2:
            self.line.wait_for_byte()
        elif lrc(bytes(self.buffer)) != 0:
            self._reject_frame()
        else:
            self._accept_frame(bytes(self.buffer[1:-1]))

    def _while_running(self, byte: int) -> None:
        if byte == ENQ:
            self._say(ACK)

    def _in_wait_confirm(self, byte: int) -> None:
        if byte == ACK:
            self._confirmed()
            if self.line.options.stray_ff:
                self._say(STRAY)
        else:
            self.line.enter(State.WAIT_ENQ_REPEAT)

    def _in_wait_enq_repeat(self, byte: int) -> None:
        if byte == ENQ:
            self._say(ACK)
            self._send_answer()

    _READERS: Final = {
        State.WAIT_ENQ: _in_wait_enq,
        State.WAIT_STX: _in_wait_stx,
        State.IN_FRAME: _in_frame,
        State.RUNNING: _while_running,
        State.WAIT_CONFIRM: _in_wait_confirm,
        State.WAIT_ENQ_REPEAT: _in_wait_enq_repeat,
    }

    # --- frames ----------------------------------------------------------------------------

    def _reject_frame(self) -> None:
        self._say(NAK)
        self.buffer.clear()
        self.line.enter(State.WAIT_STX)

    def _accept_frame(self, payload: bytes) -> None:
        command = find_command(payload)
        name = "" if command is None else command.name
        if self.line.faults.take("printer", "nak", name) is not None:
            self._reject_frame()
            return
        self.buffer.clear()
        self.line.accept(payload, bytes([ACK]))

    def _send_answer(self) -> None:
        line = self.line
        line.enter(State.WAIT_CONFIRM, line.now_s + line.options.confirm_timeout_s)
        if self._answer is not None:
            line.send_answer(frame(self._answer))

    def _confirmed(self) -> None:
        self._answer = None
        self.line.command = None
        self.line.enter(State.WAIT_STX)


class Link(Line):
    """A device that speaks protocol 1 alone."""

    def __init__(self, device: Device, faults: Faults, options: LinkOptions | None = None) -> None:
        super().__init__(device, faults, options, {PROTOCOL_1: Level1})
