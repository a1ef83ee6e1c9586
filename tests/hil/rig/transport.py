"""Serves a simulated printer over TCP or on a pseudo-terminal, in real time.

Sources: [SHTRIH] 1 (TCP: one client at a time, port 7778), 2.6.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Final, Protocol

from rig.printer import SimulatedPrinter

TICK_S: Final = 0.02  # longest sleep: faults from other threads must be noticed
CHUNK: Final = 4096


class Talker(Protocol):
    """What a cable of any kind carries bytes of."""

    def receive(self, data: bytes, now_s: float) -> None: ...

    def transmit(self, now_s: float) -> bytes: ...

    def next_due_s(self) -> float | None: ...


class TcpTransport:
    """A listening socket on loopback; a new connection takes the old one's place."""

    def __init__(self, printer: SimulatedPrinter, host: str = "127.0.0.1", port: int = 0) -> None:
        self._printer = printer
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self.host, self.port = self._listener.getsockname()[:2]
        self._client: socket.socket | None = None
        self._seen_drops = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rig-tcp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._hang_up()
        self._listener.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            watched = [self._listener] + ([self._client] if self._client else [])
            readable, _, _ = select.select(watched, [], [], _pause_s(self._printer))
            if self._client in readable:
                self._read()
            self._write()
            if self._listener in readable:
                self._accept()

    def _accept(self) -> None:
        client, _address = self._listener.accept()
        now_s = time.monotonic()
        if not self._printer.is_up(now_s):
            client.close()
            return
        self._hang_up()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        self._client = client
        self._seen_drops = self._printer.reconnect(now_s)

    def _read(self) -> None:
        if self._client is None:
            return
        try:
            data = self._client.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._printer.receive(data, time.monotonic())
        else:
            self._hang_up()

    def _write(self) -> None:
        """Send what is due, then see whether the line has dropped meanwhile."""
        data = self._printer.transmit(time.monotonic())
        if self._client is None:
            return
        if data:
            with contextlib.suppress(OSError):
                self._client.sendall(data)
        if self._printer.drops() != self._seen_drops:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class PtyTransport:
    """A pseudo-terminal whose slave is linked to `path`.  A dropped line is silence.

    `rate` is a constant of termios: at any other the two ends hear noise.
    """

    def __init__(self, printer: Talker, path: Path, rate: int | None = None) -> None:
        self._printer = printer
        self._rate = rate
        self._master, self._slave = os.openpty()  # the open slave keeps the master readable
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = path
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._slave))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rig-pty", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self.path.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)

    def _run(self) -> None:
        while not self._stop.is_set():
            readable, _, _ = select.select([self._master], [], [], _pause_s(self._printer))
            if readable:
                with contextlib.suppress(OSError):
                    data = self._heard(os.read(self._master, CHUNK))
                    self._printer.receive(data, time.monotonic())
            data = self._printer.transmit(time.monotonic())
            if data:
                with contextlib.suppress(OSError):  # nobody reads: a real line loses bytes too
                    os.write(self._master, self._heard(data))

    def _heard(self, data: bytes) -> bytes:
        if self._rate is None or termios.tcgetattr(self._slave)[4] == self._rate:
            return data
        return b"\xfe" * len(data)


def _pause_s(printer: Talker) -> float:
    due_s = printer.next_due_s()
    if due_s is None:
        return TICK_S
    return min(TICK_S, max(0.0005, due_s - time.monotonic()))
