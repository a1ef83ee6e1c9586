"""The sockets of the API, bound before anything listens: LAN with TLS, metrics, root's own.

What systemd passes (api/inherited.py) takes the place of what would be bound here.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from kktd.api import inherited, tls
from kktd.api.call import Listener
from kktd.api.server import Bound
from kktd.clock import Clock
from kktd.config import Settings


def open_listeners(settings: Settings, clock: Clock) -> tuple[Bound, ...]:
    """Raises OSError for an address that is taken, CertificateFailed, BadConfig."""
    api = settings.api
    given = inherited.take(os.environ)
    context = tls.ensure(settings.till.state_dir / "tls", api.names, clock)
    contexts = {Listener.LAN: context}
    bound = [Bound(one, sock, contexts.get(one), inherited=True) for one, sock in given]
    there = {one.listener for one in bound}
    if Listener.LAN not in there:
        bound.append(Bound(Listener.LAN, tcp_socket(api.listen), context))
    if Listener.SOCKET not in there:
        bound.append(Bound(Listener.SOCKET, unix_socket(api.socket)))
    if Listener.METRICS not in there and api.metrics:
        bound.append(Bound(Listener.METRICS, tcp_socket(api.metrics)))
    return tuple(bound)


def tcp_socket(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host.strip("[]"), int(port)))
    return sock


def unix_socket(path: Path) -> socket.socket:
    """Mode 0600 from the first moment: root alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()  # of a daemon that was killed; the database lock says it is not running
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    return sock
