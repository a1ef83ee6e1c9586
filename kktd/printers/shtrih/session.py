"""A connection to one till: opened when needed, one command at a time, busy answers waited out.

Source: [SHTRIH] 2.4 (waits), 5.2 (submodes), 10 (which errors pass by themselves).  When a deaf
line may be shaken: docs/decisions/013.
"""

from __future__ import annotations

from typing import Final

from kktd.clock import Clock, Deadline
from kktd.printers.shtrih import answers, payload
from kktd.printers.shtrih.answers import BadAnswer, DeviceRefused
from kktd.printers.shtrih.codes import BUSY, WAITS_CONTINUE
from kktd.printers.shtrih.commands import CONTINUE_PRINT, SHORT_STATUS, Command
from kktd.printers.shtrih.protocols import Protocols
from kktd.wire.exchange import Exchange, NotSent, Unanswered
from kktd.wire.port import Port, PortGone

BUSY_RETRY_S: Final = 0.333  # [SHTRIH] 2.4: the same command is safe, it was refused
PRINT_POLL_S: Final = 0.050
REPEATS_MAX: Final = 3  # of a command that changes nothing
CONTINUES_MAX: Final = 2  # of one command; paper may end again
WORK_MAX_S: Final = 180.0  # a command without an answer may run; [SHTRIH] 2.4: up to 120 s of it
PRINT_MAX_S: Final = 60.0  # after an answer paper may still be coming out


class Session:
    """Commands over a port.  Calls raise NotSent, Unanswered, BadAnswer or DeviceRefused."""

    def __init__(self, port: Port, clock: Clock, password: int, protocol: str) -> None:
        self._port = port
        self._clock = clock
        self._password = password
        self._protocols = Protocols(protocol)
        self._exchange: Exchange | None = None
        # Until then (monotonic s) it may be at work, at first on what an earlier process asked for.
        self._busy_until_s = clock.monotonic_s() + WORK_MAX_S

    @property
    def connected(self) -> bool:
        return self._exchange is not None

    def close(self) -> None:
        """Let go of the line; the next call opens it again."""
        self._exchange = None
        self._port.close()

    def call(self, command: Command, by: Deadline, parameters: bytes = b"") -> bytes:
        """The whole answer, free of error.  Waits while the till prints something else."""
        continues = 0
        while True:
            try:
                return self._once(command, by, parameters)
            except DeviceRefused as refused:
                if refused.device_code == BUSY and by.left_s() > BUSY_RETRY_S:
                    self._clock.sleep(BUSY_RETRY_S)
                elif refused.device_code == WAITS_CONTINUE and continues < CONTINUES_MAX:
                    continues += 1
                    self._once(CONTINUE_PRINT, by)
                else:
                    raise

    def till_state(self, by: Deadline) -> answers.TillState:
        return answers.till_state(self.call(SHORT_STATUS, by))

    def pause(self) -> None:
        """Between two looks at a printing till."""
        self._clock.sleep(PRINT_POLL_S)

    def _once(self, command: Command, by: Deadline, parameters: bytes = b"") -> bytes:
        question = payload.question(command, self._password, parameters)
        repeats = REPEATS_MAX if command.repeatable else 1
        for left in reversed(range(repeats)):
            try:
                return answers.checked(command, self._ask(command, question, by))
            except (Unanswered, BadAnswer):
                if left == 0 or not self.connected or by.passed():
                    raise
        raise Unanswered(command.name)  # not reached: the last repeat returns or raises

    def _ask(self, command: Command, question: bytes, by: Deadline) -> bytes:
        exchange = self._connect(by)
        try:
            answer = exchange.ask(question, command.reply_ms, by)
        except NotSent:
            self.close()  # deaf or gone: a new connection finds out which
            self._protocols.doubt()
            self._shake(by)
            raise
        except Unanswered as error:
            self._note_work(command, WORK_MAX_S)
            if isinstance(error.__cause__, PortGone):
                self.close()
            raise
        self._note_work(command, PRINT_MAX_S)
        return answer

    def _note_work(self, command: Command, most_s: float) -> None:
        if not command.repeatable:
            self._busy_until_s = self._clock.monotonic_s() + most_s

    def _shake(self, by: Deadline) -> None:
        """Only a till that cannot be at work: a reset in the middle may cost it the paper."""
        if self._clock.monotonic_s() >= self._busy_until_s:
            self._port.shake(by)

    def _connect(self, by: Deadline) -> Exchange:
        if self._exchange is None:
            try:
                self._port.open(by)
            except PortGone as error:
                raise NotSent(f"the line is gone: {error}") from error
            try:
                self._exchange = self._protocols.begin(self._port, by)
            except NotSent:
                self.close()
                self._shake(by)
                raise
        return self._exchange
