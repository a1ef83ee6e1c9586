"""The host's half of protocol 1: ask once, and know at the end whether the command may have run.

Source: [SHTRIH] 2.2, 2.3, 2.5.  The device keeps its last answer until it is confirmed and tells by
its reply to ENQ whether it holds one.  What keeps a command from running twice:

- the frame goes out only after ENQ was answered NAK: nothing is pending over there;
- a frame without a clear acknowledgement is not sent again before ENQ was answered NAK on a silent
  line.  Sent into a device that waits for a confirmation it would be read byte by byte, and an
  05 06 inside it would count as ENQ and ACK;
- once there was any sign that the device took it, it is never sent again.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from kktd.clock import Deadline
from kktd.printers.shtrih.framing import ACK, ENQ, NAK, TORN, Deframer, Kind, Token, encode
from kktd.wire.exchange import NotSent, Unanswered
from kktd.wire.port import Port, PortGone

ENQ_TRIES: Final = 10  # [SHTRIH] 2.2.5: every second ENQ may be silent
SEND_TRIES: Final = 10  # [SHTRIH] 2.3.3
REPEAT_TRIES: Final = 10  # [SHTRIH] 2.3.4
CONTROL_MS: Final = 1_000  # [SHTRIH] 1: ack_timeout; holds 258 bytes at 4800 baud
BYTE_MS: Final = 500  # [SHTRIH] 2.4: 100 ms in the vendor's driver; TCP cuts frames into pieces
QUIET_MS: Final = 200  # more than the device's own inter-byte timeout, [SHTRIH] 2.4
BABBLE_MS: Final = 3_000  # a line that is not silent for so long is not going to be
POKE_MS: Final = 3_000  # silence after which ENQ asks a working device whether it still works
OLD_ANSWER_MS: Final = 30_000  # what an earlier command may still take, [SHTRIH] 2.4
READ_BYTES: Final = 512

_ANSWERS: Final = frozenset({Kind.FRAME, Kind.DAMAGED, Kind.TORN})
_TAKEN: Final = _ANSWERS | {Kind.ACK}  # signs that the device accepted a frame
_ANSWERS_TO_ENQ: Final = frozenset({Kind.ACK, Kind.NAK, Kind.FRAME})


def code_bytes(payload: bytes) -> bytes:
    """The command code at the head of a question or an answer: one byte, or FF and one."""
    return payload[:2] if payload[:1] == b"\xff" else payload[:1]


def answers(question: bytes, answer: bytes) -> bool:
    """Whether this is an answer to that command; `FF err` refuses any FFxx ([SHTRIH] 4)."""
    code = code_bytes(question)
    if len(answer) == 2 and answer[:1] == b"\xff":
        return len(code) == 2
    return code_bytes(answer) == code and len(answer) > len(code)


class ShtrihExchange:
    """One conversation on an open port.  After a reconnect a new one begins."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._deframer = Deframer()
        self._tokens: deque[Token] = deque()
        self._clean = False  # the last exchange ended without any surprise

    def meet(self, by: Deadline) -> None:
        """Return once ENQ is answered as protocol 1 does; raises NotSent."""
        try:
            for _ in range(ENQ_TRIES):
                token = self._enq(by)
                if token is not None and token.kind in _ANSWERS_TO_ENQ:
                    if token.kind is not Kind.NAK:
                        # Confirmed here, or the next ENQ would only make the till hold it back.
                        self._drop_old_answer(token, by)
                    return
                self._settle(by)
                if by.passed():
                    break
        except PortGone as error:
            raise NotSent("the line is gone") from error
        raise NotSent("the printer does not answer")

    def ask(self, question: bytes, reply_ms: int, by: Deadline) -> bytes:
        """See `kktd.wire.exchange.Exchange`."""
        frame = encode(question)
        try:
            self._invite(by)
        except PortGone as error:
            raise NotSent("the line is gone") from error
        try:
            answer = self._deliver(frame, reply_ms, by)
        except PortGone as error:
            raise Unanswered("the line went while the command was under way") from error
        if not answers(question, answer):
            self._clean = False
            raise Unanswered("another command was answered", answered=answer[:3].hex())
        return answer

    # ---- before the frame ----------------------------------------------------------------------

    def _invite(self, by: Deadline) -> None:
        """Until ENQ is answered NAK; answers to earlier commands are taken and dropped.

        After a surprise one NAK may be an old one, or a garbled ACK: then two are needed, with a
        silent line between them.  Raises NotSent.
        """
        missing, self._clean = 1 if self._clean else 2, False
        for _ in range(ENQ_TRIES):
            token = self._enq(by)
            if token is not None and token.kind is Kind.NAK:
                missing -= 1
                alone = not self._tokens and not self._deframer.inside
                if missing <= 0 and alone:
                    self._clean = True
                    return
                token = self._settle(by)
                if token is None:
                    continue
            missing = 2
            if token is not None and token.kind in _TAKEN:
                self._drop_old_answer(token, by)
            else:
                self._settle(by)
            if by.passed():
                break
        raise NotSent("the printer does not take a command")

    def _drop_old_answer(self, token: Token, by: Deadline) -> None:
        found = self._next_answer(by.within_ms(OLD_ANSWER_MS)) if token.kind is Kind.ACK else token
        if found is not None and found.kind is Kind.FRAME:
            self._say(ACK, by)
        else:
            self._silence(by)

    # ---- the frame and its answer ----------------------------------------------------------------

    def _deliver(self, frame: bytes, reply_ms: int, by: Deadline) -> bytes:
        """Send until it is taken, then fetch the answer.  Raises NotSent or Unanswered."""
        for _ in range(SEND_TRIES):
            self._port.write(frame, by)
            token = self._control(by.within_ms(CONTROL_MS))
            if token is None or token.kind not in _TAKEN:
                self._clean = False
                token = self._settle(by) or self._is_it_taken(reply_ms, by)
            if token.kind is not Kind.NAK:
                return self._fetch(token, by.within_ms(reply_ms), by)
        raise NotSent("the printer refuses the frame")

    def _is_it_taken(self, reply_ms: int, by: Deadline) -> Token:
        """NAK if the device holds nothing of ours, or the sign that it does; raises Unanswered."""
        missing, tries, last = 2, 0, by.within_ms(reply_ms)
        while tries < ENQ_TRIES or not last.passed():
            token = self._enq(by)
            tries += 1
            if token is not None and token.kind in _TAKEN:
                return token
            refused = token is not None and token.kind is Kind.NAK
            missing = missing - 1 if refused else 2
            found = self._settle(by)
            if found is not None:
                return found
            if refused and missing == 0:
                return Token(Kind.NAK)
            if by.passed():
                break
        raise Unanswered("silence after the command")

    def _fetch(self, token: Token, last: Deadline, by: Deadline) -> bytes:
        """The answer of an accepted command, repeated until it arrives whole and confirmed.

        A till that works may be silent until `last`; a damaged answer is asked for again even
        later, as long as `by` allows.  Raises Unanswered.
        """
        found = token if token.kind in _ANSWERS else self._next_answer(last.within_ms(POKE_MS))
        repeats = 0
        while found is None or found.kind is not Kind.FRAME:
            self._clean = False
            if found is not None:
                repeats += 1
                self._silence(by)  # ENQ in the middle of a damaged frame would be lost in it
                if found.kind is Kind.DAMAGED:
                    self._say(NAK, by)
            late = last.passed()
            found = self._ask_again(by)
            if repeats > REPEAT_TRIES or by.passed() or (found is None and late):
                break
        if found is None or found.kind is not Kind.FRAME:
            raise Unanswered("no whole answer came")
        self._say(ACK, by)
        return found.payload

    def _ask_again(self, by: Deadline) -> Token | None:
        """ENQ until the device repeats its answer, whole or not; None while it still works.

        Raises Unanswered when it holds no answer (any more).
        """
        for _ in range(ENQ_TRIES):
            token = self._enq(by)
            if token is not None and token.kind is Kind.NAK:
                token = self._settle(by)
                if token is None:
                    raise Unanswered("the device holds no answer any more")
            if token is not None and token.kind is Kind.ACK:
                return self._next_answer(by.within_ms(POKE_MS))
            if token is not None and token.kind in _ANSWERS:
                return token
            if by.passed():
                break
            self._silence(by)
        return None  # busy and deaf, as some are while they work: the wait goes on

    # ---- the line -----------------------------------------------------------------------------

    def _say(self, control: int, by: Deadline) -> None:
        self._port.write(bytes((control,)), by)

    def _enq(self, by: Deadline) -> Token | None:
        """Forget what lies in the input, send ENQ, return what it brings; None for silence."""
        self._tokens.clear()
        self._deframer.give_up()
        self._port.drain_input()
        self._say(ENQ, by)
        return self._control(by.within_ms(CONTROL_MS))

    def _control(self, by: Deadline) -> Token | None:
        """The next token that means something; the RNDIS filler does not."""
        while True:
            token = self._next(by)
            if token is None or token.kind is not Kind.FILLER:
                return token

    def _next_answer(self, by: Deadline) -> Token | None:
        """A frame, whole or not; None if none begins by the deadline.

        Extra ACKs are skipped ([SHTRIH] 2.2.2).  Other bytes may be a frame that lost its head:
        silence after them ends the wait, so that ENQ can ask for it again.
        """
        limit = by
        while True:
            token = self._next(limit)
            if token is None or token.kind in _ANSWERS:
                return token
            if token.kind is Kind.NOISE:
                limit = by.within_ms(BYTE_MS)

    def _settle(self, by: Deadline) -> Token | None:
        """Wait until the line is silent; a frame or an ACK that comes meanwhile is returned."""
        babble = by.within_ms(BABBLE_MS)
        while not babble.passed():
            token = self._next(babble.within_ms(QUIET_MS))
            if token is None or token.kind in _TAKEN:
                return token
        return None

    def _silence(self, by: Deadline) -> None:
        """Wait until the line is silent, whatever it brings meanwhile."""
        babble = by.within_ms(BABBLE_MS)
        while not babble.passed() and self._next(babble.within_ms(QUIET_MS)) is not None:
            pass

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
