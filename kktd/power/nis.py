"""What apcupsd knows, over its network server: asked once, when the daemon starts.

Source: [APCUPSD] NIS: each message is its length in two bytes, most significant first, and a line;
the answer ends with length 0.
"""

from __future__ import annotations

import socket
from typing import Final

from kktd.clock import Clock, Deadline
from kktd.power.table import UpsEvent

ANSWER_MS: Final = 2_000
LINES_MAX: Final = 200
STATUS: Final = b"status"
MEANS: Final = (("COMMLOST", UpsEvent.COMMFAILURE), ("ONBATT", UpsEvent.ONBATTERY))


def find_events(address: str, clock: Clock) -> tuple[UpsEvent, ...]:
    """What was missed: on battery, no word of the UPS; nothing where apcupsd does not answer."""
    host, _, port = address.rpartition(":")
    by = Deadline.after_ms(clock, ANSWER_MS)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), by.left_s()) as line:
            line.sendall(len(STATUS).to_bytes(2) + STATUS)
            for text in _lines(line, by):
                name, _, value = text.partition(":")
                if name.strip() == "STATUS":
                    flags = value.split()
                    return tuple(event for flag, event in MEANS if flag in flags)
    except OSError:
        pass
    return ()


def _lines(line: socket.socket, by: Deadline) -> list[str]:
    """Raises OSError when it is not all there by then."""
    found: list[str] = []
    while (length := int.from_bytes(_read(line, 2, by))) and len(found) < LINES_MAX:
        found.append(_read(line, length, by).decode("ascii", "replace"))
    return found


def _read(line: socket.socket, count: int, by: Deadline) -> bytes:
    data = b""
    while len(data) < count:
        line.settimeout(max(0.01, by.left_s()))
        if by.passed() or not (more := line.recv(count - len(data))):
            raise TimeoutError("half an answer")
        data += more
    return data
