"""A printer conversation taken down from the wire, and said again by a client with no till behind.

Source: [SHTRIH] 2.2 (ENQ, frames, confirmations), 7 (FF45h answers the number FF0Ah asks for).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import Final

ENQ, STX, ACK, NAK = b"\x05", 0x02, b"\x06", b"\x15"
CLOSE_RECEIPT: Final = b"\xff\x45"
FIND_DOCUMENT: Final = b"\xff\x0a"
ANSWER_S: Final = 10.0
BITS_PER_BYTE: Final = 10  # 8N1


class Tap:
    """A TCP relay that keeps what passes; one connection at a time, like a till."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._passed: list[tuple[bool, bytes]] = []  # to the device?, bytes
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> list[tuple[bool, bytes]]:
        """What passed since the last call, in order."""
        with self._lock:
            passed, self._passed = self._passed, []
            return passed

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):  # not connected any more
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                host, _ = self._listener.accept()
            except OSError:
                return  # closed
            device = socket.create_connection(self._target)
            for one in (host, device):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [host, device]
            for source, sink, down in ((host, device, True), (device, host, False)):
                threading.Thread(target=self._relay, args=(source, sink, down), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, down: bool) -> None:
        try:
            while data := source.recv(4096):
                with self._lock:
                    self._passed.append((down, data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # one side went


@dataclass(frozen=True, slots=True)
class Conversation:
    """One sale on the wire: what was asked, and how many bytes passed in both directions."""

    questions: tuple[bytes, ...]
    bytes_both: int

    def line_s(self, baud: int) -> float:
        """How long the bytes take: only one side speaks at a time."""
        return self.bytes_both * BITS_PER_BYTE / baud


def conversation(passed: list[tuple[bool, bytes]]) -> Conversation:
    """Cut what passed into questions; between frames the host says single bytes only."""
    stream = b"".join(data for down, data in passed if down)
    questions: list[bytes] = []
    while stream:
        if stream[0] != STX:
            stream = stream[1:]
            continue
        length = stream[1]
        questions.append(stream[2 : 2 + length])
        stream = stream[3 + length :]
    return Conversation(tuple(questions), sum(len(data) for _, data in passed))


class BareClient:
    """Says the questions of a conversation and waits for each answer; understands nothing."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._line = socket.create_connection(address, ANSWER_S)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, spoken: Conversation) -> float:
        """Seconds for all of it.  It asks for the document just made, so that lengths agree."""
        began_s = time.perf_counter()
        made = b""
        for question in spoken.questions:
            if question.startswith(FIND_DOCUMENT) and made:
                question = question[:-4] + made
            answer = self._ask(question)
            if question.startswith(CLOSE_RECEIPT):
                assert answer[2] == 0, f"FF45h was refused: {answer.hex()}"
                made = answer[8:12]
        return time.perf_counter() - began_s

    def close(self) -> None:
        self._line.close()

    def _ask(self, question: bytes) -> bytes:
        self._line.sendall(ENQ)
        assert self._line.recv(1) == NAK
        body = bytes((len(question),)) + question
        check = 0
        for byte in body:
            check ^= byte
        self._line.sendall(bytes((STX,)) + body + bytes((check,)))
        data = b""
        while len(data) < 3 or len(data) < data[2] + 4:  # ACK, STX, length, answer, check
            part = self._line.recv(512)
            assert part, "the printer hung up"
            data += part
        self._line.sendall(ACK)
        return data[3:-1]
