"""The device's side of Shtrih-M's alternative low level, protocol 2.  Source: [SHTRIH] 3.

Where the source is silent: a bare 8F inside a frame damages it and begins the next one; a frame
with a number and no data is taken for an empty one; frames heard while a command runs are lost
(`ack_while_running`), or read afterwards and answered by repeats; a device that keeps nothing over
a connection (`keep_answer_on_reconnect` off) numbers from 1 again.
"""

from __future__ import annotations

import binascii
from typing import Final

from rig.faults import Faults
from rig.line import PROTOCOL_1, PROTOCOL_2, Device, Level, Line, LinkOptions, State
from rig.link import Level1

START, ESCAPE = 0x8F, 0x9F
STUFFED: Final = {START: 0x81, ESCAPE: 0x83}
MEANT: Final = {second: byte for byte, second in STUFFED.items()}
FIRST_NUMBER: Final = 1  # "last answered" after power-on
NUMBERS: Final = 0x10000
CRC_START: Final = 0xFFFF
SIZE: Final = 2  # bytes of LEN, NUM and CRC each


def crc16(data: bytes) -> int:
    """CCITT: polynomial 1021, from FFFF, nothing reflected."""
    return binascii.crc_hqx(data, CRC_START)


def stuff(data: bytes) -> bytes:
    """Everything behind the 8F as it goes over the line."""
    return b"".join(
        bytes([ESCAPE, STUFFED[byte]]) if byte in STUFFED else bytes([byte]) for byte in data
    )


def unstuff(data: bytes) -> bytes | None:
    """The same back; None when damaged.  A 9F at the very end waits for its second byte."""
    meant = bytearray()
    escaped = False
    for byte in data:
        if escaped:
            if byte not in MEANT:
                return None
            meant.append(MEANT[byte])
            escaped = False
        elif byte == START:
            return None
        elif byte == ESCAPE:
            escaped = True
        else:
            meant.append(byte)
    return bytes(meant)


def frame2(number: int | None, payload: bytes = b"") -> bytes:
    """A frame of type III; II without payload; I without number."""
    inside = b"" if number is None else number.to_bytes(SIZE, "little") + payload
    body = len(inside).to_bytes(SIZE, "little") + inside
    return bytes([START]) + stuff(body + crc16(body).to_bytes(SIZE, "little"))


class Level2(Level):
    """Frames 8F LEN NUM DATA CRC; a number is executed once."""

    start = State.WAIT_STX

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._raw = 0  # bytes of this frame so far, stuffing included
        self._escaped = False
        self.number = FIRST_NUMBER  # of the last answer
        self._running = FIRST_NUMBER
        self._answer = b""  # empty: nothing executed since power-on

    def hear(self, byte: int) -> None:
        if self.line.state is State.RUNNING:
            return
        if byte == START:
            self.buffer.clear()
            self._raw, self._escaped = 1, False
            self.line.wait_for_byte()
        elif self.line.state is State.IN_FRAME:
            self._raw += 1
            self._in_frame(byte)

    def time_is_up(self) -> None:
        self._drop()

    def answered(self, answer: bytes) -> None:
        self.number, self._answer = self._running, answer
        self._send()

    def forget(self) -> None:
        self.buffer.clear()
        self.number, self._answer = FIRST_NUMBER, b""

    def forget_answer(self) -> None:
        if self.line.state is not State.RUNNING:
            self.forget()

    def payload_ahead(self, head: bytes) -> bytes:
        if head[:1] != bytes([START]):
            return b""
        body = unstuff(head[1:].split(bytes([START]))[0]) or b""
        return body[2 * SIZE :]

    def _in_frame(self, byte: int) -> None:
        if self._escaped and byte not in MEANT:
            self._drop()
            return
        self.line.wait_for_byte()
        if byte == ESCAPE:
            self._escaped = True
            return
        self.buffer.append(MEANT[byte] if self._escaped else byte)
        self._escaped = False
        self._look()

    def _look(self) -> None:
        """One more byte is known: is the frame impossible, whole, or to be cut?"""
        read = len(self.buffer)
        if read < SIZE:
            return
        size = int.from_bytes(self.buffer[:SIZE], "little")
        if size == 1:
            self._drop()
            return
        payload = bytes(self.buffer[2 * SIZE : SIZE + size])
        if 1 <= len(payload) <= 2 and self.line.cut_late(payload, self._raw):
            return
        if read == SIZE + size + SIZE:
            self._whole(size)

    def _whole(self, size: int) -> None:
        body = bytes(self.buffer[: SIZE + size])
        good = crc16(body) == int.from_bytes(self.buffer[-SIZE:], "little")
        self._drop()
        if not good:
            return
        number = int.from_bytes(body[SIZE : 2 * SIZE], "little")
        payload = body[2 * SIZE :]
        if payload and number == (self.number + 1) % NUMBERS:
            self._running = number
            self.line.accept(payload, b"")
        else:
            self._send()

    def _drop(self) -> None:
        self.buffer.clear()
        self.line.enter(State.WAIT_STX)

    def _send(self) -> None:
        """The last answer with its number, now or again."""
        self.line.enter(State.WAIT_STX)
        self.line.send_answer(frame2(self.number, self._answer))


class Link2(Line):
    """A device that speaks protocol 2 alone."""

    def __init__(self, device: Device, faults: Faults, options: LinkOptions | None = None) -> None:
        super().__init__(device, faults, options, {PROTOCOL_2: Level2})


class AnyLink(Line):
    """A device that lets the first byte decide, unless `protocol` does."""

    def __init__(self, device: Device, faults: Faults, options: LinkOptions | None = None) -> None:
        super().__init__(device, faults, options, {PROTOCOL_1: Level1, PROTOCOL_2: Level2})
