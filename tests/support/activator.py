"""What systemd does for socket units: binds, keeps the sockets over restarts, passes them on."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

FIRST_FD: Final = 3
HIGH_FD: Final = 100  # out of the way of those the daemon gets


class Activator:
    """Sockets by the names of their listeners; all listen from the start to `close`."""

    def __init__(self, sockets: Mapping[str, socket.socket]) -> None:
        self._names = list(sockets)
        self.fds: list[int] = []
        for one in sockets.values():
            one.listen(128)
            self.fds.append(fcntl.fcntl(one.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH_FD))
            one.close()

    def command(self, daemon: Sequence[str]) -> list[str]:
        """To be started with `fds` passed.  A shell keeps its pid, which LISTEN_PID has to name."""
        moves = " ".join(f"{FIRST_FD + place}<&{fd} {fd}<&-" for place, fd in enumerate(self.fds))
        variables = f"LISTEN_FDS={len(self.fds)} LISTEN_FDNAMES={':'.join(self._names)}"
        script = f'exec {moves}; export LISTEN_PID=$$ {variables}; exec "$@"'
        return ["bash", "-c", script, "bash", *daemon]

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)


def unix_socket(path: Path) -> socket.socket:
    """Bound, as a socket unit with SocketMode=0600 has it."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    path.chmod(0o600)
    return sock


def tcp_socket(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))
