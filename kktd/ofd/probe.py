"""A direct test of the ОФД, stage by stage (procedure A.5): name, connection, TLS, answer, key.

On connections of its own: no receipt, wait or breaker of the delivery knows of it.  The key is
tried by asking for a receipt that nobody ever sent, so nothing is made over there either.
"""

from __future__ import annotations

import socket
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from kktd.clock import Clock, Deadline
from kktd.ofd.channel import DeliveryError
from kktd.ofd.http import HttpAnswer, HttpLine
from kktd.ofd.within import within

PORTS: Final = {"https": 443, "http": 80}
KEY_REFUSED: Final = frozenset({401, 402, 403})
NO_HEALTH: Final = frozenset({401, 403, 404, 405})  # an ОФД without that call still answers


class Verdict(StrEnum):
    """Where it ends, and so who has to do something."""

    FINE = "fine"
    NO_NAME = "no_name"
    NO_CONNECTION = "no_connection"
    NO_TLS = "no_tls"
    NO_ANSWER = "no_answer"
    NO_KEY = "no_key"  # none that can be read
    KEY_REFUSED = "key_refused"
    THROTTLED = "throttled"
    BUSY = "busy"
    FAILING = "failing"
    PRINTER_AWAY = "printer_away"  # channel `device`: the printer is who delivers
    PRINTER_BEHIND = "printer_behind"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step; `found` is what it saw: an address, a TLS version, a status, or the reason."""

    name: str
    is_ok: bool
    duration_ms: int
    found: str


@dataclass(frozen=True, slots=True)
class Report:
    """`host` without what may be a password; `status` of the last HTTP answer."""

    host: str
    verdict: Verdict
    stages: tuple[Stage, ...]
    status: int | None
    retry_after: str | None


class _Ended(Exception):
    """This stage says no."""

    def __init__(self, verdict: Verdict, found: str) -> None:
        super().__init__(found)
        self.verdict = verdict
        self.found = found


class Probe:
    """One test.  Blocks for `by` at most."""

    def __init__(
        self,
        base_url: str,
        token: Callable[[], str],
        ca_file: str | None,
        clock: Clock,
        by: Deadline,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._parts = urlsplit(base_url)
        self._port = self._parts.port or PORTS[self._parts.scheme]
        self._token = token
        self._ca_file = ca_file
        self._clock = clock
        self._by = by
        self._stages: list[Stage] = []
        self._answer: HttpAnswer | None = None

    def run(self) -> Report:
        """Never raises: what fails is the finding."""
        line = HttpLine(self._ca_file)
        try:
            verdict = self._run(line)
        finally:
            line.close()
        answer = self._answer
        return Report(
            f"{self._parts.hostname}:{self._port}",
            verdict,
            tuple(self._stages),
            answer.status if answer else None,
            answer.headers.get("Retry-After") if answer else None,
        )

    def _run(self, line: HttpLine) -> Verdict:
        steps: list[tuple[str, Callable[[], str]]] = [("name", self._resolve)]
        steps.append(("connection", self._connect))
        if self._parts.scheme == "https":
            steps.append(("tls", self._shake_hands))
        steps.append(("answer", lambda: self._ask_health(line)))
        steps.append(("key", lambda: self._ask_receipt(line)))
        for name, step in steps:
            began_s = self._clock.monotonic_s()
            try:
                verdict, found = Verdict.FINE, step()
            except _Ended as ended:
                verdict, found = ended.verdict, ended.found
            duration_ms = round((self._clock.monotonic_s() - began_s) * 1000)
            self._stages.append(Stage(name, verdict is Verdict.FINE, duration_ms, found))
            if verdict is not Verdict.FINE:
                return verdict
        return Verdict.FINE

    def _resolve(self) -> str:
        host = self._parts.hostname or ""
        try:
            found = within(
                self._by.left_s(),
                lambda: socket.getaddrinfo(host, self._port, type=socket.SOCK_STREAM),
            )
        except (OSError, UnicodeError) as error:
            raise _Ended(Verdict.NO_NAME, str(error)) from error
        return ", ".join(dict.fromkeys(str(one[4][0]) for one in found))

    def _open(self) -> socket.socket:
        host = self._parts.hostname or ""
        try:
            return within(
                self._by.left_s(),
                lambda: socket.create_connection((host, self._port), self._by.left_s()),
            )
        except OSError as error:
            raise _Ended(Verdict.NO_CONNECTION, str(error)) from error

    def _connect(self) -> str:
        with self._open() as connection:
            return str(connection.getpeername()[0])

    def _shake_hands(self) -> str:
        context = ssl.create_default_context(cafile=self._ca_file)
        with self._open() as connection:
            try:
                with context.wrap_socket(
                    connection, server_hostname=self._parts.hostname
                ) as secure:
                    return str(secure.version())
            except ssl.SSLCertVerificationError as error:
                raise _Ended(Verdict.NO_TLS, error.verify_message) from error
            except OSError as error:  # SSLError is one
                raise _Ended(Verdict.NO_TLS, str(error)) from error

    def _ask_health(self, line: HttpLine) -> str:
        return self._ask(line, "/health", {}, NO_HEALTH)

    def _ask_receipt(self, line: HttpLine) -> str:
        try:
            token = self._token().strip()
        except (OSError, ValueError) as error:
            raise _Ended(Verdict.NO_KEY, type(error).__name__) from error
        if not token or not token.isascii() or not token.isprintable():
            raise _Ended(Verdict.NO_KEY, "no text a header can carry")
        headers = {"Authorization": f"Bearer {token}"}
        return self._ask(line, f"/receipts/{uuid.uuid4()}", headers, frozenset({404}))

    def _ask(self, line: HttpLine, path: str, headers: dict[str, str], fine: frozenset[int]) -> str:
        accept = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            answer = line.ask("GET", f"{self._base}{path}", self._by, accept | headers)
        except DeliveryError as error:
            raise _Ended(Verdict.NO_ANSWER, error.reason) from error
        self._answer = answer
        if not (200 <= answer.status < 300 or answer.status in fine):
            raise _Ended(_judge(answer.status), answer.reason)
        return answer.reason


def _judge(status: int) -> Verdict:
    if status in KEY_REFUSED:
        return Verdict.KEY_REFUSED
    return {429: Verdict.THROTTLED, 503: Verdict.BUSY}.get(status, Verdict.FAILING)
