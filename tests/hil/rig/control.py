"""The rig's control port: look into the FN and the ОФД, break things and mend them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from rig.clock import BenchClock
from rig.faults import CATALOGUE, BadFault, Faults
from rig.loopback import LoopbackServer, Reply, Request

MENDS: Final = ("plug", "paper_in")  # posted like faults, and put an end to some

WHENS: Final = ("before", "during", "after")
DIRECTIONS: Final = {
    "host_to_device": "to_device",
    "to_printer": "to_device",
    "device_to_host": "to_host",
    "from_device": "to_host",
    "from_printer": "to_host",
}


class Printer(Protocol):
    """What the control port asks of a simulated registrar."""

    def documents(self) -> Any: ...
    def fn_status(self) -> Any: ...
    def paper(self) -> Any: ...
    def insert_paper(self) -> None: ...
    def plug(self) -> None: ...
    def confirm_by_ofd(self, fd: int) -> None: ...
    def set_ofd_online(self, online: bool) -> None: ...


class Ofd(Protocol):
    """What it asks of a simulated ОФД."""

    def requests(self) -> list[dict[str, Any]]: ...
    def receipts(self) -> list[dict[str, Any]]: ...


class Odoo(Protocol):
    """What it asks of a simulated Odoo."""

    clock_ahead_s: float

    def heartbeats(self) -> list[dict[str, Any]]: ...
    def events(self) -> list[dict[str, Any]]: ...
    def know(self, receipt: str, sync_status: str) -> None: ...
    def put_products(
        self, items: list[dict[str, Any]], deleted: list[str] | None = None
    ) -> None: ...


class Ups(Protocol):
    """What it asks of a simulated UPS."""

    def as_json(self) -> dict[str, Any]: ...
    def turn(self, wanted: dict[str, Any]) -> None: ...


class ControlServer:
    """Routes of the control port; either simulator may be missing."""

    def __init__(
        self,
        port: int,
        printer: Printer | None,
        ofd: Ofd | None,
        faults: Faults,
        clock: BenchClock | None = None,
        odoo: Odoo | None = None,
        ups: Ups | None = None,
    ) -> None:
        self._printer, self._faults, self._clock = printer, faults, clock
        self._routes: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/faults"): lambda _: Reply(200, faults.as_json()),
            ("POST", "/faults"): self._add_fault,
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/fn/clock"): self._advance_clock,
        }
        if printer is not None:
            self._show("/fn/documents", lambda: _documents(printer))
            self._show("/fn/status", printer.fn_status)
            self._routes["POST", "/fn/ofd"] = self._deliver
            self._show("/paper", printer.paper)
        if ofd is not None:
            self._show("/ofd/receipts", lambda: _posts(ofd))
            self._show("/ofd/requests", ofd.requests)
            self._show("/ofd/stored", ofd.receipts)
        if odoo is not None:
            self._serve_odoo(odoo)
        if ups is not None:
            self._serve_ups(ups)
        self._server = LoopbackServer(self._respond, port)
        self.port, self.url = self._server.port, self._server.url

    def close(self) -> None:
        self._server.close()

    def _serve_odoo(self, odoo: Odoo) -> None:
        def know(request: Request) -> Reply:
            body = _object(request.body)
            odoo.know(str(body.get("receipt")), str(body.get("sync_status")))
            return Reply(200, body)

        def put(request: Request) -> Reply:
            body = _object(request.body)
            odoo.put_products(body.get("items", []), body.get("deleted", []))
            return Reply(200, {"items": len(body.get("items", []))})

        def set_clock(request: Request) -> Reply:
            odoo.clock_ahead_s = float(_object(request.body).get("ahead_s", 0))
            return Reply(200, {"ahead_s": odoo.clock_ahead_s})

        self._show("/odoo/heartbeats", odoo.heartbeats)
        self._show("/odoo/events", odoo.events)
        self._routes["POST", "/odoo/receipts"] = know
        self._routes["POST", "/odoo/products"] = put
        self._routes["POST", "/odoo/clock"] = set_clock

    def _serve_ups(self, ups: Ups) -> None:
        def turn(request: Request) -> Reply:
            ups.turn(_object(request.body))
            return Reply(200, ups.as_json())

        self._show("/ups", ups.as_json)
        self._routes["POST", "/ups"] = turn

    def _show(self, path: str, look: Callable[[], Any]) -> None:
        self._routes["GET", path] = lambda _: Reply(200, look())

    def _respond(self, request: Request) -> Reply:
        if any(name in request.headers for name in ("origin", "sec-fetch-site")):
            return _refused(403, "not for web pages")  # any page could reach a loopback port
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = sorted(f"{method} {path}" for method, path in self._routes)
            return _refused(404, f"no {request.method} {request.path}", known=known)
        try:
            return route(request)
        except BadFault as bad:
            return _refused(400, str(bad), catalogue=_catalogue())

    def _add_fault(self, request: Request) -> Reply:
        wanted = _object(request.body)
        target, name = wanted.pop("target", None), wanted.pop("fault", None)
        if not isinstance(target, str) or not isinstance(name, str):
            raise BadFault("target and fault are missing")
        if target == "printer" and name in MENDS:
            self._mend(name)
            return Reply(200, {"done": name})
        fault = self._faults.add(target, name, wanted.pop("times", None), **_spelt(wanted))
        return Reply(201, fault.as_json())

    def _clear_faults(self, request: Request) -> Reply:
        target, name = request.query.get("target"), request.query.get("fault")
        if target is not None and target not in CATALOGUE:
            raise BadFault(f"no target {target!r}")
        if target in (None, "printer"):
            for mend, fault in (("plug", "unplug"), ("paper_in", "paper_out")):
                if name in (None, fault):
                    self._mend(mend)
        self._faults.clear(target, name)
        return Reply(200, self._faults.as_json())

    def _mend(self, name: str) -> None:
        self._faults.clear("printer", "unplug" if name == "plug" else "paper_out")
        if self._printer is None:
            return
        if name == "plug":
            self._printer.plug()
        else:
            self._printer.insert_paper()

    def _deliver(self, request: Request) -> Reply:
        """`{"fd"}`: up to this one the OFD has them; `{"online"}`: from now on at once, or none."""
        body = _object(request.body)
        fd, online = body.get("fd"), body.get("online")
        if self._printer is None or (type(fd) is not int and type(online) is not bool):
            raise BadFault("fd: a number, or online: true or false")
        if type(fd) is int:
            self._printer.confirm_by_ofd(fd)
        if type(online) is bool:
            self._printer.set_ofd_online(online)
        return Reply(200, body)

    def _advance_clock(self, request: Request) -> Reply:
        seconds = _object(request.body).get("advance_s")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise BadFault("advance_s: a number of seconds")
        if self._clock is None:
            return _refused(501, "this rig runs on the machine's clock")
        return Reply(200, {"ahead_s": self._clock.advance(seconds)})


def serve_control(
    port: int,
    printer: Printer | None,
    ofd: Ofd | None,
    faults: Faults,
    clock: BenchClock | None = None,
    odoo: Odoo | None = None,
    ups: Ups | None = None,
) -> ControlServer:
    """Listen on loopback; port 0 takes a free one."""
    return ControlServer(port, printer, ofd, faults, clock, odoo, ups)


def _documents(printer: Printer) -> list[dict[str, Any]]:
    """The fiscal sign as text, which is what it is in JSON everywhere ([OFD-REST] §6)."""
    return [{**document, "fp": str(document["fp"])} for document in printer.documents()]


def _posts(ofd: Ofd) -> list[dict[str, Any]]:
    """Attempts to hand a receipt over; pings and questions stand in /ofd/requests."""
    return [row for row in ofd.requests() if (row["method"], row["path"]) == ("POST", "/receipts")]


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadFault(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadFault("not a JSON object")
    return value


def _catalogue() -> Mapping[str, object]:
    """Faults by target, each with its settings and whether they are required."""
    printer = {**CATALOGUE["printer"], **{mend: {} for mend in MENDS}}
    return {**CATALOGUE, "printer": printer}


def _refused(status: int, text: str, **more: object) -> Reply:
    return Reply(status, {"error": text, **more})


def _spelt(settings: dict[str, Any]) -> dict[str, Any]:
    """Both ways of saying when and which way: `"before": true` is `"when": "before"`."""
    spelt = {key: value for key, value in settings.items() if key not in WHENS}
    for when in WHENS:
        if settings.get(when):
            spelt["when"] = when
    if "direction" in spelt:
        spelt["direction"] = DIRECTIONS.get(str(spelt["direction"]), spelt["direction"])
    return spelt
