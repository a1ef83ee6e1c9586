"""The host's half of protocol 2: ask once, and know at the end whether the command may have run.

Source: [SHTRIH] 3.  The device executes a request only if its number follows that of its last
answer; anything else, a sync too, makes it repeat that answer.  What keeps a command from running
twice, and one answer from being taken for another:

- a request is repeated with its own number, and only when a sync showed the number before it;
- any other number, seen twice, means that the device lost count: nobody knows whether it ran;
- power-on sets the device to number 1, so it would execute a repeated request number 2 once more:
  number 2 is never given to a command;
- an earlier command may be running still, its number taken and not shown yet: before the first
  command, and after every doubt, the next number is used up by a question that changes nothing.
  Whichever of the two the device answers, after it nothing is under way.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Final

from kktd.clock import Deadline
from kktd.printers.shtrih.commands import DEVICE_TYPE
from kktd.printers.shtrih.exchange import answers
from kktd.printers.shtrih.framing2 import SYNC, TORN, Deframer, Token, encode, following
from kktd.wire.exchange import NotSent, Unanswered
from kktd.wire.port import Port, PortGone

SYNC_TRIES: Final = 10  # [SHTRIH] 3
SYNC_MS: Final = 500  # the vendor waits 100 ms; 258 bytes of an answer take as long at 4800 baud
SEND_TRIES: Final = 10  # of one request; the vendor stops at 3, with a number stepped each time
BYTE_MS: Final = 500  # between two bytes of a frame, as in protocol 1
QUIET_MS: Final = 200  # more than the device's own inter-byte timeout, [SHTRIH] 2.4
POKE_MS: Final = 500  # silence after which a sync asks what became of the request; then doubling
POKE_MS_MAX: Final = 4_000
REPEAT_MS: Final = 1_000  # for one more copy of an answer that came damaged at the last moment
REPEAT_TRIES: Final = 10  # of them
OLD_ANSWER_MS: Final = 30_000  # what an earlier command may still take, [SHTRIH] 2.4
ROUNDS: Final = 4  # of finding a free number; more is a device that loses count all the time
STRANGE_NUMBERS: Final = 2  # in a row: one may be an answer that was under way for long
FIRST_AFTER_POWER_ON: Final = 2  # [SHTRIH] 3: the last answered number is 1 then
READ_BYTES: Final = 512

_HARMLESS: Final = DEVICE_TYPE.code  # needs no password, allowed in every mode


class ShtrihExchange2:
    """One conversation on an open port.  After a reconnect a new one begins."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._deframer = Deframer()
        self._tokens: deque[Token] = deque()
        self._last: int | None = None  # number of the last answer; None: something may be under way

    def meet(self, by: Deadline) -> None:
        """Return once the device has answered a sync; raises NotSent."""
        try:
            self._sync(by)
        except PortGone as error:
            raise NotSent("the line is gone") from error

    def ask(self, question: bytes, reply_ms: int, by: Deadline) -> bytes:
        """See `kktd.wire.exchange.Exchange`."""
        try:
            number = self._next_number(by)
        except PortGone as error:
            raise NotSent("the line is gone") from error
        self._last = None
        try:
            answer = self._deliver(number, question, reply_ms, by)
        except PortGone as error:
            raise Unanswered("the line went while the command was under way") from error
        if not answers(question, answer):
            raise Unanswered("another command was answered", answered=answer[:3].hex())
        self._last = number
        return answer

    # ---- before the request ----------------------------------------------------------------------

    def _next_number(self, by: Deadline) -> int:
        """The number the device waits for, while nothing is under way.  Raises NotSent."""
        self._forget_input()
        for _ in range(ROUNDS):
            if self._last is not None and following(self._last) != FIRST_AFTER_POWER_ON:
                return following(self._last)
            if by.passed():
                break
            self._use_up_a_number(by)
        raise NotSent("the printer does not take a command")

    def _use_up_a_number(self, by: Deadline) -> None:
        """Whatever had it: afterwards it is answered, or `_last` is unknown.  Raises NotSent."""
        last = self._sync(by) if self._last is None else self._last
        self._last = None
        with suppress(Unanswered):
            self._deliver(following(last), _HARMLESS, OLD_ANSWER_MS, by)
            self._last = following(last)

    def _sync(self, by: Deadline) -> int:
        """The number of the device's last answer, as it says; raises NotSent."""
        for _ in range(SYNC_TRIES):
            self._forget_input()
            self._port.write(SYNC, by)
            limit = by.within_ms(SYNC_MS)
            while (token := self._next(limit)) is not None:
                if token.number is not None:
                    return token.number
                limit = by.within_ms(QUIET_MS)
                if by.passed():
                    break
            if by.passed():
                break
        raise NotSent("the printer does not answer")

    # ---- the request and its answer --------------------------------------------------------------

    def _deliver(self, number: int, question: bytes, reply_ms: int, by: Deadline) -> bytes:
        """Send until the answer of that number comes, whatever it answers.  Raises Unanswered."""
        request = encode(number, question)
        for _ in range(SEND_TRIES):
            self._port.write(request, by)
            answer = self._answer(number, by.within_ms(reply_ms), by)
            if answer is not None:
                return answer
        raise Unanswered("the device does not take the request")

    def _answer(self, number: int, last: Deadline, by: Deadline) -> bytes | None:
        """The answer of that number; None if a sync shows that the request did not run (yet).

        A till that works may be silent until `last`; a damaged answer is asked for again even
        later, as long as `by` allows.  Raises Unanswered.
        """
        hurt = synced = False
        pokes = strange = repeats = 0
        while True:
            patience_ms = QUIET_MS if hurt else min(POKE_MS << pokes, POKE_MS_MAX)
            token = self._next(last.within_ms(patience_ms))
            if token is not None and token.number is not None:
                if token.number == number and token.data:
                    return token.data
                if following(token.number) != number:
                    strange += 1
                    hurt = True  # ask once more before believing it
                    if strange == STRANGE_NUMBERS:
                        raise Unanswered("the device lost count", number=token.number)
                elif synced:
                    return None
                # else a copy of an earlier answer that was still under way
            elif token is not None:
                hurt = True
            elif not last.passed():
                self._port.write(SYNC, by)
                pokes, hurt, synced = pokes if hurt else pokes + 1, False, True
            if last.passed():
                repeats += 1
                if not hurt or repeats > REPEAT_TRIES or by.passed():
                    raise Unanswered("silence after the command")
                last = by.within_ms(REPEAT_MS)

    # ---- the line --------------------------------------------------------------------------------

    def _forget_input(self) -> None:
        self._tokens.clear()
        self._deframer.give_up()
        self._port.drain_input()

    def _next(self, by: Deadline) -> Token | None:
        """The next token; None at the deadline, TORN for a frame that the line cut short."""
        while not self._tokens:
            inside = self._deframer.inside
            data = self._port.read(READ_BYTES, by.within_ms(BYTE_MS) if inside else by)
            if data:
                self._tokens.extend(self._deframer.feed(data))
            elif self._deframer.give_up():
                return TORN
            else:
                return None
        return self._tokens.popleft()
