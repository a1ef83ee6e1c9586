"""Sockets that systemd has bound and keeps while the daemon restarts.  Source: sd_listen_fds(3).

Each comes with the name of its listener (FileDescriptorName= of its socket unit); two with one name
serve it both.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from kktd.api.call import Listener
from kktd.errors import BadConfig

FIRST_FD: Final = 3  # SD_LISTEN_FDS_START
FAMILIES: Final = {
    Listener.LAN: (socket.AF_INET, socket.AF_INET6),
    Listener.METRICS: (socket.AF_INET, socket.AF_INET6),
    Listener.SOCKET: (socket.AF_UNIX,),  # who reaches it is root: never over a network
}


def take(environment: MutableMapping[str, str]) -> list[tuple[Listener, socket.socket]]:
    """What was passed to this process, and no child of it; nothing without systemd.

    Raises BadConfig for a name or a kind of socket that is not ours.
    """
    pid, count, names = (
        environment.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES")
    )
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    given = names.split(":") + [""] * int(count)
    return [_listener(given[number], FIRST_FD + number) for number in range(int(count))]


def _listener(name: str, fd: int) -> tuple[Listener, socket.socket]:
    os.set_inheritable(fd, False)
    try:
        sock = socket.socket(fileno=fd)
        listener = Listener(name)
    except (OSError, ValueError) as error:
        raise BadConfig("not a socket of ours", key="LISTEN_FDNAMES", reason=str(error)) from error
    listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if sock.family not in FAMILIES[listener] or not listening:
        raise BadConfig("not a socket for this listener", key="LISTEN_FDNAMES", name=name)
    return listener, sock
