"""The device's side of Shtrih-M's standard low level, without input or output of its own.

Source: [SHTRIH] 2.2, 2.4, 2.6.  Bytes go in with the second they arrive, bytes come out with the
second they are due; tests give a virtual clock, transports the real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from rig.faults import Faults
from rig.shtrih_tables import Command, find_command
from rig.wire import TO_DEVICE, TO_HOST, Wire

ENQ, STX, ACK, NAK, STRAY = 0x05, 0x02, 0x06, 0x15, 0xFF
MS: Final = 1000


class State(Enum):
    OFF = auto()  # no power
    WAIT_ENQ = auto()
    WAIT_STX = auto()
    IN_FRAME = auto()
    RUNNING = auto()
    WAIT_CONFIRM = auto()
    WAIT_ENQ_REPEAT = auto()


class Device(Protocol):
    """What stands behind a link."""

    def execute(self, payload: bytes, now_s: float) -> bytes: ...
    def power_off(self, now_s: float) -> None: ...
    def power_on(self, now_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How this device's line behaves; times in seconds."""

    baud: int | None = None  # None: bytes take no time
    fast: bool = True  # commands take no time; False: by table
    byte_timeout_s: float = 0.05
    confirm_timeout_s: float = 3.0
    stray_ff: bool = False  # RNDIS: FF after the host's ACK
    ack_while_running: bool = True  # an ENQ during execution is ACKed; False: read later
    keep_answer_on_reconnect: bool = True
    down_s: float = 0.3  # how long a cut line stays dead
    boot_s: float = 0.3  # how long a power cut lasts


def lrc(data: bytes) -> int:
    """XOR of length and payload."""
    result = 0
    for byte in data:
        result ^= byte
    return result


def frame(payload: bytes) -> bytes:
    body = bytes([len(payload)]) + payload
    return bytes([STX]) + body + bytes([lrc(body)])


class Link:
    """One conversation at a time, with the registrar behind it."""

    def __init__(
        self,
        device: Device,
        faults: Faults,
        options: LinkOptions | None = None,
    ) -> None:
        self.options = options or LinkOptions()
        self.wire = Wire(faults, baud=self.options.baud, down_s=self.options.down_s)
        self.state = State.WAIT_ENQ
        self._device = device
        self._faults = faults
        self._buffer = bytearray()  # a frame behind its STX
        self._answer: bytes | None = None  # kept until acknowledged
        self._payload = b""
        self._executed = False
        self._command: Command | None = None
        self._due_s: float | None = None  # of the state's own timer
        self._now_s = 0.0

    # --- API -------------------------------------------------------------------------------

    def receive(self, data: bytes, now_s: float) -> None:
        """Bytes from the host, put on the line at `now_s`."""
        self._advance(now_s)
        self.wire.from_host(data, now_s)
        self._advance(now_s)

    def transmit(self, now_s: float) -> bytes:
        """Bytes that have reached the host by `now_s`."""
        self._advance(now_s)
        return self.wire.to_host(now_s)

    def next_due_s(self) -> float | None:
        """When something happens by itself; None: not before the host speaks."""
        arrival_s = None if self._deaf() else self.wire.arrival_s()
        moments = (self._due_s, arrival_s, self.wire.departure_s())
        due = [moment for moment in moments if moment is not None]
        return min(due) if due else None

    def is_up(self, now_s: float) -> bool:
        """Whether a host finds anything at the other end."""
        self._advance(now_s)
        return self.wire.is_up(now_s)

    def reconnect(self, now_s: float) -> None:
        """A new TCP connection: a half-read frame is gone, the answer is kept by default."""
        self._advance(now_s)
        self.wire.drop(now_s, now_s)
        self.wire.to_host(now_s)
        if self.state is State.IN_FRAME:
            self._enter(State.WAIT_STX)
        if not self.options.keep_answer_on_reconnect and self.state in (
            State.WAIT_CONFIRM,
            State.WAIT_ENQ_REPEAT,
        ):
            self._forget_answer()

    def cut_power(self, now_s: float, back_s: float | None = None) -> None:
        """RAM of the link is lost; the line and the device are back after `boot_s`."""
        if back_s is None:
            back_s = now_s + self.options.boot_s
        self._buffer.clear()
        self._answer = None
        self._payload = b""
        self._command = None
        self.wire.drop(now_s, back_s)
        self._device.power_off(now_s)
        self.state = State.OFF
        self._due_s = back_s

    # --- time ------------------------------------------------------------------------------

    def _advance(self, now_s: float) -> None:
        """Live through everything due by now, in its order."""
        self.wire.look_at_the_plug(now_s)
        while True:
            arrival_s = None if self._deaf() else self.wire.arrival_s()
            moments = [moment for moment in (self._due_s, arrival_s) if moment is not None]
            if not moments or min(moments) > now_s:
                break
            moment = min(moments)
            self._now_s = max(self._now_s, moment)
            # A byte that arrives in the very moment of a timeout was in time.
            if arrival_s is not None and arrival_s <= moment:
                self._take_byte()
            else:
                self._time_is_up()
        self._now_s = max(self._now_s, now_s)

    def _deaf(self) -> bool:
        """The device that reads nothing while it works leaves the bytes on the line."""
        return self.state is State.RUNNING and not self.options.ack_while_running

    def _take_byte(self) -> None:
        if self.state is State.WAIT_STX:
            command = self._command_ahead()
            if command is not None and self.wire.arm_cut(command.name, TO_DEVICE, 0):
                self.wire.cut_now(self._now_s, TO_DEVICE)
                return
        byte = self.wire.take()
        if byte is not None:
            self._READERS[self.state](self, byte)

    def _time_is_up(self) -> None:
        self._due_s = None
        if self.state is State.OFF:
            self._device.power_on(self._now_s)
            self._enter(State.WAIT_ENQ)
        elif self.state is State.IN_FRAME:
            self._reject_frame()
        elif self.state is State.RUNNING:
            self._run()
        elif self.state is State.WAIT_CONFIRM:
            self._enter(State.WAIT_ENQ_REPEAT)

    # --- states ----------------------------------------------------------------------------

    def _enter(self, state: State, due_s: float | None = None) -> None:
        self.state = state
        self._due_s = due_s

    def _say(self, byte: int) -> None:
        self.wire.send(bytes([byte]), self._now_s)

    def _in_wait_enq(self, byte: int) -> None:
        if byte == ENQ:
            self._say(NAK)
            self._enter(State.WAIT_STX)

    def _in_wait_stx(self, byte: int) -> None:
        if byte != STX:
            self._say(NAK)
            return
        self._buffer.clear()
        self._enter(State.IN_FRAME, self._now_s + self.options.byte_timeout_s)

    def _in_frame(self, byte: int) -> None:
        self._buffer.append(byte)
        if self._buffer[0] == 0:
            self._reject_frame()
            return
        if len(self._buffer) in (2, 3) and self._cut_late():
            return
        if len(self._buffer) < self._buffer[0] + 2:
            self._due_s = self._now_s + self.options.byte_timeout_s
        elif lrc(bytes(self._buffer)) != 0:
            self._reject_frame()
        else:
            self._accept_frame(bytes(self._buffer[1:-1]))

    def _while_running(self, byte: int) -> None:
        if byte == ENQ:
            self._say(ACK)

    def _in_wait_confirm(self, byte: int) -> None:
        if byte == ACK:
            self._forget_answer()
            if self.options.stray_ff:
                self._say(STRAY)
        else:
            self._enter(State.WAIT_ENQ_REPEAT)

    def _in_wait_enq_repeat(self, byte: int) -> None:
        if byte == ENQ:
            self._say(ACK)
            self._send_answer()

    def _without_power(self, byte: int) -> None:
        """Nobody hears it."""

    _READERS: Final = {
        State.OFF: _without_power,
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
        self._buffer.clear()
        self._enter(State.WAIT_STX)

    def _accept_frame(self, payload: bytes) -> None:
        self._buffer.clear()
        command = find_command(payload)
        name = "" if command is None else command.name
        if self._faults.take("printer", "nak", name) is not None:
            self._reject_frame()
            return
        self.wire.arm_cut(name, TO_HOST, 0)
        self._say(ACK)
        self._payload, self._command, self._executed = payload, command, False
        run_ms = 0 if self.options.fast or command is None else command.run_ms
        self._enter(State.RUNNING, self._now_s + run_ms / MS)
        if run_ms == 0:
            self._run()

    def _run(self) -> None:
        """Execute, then answer; a `slow` fault comes between the two."""
        name = "" if self._command is None else self._command.name
        if not self._executed:
            if self._cuts_power("before", name):
                return
            self._answer = self._device.execute(self._payload, self._now_s)
            self._executed = True
            slow = self._faults.take("printer", "slow", name)
            if slow is not None:
                self._enter(State.RUNNING, self._now_s + float(str(slow.settings["ms"])) / MS)
                return
        if not self._cuts_power("after", name):
            self._send_answer()

    def _send_answer(self) -> None:
        name = "" if self._command is None else self._command.name
        self._enter(State.WAIT_CONFIRM, self._now_s + self.options.confirm_timeout_s)
        if self._answer is not None and self._faults.take("printer", "lose_reply", name) is None:
            self.wire.send(frame(self._answer), self._now_s)

    def _forget_answer(self) -> None:
        self._answer = None
        self._command = None
        self._enter(State.WAIT_STX)

    # --- faults ----------------------------------------------------------------------------

    def _cuts_power(self, when: str, name: str) -> bool:
        fault = self._faults.take(
            "printer", "power_cut", name, lambda fault: fault.settings["when"] == when
        )
        if fault is None:
            return False
        self.cut_power(self._now_s)
        return True

    def _command_ahead(self) -> Command | None:
        """The command of a frame whose head already lies on the line."""
        head = self.wire.peek(4)
        return find_command(head[2:]) if len(head) > 2 and head[0] == STX else None

    def _cut_late(self) -> bool:
        """The code came byte by byte: count what has passed, drop the line if that is too much."""
        command = find_command(bytes(self._buffer[1:]))
        already = 1 + len(self._buffer)
        if command is None or not self.wire.arm_cut(command.name, TO_DEVICE, already):
            return False
        self.wire.cut_now(self._now_s, TO_DEVICE)
        return True
