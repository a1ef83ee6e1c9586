"""A simulated Odoo: the addon's four calls over HTTP, each event kept once, failing on request.

Source: the contract of the link, docs/odoo.openapi.json.  `python -m rig.odoo --port 8082` runs it
alone.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

from rig.faults import Faults
from rig.faulty import FaultyServer
from rig.loopback import Reply, Request

BASE: Final = "/kktd/v1"
EVENTS_MAX: Final = 100
JOURNAL: Final = "odoo.jsonl"
Row = dict[str, Any]


class SimulatedOdoo:
    """Thread-safe; the board of faults is asked at each request."""

    def __init__(self, state_dir: Path | None, faults: Faults, token: str) -> None:
        self._faults, self._token = faults, token
        self._lock = threading.Lock()
        self._server: FaultyServer | None = None
        self._beats: list[Row] = []
        self._events: dict[str, dict[int, Row]] = {}
        self._receipts: dict[str, str] = {}  # id or fn:fd to sync status
        self._catalogue: list[tuple[int, Row | str]] = []  # revision, product or SKU that is gone
        self._revision = 0
        self.clock_ahead_s = 0.0
        self._journal: Path | None = None
        if state_dir is not None:
            state_dir.mkdir(parents=True, exist_ok=True)
            self._journal = state_dir / JOURNAL
            self._read_back(self._journal)

    def start(self, port: int = 0) -> None:
        self._server = FaultyServer("odoo", self._faults, self._respond, port, BASE)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def url(self) -> str:
        return self._running().url + BASE

    def _running(self) -> FaultyServer:
        if self._server is None:
            raise RuntimeError("start() comes first")
        return self._server

    # ---- what a test sees and sets ------------------------------------------------------------

    def heartbeats(self) -> list[Row]:
        with self._lock:
            return list(self._beats)

    def events(self) -> list[Row]:
        """Each once, in the order of their numbers, till by till."""
        with self._lock:
            return [row for till in self._events.values() for _, row in sorted(till.items())]

    def know(self, receipt: str, sync_status: str) -> None:
        """`receipt`: an id or FN:FD."""
        with self._lock:
            self._receipts[receipt] = sync_status

    def put_products(self, items: list[Row], deleted: list[str] | None = None) -> None:
        """Change the catalogue; each change is a revision of its own."""
        with self._lock:
            gone = set(deleted or ()) | {str(item["sku"]) for item in items}
            self._catalogue = [
                (revision, one) for revision, one in self._catalogue if _sku(one) not in gone
            ]
            for one in (*items, *(deleted or ())):
                self._revision += 1
                self._catalogue.append((self._revision, one))

    # ---- answers ------------------------------------------------------------------------------

    def _respond(self, request: Request) -> Reply:
        given = request.headers.get("authorization", "")
        if self._running().bite("unauthorized", request) is not None or not compare_digest(
            given.encode(), f"Bearer {self._token}".encode()
        ):
            return Reply(401, {"message": "unknown API key"})
        with self._lock:
            return self._answer(request)

    # ---- the four calls -----------------------------------------------------------------------

    def _answer(self, request: Request) -> Reply:
        path = request.path.removeprefix(BASE) if request.path.startswith(BASE) else ""
        match request.method, path:
            case "POST", "/heartbeat":
                return self._heartbeat(request)
            case "POST", "/events":
                return self._take_events(request)
            case "GET", "/products":
                return self._products(request)
            case "GET", "/receipts":
                return self._known(f"{request.query.get('fn')}:{request.query.get('fd')}")
            case "GET", where if where.startswith("/receipts/"):
                return self._known(where.removeprefix("/receipts/"))
        return Reply(404, {"message": f"no {request.method} {request.path}"})

    def _heartbeat(self, request: Request) -> Reply:
        body = _object(request.body)
        missing = {"pos_id", "hlc", "version", "network_status", "buffer", "can_sell"} - set(body)
        if missing:
            return Reply(422, {"message": f"heartbeat without {sorted(missing)}"})
        self._beats.append(body)
        return self._said()

    def _take_events(self, request: Request) -> Reply:
        body = _object(request.body)
        pos_id, events = body.get("pos_id"), body.get("events")
        if not isinstance(pos_id, str) or not isinstance(events, list) or not events:
            return Reply(422, {"message": "pos_id and events are needed"})
        if len(events) > EVENTS_MAX:
            return Reply(422, {"message": f"more than {EVENTS_MAX} events"})
        numbers = [event["seq"] for event in events if _numbered(event)]
        if len(numbers) != len(events) or numbers != sorted(set(numbers)):
            return Reply(422, {"message": "seq does not rise"})
        kept = self._events.setdefault(pos_id, {})
        for event in events:
            if self._faults.take(
                "odoo",
                "reject",
                applies=lambda f, e=event: str(f.settings["match"]) in json.dumps(e),  # type: ignore[misc]
            ):
                return Reply(422, {"message": "simulated refusal of this event"})
            if event["seq"] in kept or event["seq"] < max(kept, default=0):
                continue  # a repeat
            kept[event["seq"]] = event
            self._write({"pos_id": pos_id, "event": event})
            if event.get("receipt_id") and event["data"].get("fiscal_doc"):
                self._remember(event)
        return self._said(accepted_up_to=max(kept))

    def _remember(self, event: Row) -> None:
        data = event["data"]
        status = "synced" if data.get("status") == "synced" else "pending"
        document = data["fiscal_doc"]
        for name in (event["receipt_id"], f"{document['fn']}:{document['fd']}"):
            self._receipts[name] = status

    def _products(self, request: Request) -> Reply:
        since = int(request.query.get("since") or 0)
        limit = min(500, int(request.query.get("limit") or 500))
        page = [(revision, one) for revision, one in self._catalogue if revision > since][:limit]
        cursor = page[-1][0] if page else since
        return self._said(
            items=[one for _, one in page if isinstance(one, dict)],
            deleted=[one for _, one in page if isinstance(one, str)],
            cursor=str(cursor),
        )

    def _known(self, name: str) -> Reply:
        status = self._receipts.get(name)
        if status is None:
            return self._said(known=False, sync_status="not_found")
        return self._said(known=True, sync_status=status)

    def _said(self, **body: object) -> Reply:
        return Reply(200, {**body, "server_time": int(time.time() + self.clock_ahead_s)})

    # ---- memory -------------------------------------------------------------------------------

    def _write(self, row: Row) -> None:
        if self._journal is not None:
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _read_back(self, journal: Path) -> None:
        if not journal.exists():
            return
        for line in journal.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            event = row["event"]
            self._events.setdefault(row["pos_id"], {})[event["seq"]] = event
            if event.get("receipt_id") and event["data"].get("fiscal_doc"):
                self._remember(event)


def _sku(one: Row | str) -> str:
    return one if isinstance(one, str) else str(one["sku"])


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _numbered(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("seq"), int)


def main() -> int:
    parser = argparse.ArgumentParser(prog="rig.odoo", description=__doc__)
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--token", default="odoo")
    options = parser.parse_args()
    odoo = SimulatedOdoo(options.state, Faults(), options.token)
    odoo.start(options.port)
    print(odoo.url, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    odoo.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
