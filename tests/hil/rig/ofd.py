"""A simulated ОФД: takes registered receipts over HTTP, keeps each once, fails on request.

Source: [OFD-REST] §6.  `python -m rig.ofd --port 8081 --state DIR` runs it alone.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

from rig.control import serve_control
from rig.faults import Fault, Faults
from rig.loopback import LoopbackServer, Reply, Request, Sent
from rig.ofd_receipt import BadReceipt, check_receipt
from rig.ofd_store import OfdStore, Row

RECEIPTS: Final = "/receipts"
HANG_POLL_S: Final = 0.05


class SimulatedOfd:
    """The ОФД's end of the wire.  Thread-safe; the board of faults is asked at each request."""

    def __init__(self, state_dir: Path | None, faults: Faults, token: str) -> None:
        self._faults, self._token = faults, token
        self._store = OfdStore(state_dir)
        self._lock = threading.Lock()
        self._server: LoopbackServer | None = None
        faults.watch(self._follow_board)

    def start(self, port: int = 0) -> None:
        self._server = LoopbackServer(self._respond, port, reset=self._resets)
        self._follow_board()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def port(self) -> int:
        return self._running().port

    @property
    def url(self) -> str:
        return self._running().url

    def requests(self) -> list[Row]:
        """Every request that was read, in order of arrival, pings included."""
        return self._store.rows()

    def receipts(self) -> list[dict[str, Any]]:
        """Each receipt it holds, once, in order of arrival."""
        return self._store.receipts()

    def _running(self) -> LoopbackServer:
        if self._server is None:
            raise RuntimeError("start() comes first")
        return self._server

    # Connections.

    def _follow_board(self) -> None:
        """A refusal without `times` closes the listener itself: the till gets ECONNREFUSED."""
        if self._server is None or self._server.closing.is_set():
            return
        fault = self._faults.find("ofd", "refuse_connection")
        if fault is not None and fault.times is None:
            self._server.refuse()
        else:
            self._server.open()

    def _resets(self) -> bool:
        """A counted refusal is a RST right after accept: the kernel counts none it makes itself."""
        return self._faults.take("ofd", "refuse_connection") is not None

    # Requests.

    def _respond(self, request: Request) -> Reply:
        if self._faults.take("ofd", "refuse_connection") is not None:
            return Reply(503, None, sent=Sent.RESET)  # came over a connection kept alive
        body, text = _parse(request.body)
        row: Row = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "path": request.path,
            "key": request.headers.get("idempotency-key"),
            "traceparent": request.headers.get("traceparent"),
            "body": body if request.body else None,
            "answer": None,
            "fault": None,
            "outcome": None,
        }
        self._store.begin(row)
        reply = self._before(request, row)
        if reply is None:
            with self._lock:
                reply = self._answer(request, row, text)
        if reply.sent is Sent.ALL:
            row["answer"] = {"status": reply.status, "body": reply.body}
        self._store.finish(row)
        return reply

    def _before(self, request: Request, row: Row) -> Reply | None:
        """Faults that bite before the receipt is looked at; None lets the request through."""
        if latency := self._bite("latency", request, row):
            self._running().closing.wait(_number(latency, "ms") / 1000)
        if self._bite("hang", request, row):
            while not request.gone() and not self._running().closing.wait(HANG_POLL_S):
                pass
            return Reply(504, None, sent=Sent.NOTHING)
        if status := self._bite("status", request, row):
            headers = {}
            if "retry_after" in status.settings:
                headers["Retry-After"] = str(status.settings["retry_after"])
            code = _number(status, "code")
            return Reply(code, _error(code, f"simulated {code}", "system"), headers)
        if not request.path.startswith(RECEIPTS):
            return None
        given = request.headers.get("authorization", "")
        if self._bite("unauthorized", request, row) or not compare_digest(
            given.encode(), f"Bearer {self._token}".encode()
        ):
            return Reply(401, _error(12, "unknown token", "auth"))
        return None

    def _bite(self, name: str, request: Request, row: Row) -> Fault | None:
        """Use a fault up if it bites this request, and note it in the row.

        `path` narrows a fault; without it a counted one bites receipts only, since a till's pings
        come when they like and would eat the count.
        """

        def applies(fault: Fault) -> bool:
            default = "/" if fault.times is None else RECEIPTS
            return request.path.startswith(str(fault.settings.get("path", default)))

        fault = self._faults.take("ofd", name, applies=applies)
        if fault is not None:
            row["fault"] = name
        return fault

    def _answer(self, request: Request, row: Row, text: str) -> Reply:
        match request.method, request.path:
            case (("GET" | "HEAD"), "/health"):
                return Reply(200, {"status": "ok"})
            case "POST", "/receipts":
                return self._accept(request, row, text)
            case "GET", path if path.startswith(RECEIPTS + "/"):
                return self._look_up(path.removeprefix(RECEIPTS + "/"), row)
        return Reply(404, _error(404, f"{request.method} {request.path}?", "validation"))

    def _look_up(self, external_id: str, row: Row) -> Reply:
        body = self._store.by_key(external_id)
        if body is None:
            return Reply(404, _error(30, "no such receipt", "validation"))
        if self._faults.take("ofd", "wait"):
            row["fault"] = "wait"
            return Reply(202, {"external_id": external_id, "status": "wait"})
        return Reply(200, _acknowledgement(body))

    def _accept(self, request: Request, row: Row, text: str) -> Reply:
        key, body = row["key"], row["body"]
        if self._faults.take("ofd", "reject", applies=lambda f: str(f.settings["match"]) in text):
            row.update(fault="reject", outcome="refused")
            return Reply(422, _error(32, "simulated refusal of this receipt", "validation"))
        if not isinstance(body, Mapping):
            row["outcome"] = "refused"
            return Reply(400, _error(40, "the body is not a JSON object", "validation"))
        refusal = self._refusal(key, body)
        if refusal is not None:
            row["outcome"] = "duplicate" if refusal.status == 409 else "refused"
            return refusal
        row["outcome"] = "repeated" if self._store.by_key(key) is not None else "stored"
        self._store.keep(row)
        return self._acknowledge(body, row)

    def _refusal(self, key: str | None, body: Mapping[str, Any]) -> Reply | None:
        if key is None or key != body.get("external_id"):
            return Reply(400, _error(30, "Idempotency-Key must be external_id", "validation"))
        try:
            check_receipt(body)
        except BadReceipt as bad:
            return Reply(422, _error(32, str(bad), "validation"))
        known = self._store.by_key(key)
        if known is not None and known != body:
            return Reply(409, _error(33, "this key came with another body", "validation"))
        fiscal = body["fiscal"]
        owner = self._store.key_of(fiscal["fn"], fiscal["fd"])
        if owner not in (None, key):
            return Reply(409, _error(33, f"this document came as {owner}", "validation"))
        return None

    def _acknowledge(self, body: Mapping[str, Any], row: Row) -> Reply:
        """The receipt is stored by now; what is left to go wrong is the answer."""
        if self._faults.take("ofd", "wait"):
            row["fault"] = "wait"
            return Reply(202, {"external_id": body["external_id"], "status": "wait"})
        answer = _acknowledgement(body)
        sent = Sent.ALL
        for name, how in (("lose_answer", Sent.NOTHING), ("half_answer", Sent.HALF)):
            if sent is Sent.ALL and self._faults.take("ofd", name):
                row["fault"], sent = name, how
        if self._faults.take("ofd", "wrong_numbers"):
            row["fault"] = "wrong_numbers"
            answer["fd"] += 1
        return Reply(201, answer, sent=sent)


def _acknowledgement(body: Mapping[str, Any]) -> dict[str, Any]:
    """Made of the receipt alone, so that asking again gets the same answer."""
    fiscal = body["fiscal"]
    return {
        "external_id": body["external_id"],
        "status": "done",
        "fn": fiscal["fn"],
        "fd": fiscal["fd"],
        "fp": fiscal["fp"],
        "shift": fiscal.get("shift"),
        "receipt_datetime": fiscal.get("datetime"),
    }


def _error(code: int, text: str, kind: str) -> dict[str, object]:
    return {"error": {"code": code, "text": text, "type": kind, "error_id": f"{kind}-{code}"}}


def _number(fault: Fault, name: str) -> int:
    value = fault.settings[name]
    if not isinstance(value, int):
        raise TypeError(name)  # the board checks, so this is our own mistake
    return value


def _parse(body: bytes) -> tuple[object, str]:
    """The body as JSON, or as the text it is; and the text, for `reject`."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text), text
    except ValueError:
        return text, text


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="rig.ofd", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 picks one")
    parser.add_argument("--state", metavar="DIR", type=Path, help="memory; without it RAM only")
    parser.add_argument("--token", default="rig-ofd", help="bearer token it asks for")
    parser.add_argument("--control", metavar="PORT", type=int, help="HTTP control port")
    arguments = parser.parse_args(argv)
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before the first thread inherits its mask
    faults = Faults()
    ofd = SimulatedOfd(arguments.state, faults, arguments.token)
    ofd.start(arguments.port)
    ready: dict[str, object] = {"ready": "ofd", "url": ofd.url, "token": arguments.token}
    closers = [ofd.close]
    if arguments.control is not None:
        control = serve_control(arguments.control, None, ofd, faults)
        closers.insert(0, control.close)
        ready["control"] = control.url
    print(json.dumps(ready), flush=True)
    signal.sigwait(stops)
    for close in closers:
        close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
