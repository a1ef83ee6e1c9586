"""The sockets of the API, bound before anything listens: LAN with TLS, metrics, root's own.

Raises OSError for an address that is taken, CertificateFailed.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from kktd.api import tls
from kktd.api.call import Listener
from kktd.api.server import Bound
from kktd.clock import Clock
from kktd.config import Settings


def open_listeners(settings: Settings, clock: Clock) -> tuple[Bound, ...]:
    api = settings.api
    context = tls.ensure(settings.till.state_dir / "tls", api.names, clock)
    bound = [
        Bound(Listener.LAN, tcp_socket(api.listen), context),
        Bound(Listener.SOCKET, unix_socket(api.socket)),
    ]
    if api.metrics:
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
