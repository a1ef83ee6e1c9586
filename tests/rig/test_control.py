"""The control port shows what both simulators hold, and breaks and mends them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rig.clock import BenchClock
from rig.control import ControlServer, serve_control
from rig.faults import CATALOGUE, Faults
from rig.link import frame
from rig.ofd import SimulatedOfd
from rig.printer import SimulatedPrinter

MOSCOW = ZoneInfo("Europe/Moscow")


class Bench:
    """Both simulators and the control port, asked over HTTP."""

    def __init__(self, state_dir: Path) -> None:
        self.faults = Faults()
        self.clock = BenchClock(MOSCOW, state_dir / "clock")
        self.printer = SimulatedPrinter(None, self.faults, clock=self.clock)
        self.ofd = SimulatedOfd(None, self.faults, "token")
        self.ofd.start()
        self.control = serve_control(0, self.printer, self.ofd, self.faults, self.clock)

    def close(self) -> None:
        self.control.close()
        self.ofd.close()
        self.printer.close()

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        return call(self.control, method, path, body, **headers)


def call(
    control: ControlServer, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=5)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_the_fn_and_the_paper_are_shown_as_the_printer_has_them(bench: Bench) -> None:
    status, documents = bench.call("GET", "/fn/documents")
    as_text = [document | {"fp": str(document["fp"])} for document in bench.printer.documents()]
    assert (status, documents) == (200, as_text)
    assert documents[0]["type"] == "registration"
    assert set(documents[0]) >= {"fd", "sign", "total_kopecks", "fp", "datetime", "mark"}
    assert bench.call("GET", "/fn/status") == (200, bench.printer.fn_status())
    assert bench.call("GET", "/paper") == (200, bench.printer.paper())


def test_ofd_receipts_show_attempts_and_leave_pings_out(bench: Bench) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bench.ofd.port, timeout=5)
    connection.request("GET", "/health")
    connection.getresponse().read()
    headers = {"Authorization": "Bearer token", "Idempotency-Key": "r-1"}
    connection.request("POST", "/receipts", '{"external_id": "r-1"}', headers)
    connection.getresponse().read()
    connection.close()
    status, (row,) = bench.call("GET", "/ofd/receipts")
    assert (status, row["key"], row["body"]) == (200, "r-1", {"external_id": "r-1"})
    assert row["answer"]["status"] == 422
    assert datetime.fromisoformat(row["time"]).tzinfo is not None
    assert len(bench.call("GET", "/ofd/requests")[1]) == 2
    assert bench.call("GET", "/ofd/stored") == (200, [])


def test_a_fault_posted_is_on_the_board_until_it_is_deleted(bench: Bench) -> None:
    wanted = {"target": "ofd", "fault": "status", "code": 503, "retry_after": 2, "times": 3}
    status, answer = bench.call("POST", "/faults", wanted)
    assert status == 201
    assert wanted.items() <= answer.items()
    assert bench.call("GET", "/faults") == (200, [answer])
    bench.call("POST", "/faults", {"target": "printer", "fault": "lose_reply"})
    status, left = bench.call("DELETE", "/faults?target=ofd")
    assert [fault["fault"] for fault in left] == ["lose_reply"]
    assert bench.call("DELETE", "/faults") == (200, [])


@pytest.mark.parametrize(
    "wanted",
    [
        {"target": "printer", "fault": "explode"},
        {"target": "ofd", "fault": "plug"},
        {"target": "kettle", "fault": "hang"},
        {"target": "ofd", "fault": "latency"},
        {"target": "ofd", "fault": "hang", "times": "2"},
        {"fault": "hang"},
        [],
    ],
)
def test_an_unknown_fault_is_answered_with_the_catalogue(bench: Bench, wanted: object) -> None:
    status, answer = bench.call("POST", "/faults", wanted)
    assert status == 400
    assert answer["catalogue"]["ofd"] == CATALOGUE["ofd"]
    assert set(answer["catalogue"]["printer"]) == set(CATALOGUE["printer"]) | {"plug", "paper_in"}
    assert bench.faults.as_json() == []


def test_when_and_which_way_may_be_spelt_in_two_ways(bench: Bench) -> None:
    power_cut = {"target": "printer", "fault": "power_cut", "command": "close_receipt"}
    status, made = bench.call("POST", "/faults", {**power_cut, "after": True})
    assert (status, made["when"]) == (201, "after")
    cut = {"target": "printer", "fault": "cut_after", "bytes": 3, "direction": "device_to_host"}
    status, made = bench.call("POST", "/faults", cut)
    assert (status, made["direction"]) == (201, "to_host")


def ask(bench: Bench, code: str, parameters: bytes = b"") -> bytes:
    """One command of level 1 with the system administrator's password; the answer's payload."""
    now_s = bench.printer.till.now_s + 0.1
    bench.printer.receive(frame(bytes.fromhex(code) + b"\x1e\0\0\0" + parameters), now_s)
    heard = bench.printer.transmit(now_s)
    bench.printer.receive(b"\x06", now_s)
    return heard[3:-1]


SHOWN = [
    # fault, its settings; command, offset and what stands there while it lasts
    ("cover_open", {}, "40", 1, b"\x6b"),
    ("fn_full", {}, "ff01", 7, b"\x04"),
    ("fn_expired", {}, "ff01", 7, b"\x01"),
    ("shift_over_24h", {}, "10", 5, b"\x03"),
    ("swap_fn", {"fn": "9999078900000042"}, "ff01", 13, b"9999078900000042"),
    ("other_printer", {"serial": "12345"}, "11", 32, (12345).to_bytes(4, "little")),
]


@pytest.mark.parametrize(("fault", "settings", "code", "at", "shown"), SHOWN)
def test_states_of_the_till_come_and_go_over_the_control_port(
    bench: Bench, fault: str, settings: dict[str, str], code: str, at: int, shown: bytes
) -> None:
    bench.printer.receive(b"\x05", 0.0)
    bench.printer.transmit(0.0)
    assert ask(bench, "e0")[1] == 0
    before = ask(bench, code)[at : at + len(shown)]
    assert before != shown
    wanted = {"target": "printer", "fault": fault, **settings}
    assert bench.call("POST", "/faults", wanted)[0] == 201
    assert ask(bench, code)[at : at + len(shown)] == shown
    assert bench.call("DELETE", f"/faults?target=printer&fault={fault}")[0] == 200
    assert ask(bench, code)[at : at + len(shown)] == before


def test_every_fault_that_is_a_state_is_shown() -> None:
    lasting = {"cover_open", "fn_full", "fn_expired", "shift_over_24h", "swap_fn", "other_printer"}
    assert {row[0] for row in SHOWN} == lasting
    assert lasting <= set(CATALOGUE["printer"])


def test_plug_takes_back_unplug(bench: Bench) -> None:
    bench.call("POST", "/faults", {"target": "printer", "fault": "unplug"})
    assert not bench.printer.is_up(0.0)
    assert bench.call("POST", "/faults", {"target": "printer", "fault": "plug"})[0] == 200
    assert bench.printer.is_up(0.0)
    assert bench.faults.as_json() == []


def test_paper_comes_back_by_hand_and_when_faults_are_cleared(bench: Bench) -> None:
    for mend in (
        ("POST", "/faults", {"target": "printer", "fault": "paper_in"}),
        ("DELETE", "/faults?target=printer", None),
    ):
        bench.printer.take_paper_out()
        assert bench.call("GET", "/fn/status")[1]["paper"] is False
        assert bench.call(*mend)[0] == 200
        assert bench.call("GET", "/fn/status")[1]["paper"] is True


def test_clearing_the_ofd_leaves_the_printer_unplugged(bench: Bench) -> None:
    bench.call("POST", "/faults", {"target": "printer", "fault": "unplug"})
    bench.call("DELETE", "/faults?target=ofd")
    assert not bench.printer.is_up(0.0)
    assert bench.call("DELETE", "/faults?target=kettle")[0] == 400


def test_the_clock_moves_and_stays_moved_after_a_restart(bench: Bench, tmp_path: Path) -> None:
    day_s = 86_400
    before = bench.clock()
    assert bench.call("POST", "/fn/clock", {"advance_s": day_s}) == (200, {"ahead_s": day_s})
    for clock in (bench.clock, BenchClock(MOSCOW, tmp_path / "clock")):
        moved = clock() - before
        assert timedelta(days=1) <= moved < timedelta(days=1, seconds=30)
    assert bench.call("POST", "/fn/clock", {"advance_s": "1"})[0] == 400


def test_a_web_page_cannot_break_the_till(bench: Bench) -> None:
    wanted = {"target": "ofd", "fault": "hang"}
    assert bench.call("POST", "/faults", wanted, Origin="https://example.org")[0] == 403
    assert bench.faults.as_json() == []


def test_a_rig_of_one_simulator_says_what_it_has() -> None:
    faults = Faults()
    ofd = SimulatedOfd(None, faults, "token")
    control = serve_control(0, None, ofd, faults)
    try:
        status, answer = call(control, "GET", "/fn/documents")
        assert status == 404
        assert "GET /ofd/receipts" in answer["known"]
        assert call(control, "POST", "/fn/clock", {"advance_s": 1})[0] == 501
        assert call(control, "GET", "/ofd/receipts") == (200, [])
    finally:
        control.close()


def test_the_ofd_of_a_till_that_delivers_by_itself_takes_what_it_is_told(bench: Bench) -> None:
    unsent = bench.printer.fn_status()["unsent"]
    assert unsent == 1, "the registration"
    assert bench.call("POST", "/fn/ofd", {"online": False}) == (200, {"online": False})
    assert bench.call("POST", "/fn/ofd", {"fd": 1}) == (200, {"fd": 1})
    assert bench.call("GET", "/fn/status")[1]["unsent"] == 0
    for wrong in ({}, {"fd": "1"}, {"online": 1}, {"fd": True}):
        status, said = bench.call("POST", "/fn/ofd", wrong)
        assert status == 400, wrong
        assert "fd: a number" in said["error"]
