"""A replaced printer through the API and kktctl: what is seen, who may accept it, who decides."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from kktd.cli import main as kktctl
from kktd.receipts.books import mark_of
from kktd.store.tokens import Role
from tests.support.api import ApiBench


def _wait(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def _swap(bench: ApiBench) -> dict[str, Any]:
    assert bench.till is not None
    bench.till.faults.add("printer", "other_printer")
    _wait(lambda: bench.root("GET", "/v1/printer").body["remedy"] == "fn_changed")
    stranger: dict[str, Any] = bench.root("GET", "/v1/printer").body["stranger"]
    return stranger


def test_the_stranger_is_shown_and_accepted_by_an_engineer(own_bench: ApiBench) -> None:
    assert own_bench.sell().status == 200
    stranger = _swap(own_bench)
    health = own_bench.lan("GET", "/v1/health").body["components"]["kkt_device"]
    assert (health["remedy"], health["stranger"]) == ("fn_changed", stranger)
    assert "верните прежние" in health["message"]
    key = str(uuid.uuid4())
    waiting = own_bench.sell(key=key)
    assert (waiting.status, waiting.body["print_state"]) == (202, "accepted")

    def accept(role: Role, **other: Any) -> Any:
        return own_bench.lan(
            "POST",
            "/v1/printer/accept",
            stranger | other,
            token=own_bench.token(role),
            key=str(uuid.uuid4()),
        )

    assert accept(Role.SUPERVISOR).status == 403
    unsent = accept(Role.ENGINEER)
    assert (unsent.status, unsent.code) == (409, "UNSENT_LEFT")
    another = accept(Role.ENGINEER, fn="1" * 16, leave_unsent=True)
    assert (another.status, another.code) == (409, "FN_CHANGED")
    assert another.body["details"]["fn_now"] == stranger["fn"]
    wrong = accept(Role.ENGINEER, fn="12")
    assert (wrong.status, wrong.body["details"]["field"]) == (422, "fn")
    done = accept(Role.ENGINEER, leave_unsent=True)
    assert (done.status, done.body) == (
        200,
        {"printer": "kkt", "known": stranger, "stranger": None},
    )
    assert own_bench.until_final(key).body["fiscal_doc"]["fn"] == stranger["fn"]


def test_kktctl_shows_what_to_do_and_accepts(
    own_bench: ApiBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def run(*arguments: str) -> int:
        return kktctl.main([*arguments, "--socket", str(own_bench.socket_path)])

    assert own_bench.sell().status == 200
    stranger = _swap(own_bench)
    assert run("printer", "show") == 1
    assert f"kktctl printer accept {stranger['fn']}" in capsys.readouterr().out
    assert run("printer", "accept", stranger["fn"]) == 1
    assert "UNSENT_LEFT" in capsys.readouterr().err
    assert run("printer", "accept", stranger["fn"], "--leave-unsent", "--by", "Петров") == 0
    _wait(lambda: bool(own_bench.root("GET", "/v1/printer").body["ready"]))
    capsys.readouterr()
    assert run("printer", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["known"] == stranger
    assert run("logs") == 0
    said = capsys.readouterr().out
    assert "Another printer or FN answers, nothing is sent to it." in said
    assert "Петров" in said


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_person_decides_a_doubt_that_the_old_printer_took_with_it(
    own_bench: ApiBench,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    receipt_id = _doubt_behind_another_printer(own_bench, when)
    assert own_bench.till is not None

    def run(*arguments: str) -> int:
        return kktctl.main(["receipt", *arguments, "--socket", str(own_bench.socket_path)])

    stranger = own_bench.root("GET", "/v1/printer").body["stranger"]
    refused = own_bench.root("POST", "/v1/printer/accept", stranger | {"leave_unsent": True})
    assert (refused.status, refused.code) == (409, "DOUBT_OPEN")
    assert "kktctl receipt registered" in refused.body["message"]
    assert run("absent", receipt_id) == 2, "a decision has a reason"
    assert run("registered", receipt_id, "so", "--qr", "x", "--shift", "1", "--number", "2") == 1
    assert "INVALID" in capsys.readouterr().err
    if when == "before":
        assert run("absent", receipt_id, "ФН", "пуст") == 0
        stored = own_bench.root("GET", f"/v1/kkt/receipt/{receipt_id}").body
        assert (stored["print_state"], stored["held"]) == ("accepted", True)
        return
    made = own_bench.till.fn_receipts()[-1]
    assert made["mark"] == mark_of(own_bench.till.stored(receipt_id).id)
    qr = f"t=20260302T0901&s=199.00&fn=9999078902019097&i={made['fd']}&fp={made['fp']}&n=1"
    decided = ("бумага", "--qr", qr, "--shift", "1", "--number", "2", "--by", "Петров")
    assert run("registered", receipt_id, *decided) == 0
    stored = own_bench.root("GET", f"/v1/kkt/receipt/{receipt_id}").body
    assert (stored["print_state"], stored["fiscal_doc"]["qr"]) == ("printed", qr)
    again = own_bench.root("POST", f"/v1/kkt/receipt/{receipt_id}/absent", {"note": "нет"})
    assert (again.status, again.code) == (409, "TOO_LATE")


def _doubt_behind_another_printer(bench: ApiBench, when: str) -> str:
    """The sale is lost at its close; when the line comes back, another printer is there."""
    assert bench.till is not None
    assert bench.sell().status == 200
    port, board = bench.till.port, bench.till.faults
    opened = port.open

    def open_to_another(by: Any) -> None:
        if not port.is_open and board.find("printer", "other_printer") is None:
            board.add("printer", "other_printer")
        opened(by)

    port.open = open_to_another  # type: ignore[method-assign]  # the cable goes elsewhere
    board.add("printer", "power_cut", 1, command="close_receipt", when=when)
    receipt_id = str(bench.sell().body["receipt_id"])
    _wait(lambda: len(bench.root("GET", "/v1/printer").body["in_doubt"]) == 1)
    _wait(lambda: bench.root("GET", "/v1/printer").body["in_doubt"][0]["problem"] is not None)
    return receipt_id
