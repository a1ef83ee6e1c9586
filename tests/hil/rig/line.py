"""What both low levels of a Shtrih-M registrar share, without input or output of its own.

Source: [SHTRIH] 2.2, 3.  Bytes go in with the second they arrive, bytes come out with the second
they are due; tests give a virtual clock, transports the real one.  Time, power, execution and
faults live here; what a byte means is a Level's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from rig.faults import Faults
from rig.shtrih_tables import Command, find_command
from rig.wire import TO_DEVICE, TO_HOST, Wire

MS: Final = 1000
PROTOCOL_1, PROTOCOL_2, AUTO = "1", "2", "auto"
FIRST_BYTES: Final[Mapping[int, str]] = {0x05: PROTOCOL_1, 0x02: PROTOCOL_1, 0x8F: PROTOCOL_2}


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
    ack_while_running: bool = True  # what comes during execution is heard; False: read later
    keep_answer_on_reconnect: bool = True
    down_s: float = 0.3  # how long a cut line stays dead
    boot_s: float = 0.3  # how long a power cut lasts
    protocol: str = AUTO  # the first byte after power-on decides; or "1", "2"


class Level(ABC):
    """One low level: what bytes mean and how an answer leaves.  `start` is its state at rest."""

    start: State

    def __init__(self, line: Line) -> None:
        self.line = line
        self.buffer = bytearray()

    @abstractmethod
    def hear(self, byte: int) -> None:
        """A byte has arrived."""

    @abstractmethod
    def time_is_up(self) -> None:
        """The timer of a state of this level's own."""

    @abstractmethod
    def answered(self, answer: bytes) -> None:
        """The command has run: remember its answer and send it."""

    @abstractmethod
    def forget(self) -> None:
        """Everything in RAM is gone."""

    @abstractmethod
    def forget_answer(self) -> None:
        """A new connection of a device that keeps nothing over it."""

    @abstractmethod
    def payload_ahead(self, head: bytes) -> bytes:
        """The first bytes of the payload whose frame `head` begins; empty if it does not."""


class Line:
    """One conversation at a time, with the registrar behind it."""

    def __init__(
        self,
        device: Device,
        faults: Faults,
        options: LinkOptions | None,
        levels: Mapping[str, type[Level]],
    ) -> None:
        self.options = options or LinkOptions()
        self.wire = Wire(faults, baud=self.options.baud, down_s=self.options.down_s)
        self.faults = faults
        self.now_s = 0.0
        self._device = device
        self._levels = {name: level(self) for name, level in levels.items()}
        forced = self._levels.get(self.options.protocol)
        self._auto = forced is None and len(self._levels) > 1
        self._undecided = self._auto
        self.level = forced or next(iter(self._levels.values()))
        self.state = self.level.start
        self._payload = b""
        self._executed = False
        self._answer = b""
        self.command: Command | None = None  # the one run last
        self._due_s: float | None = None  # of the state's own timer

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
            self.enter(State.WAIT_STX)
        if not self.options.keep_answer_on_reconnect:
            self.level.forget_answer()

    def cut_power(self, now_s: float, back_s: float | None = None) -> None:
        """RAM of the link is lost; the line and the device are back after `boot_s`."""
        if back_s is None:
            back_s = now_s + self.options.boot_s
        for level in self._levels.values():
            level.forget()
        self._undecided = self._auto
        self._payload = b""
        self.command = None
        self.wire.drop(now_s, back_s)
        self._device.power_off(now_s)
        self.enter(State.OFF, back_s)

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
            self.now_s = max(self.now_s, moment)
            # A byte that arrives in the very moment of a timeout was in time.
            if arrival_s is not None and arrival_s <= moment:
                self._take_byte()
            else:
                self._time_is_up()
        self.now_s = max(self.now_s, now_s)

    def _deaf(self) -> bool:
        """The device that reads nothing while it works leaves the bytes on the line."""
        return self.state is State.RUNNING and not self.options.ack_while_running

    def _take_byte(self) -> None:
        if self._undecided:
            self._choose_level()
        if self.state is State.WAIT_STX:
            command = find_command(self.level.payload_ahead(self.wire.peek(16)))
            if command is not None and self.wire.arm_cut(command.name, TO_DEVICE, 0):
                self.wire.cut_now(self.now_s, TO_DEVICE)
                return
        byte = self.wire.take()
        if byte is not None and self.state is not State.OFF:
            self.level.hear(byte)

    def _choose_level(self) -> None:
        """[SHTRIH] 3: the first byte that can begin a conversation decides until power-on."""
        chosen = self._levels.get(FIRST_BYTES.get(self.wire.peek(1)[0], ""))
        if chosen is None or self.state is State.OFF:
            return
        self._undecided = False
        if chosen is not self.level:
            self.level.forget()
            self.level = chosen
            self.enter(chosen.start)

    def _time_is_up(self) -> None:
        self._due_s = None
        if self.state is State.OFF:
            self._device.power_on(self.now_s)
            self.enter(self.level.start)
        elif self.state is State.RUNNING:
            self._run()
        else:
            self.level.time_is_up()

    # --- what levels use -------------------------------------------------------------------

    def enter(self, state: State, due_s: float | None = None) -> None:
        self.state = state
        self._due_s = due_s

    def wait_for_byte(self) -> None:
        """The next byte of the frame has to come within the byte timeout."""
        self.enter(State.IN_FRAME, self.now_s + self.options.byte_timeout_s)

    def say(self, data: bytes) -> None:
        self.wire.send(data, self.now_s)

    def cut_late(self, payload: bytes, already: int) -> bool:
        """The code came byte by byte: count what has passed, drop the line if that is too much."""
        command = find_command(payload)
        if command is None or not self.wire.arm_cut(command.name, TO_DEVICE, already):
            return False
        self.wire.cut_now(self.now_s, TO_DEVICE)
        return True

    def accept(self, payload: bytes, acknowledgement: bytes) -> None:
        """A good frame with a new command: run it, at once or when its time has passed."""
        command = find_command(payload)
        self.wire.arm_cut("" if command is None else command.name, TO_HOST, 0)
        if acknowledgement:
            self.say(acknowledgement)
        self._payload, self.command, self._executed = payload, command, False
        run_ms = 0 if self.options.fast or command is None else command.run_ms
        self.enter(State.RUNNING, self.now_s + run_ms / MS)
        if run_ms == 0:
            self._run()

    def send_answer(self, frame: bytes) -> None:
        """The first time and again; a `lose_reply` fault keeps it inside."""
        if self.faults.take("printer", "lose_reply", self._name()) is None:
            self.say(frame)

    # --- execution and its faults ----------------------------------------------------------

    def _run(self) -> None:
        """Execute, then answer; a `slow` fault comes between the two."""
        name = self._name()
        if not self._executed:
            if self._cuts_power("before", name):
                return
            self._answer = self._device.execute(self._payload, self.now_s)
            self._executed = True
            slow = self.faults.take("printer", "slow", name)
            if slow is not None:
                self.enter(State.RUNNING, self.now_s + float(str(slow.settings["ms"])) / MS)
                return
        if not self._cuts_power("after", name):
            if name == "set_exchange":
                self._undecided = self._auto  # 14h: the next first byte decides
            self.level.answered(self._answer)

    def _name(self) -> str:
        return "" if self.command is None else self.command.name

    def _cuts_power(self, when: str, name: str) -> bool:
        fault = self.faults.take(
            "printer", "power_cut", name, lambda fault: fault.settings["when"] == when
        )
        if fault is None:
            return False
        self.cut_power(self.now_s)
        return True
