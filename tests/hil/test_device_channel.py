"""The real daemon with `[ofd] channel = "device"`: the printer delivers, the till counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kktd.cli import main as kktctl
from tests.support.live import LiveDaemon, LiveRig

Shop = tuple[LiveDaemon, LiveRig]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    rig = LiveRig(tmp_path)
    daemon = LiveDaemon(tmp_path, rig, ofd='channel = "device"\n')
    daemon.start()
    yield daemon, rig
    daemon.kill()
    rig.stop()


def status_of(daemon: LiveDaemon, receipt_id: str) -> str:
    return str(daemon.ask("GET", f"/v1/kkt/receipt/{receipt_id}").json()["status"])


def probe(daemon: LiveDaemon, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = kktctl.main(["ofd", "probe", "--json", "--socket", str(daemon.socket)])
    return code, json.loads(capsys.readouterr().out)


def test_receipts_are_synced_as_the_printer_delivers_them_also_over_a_kill(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon, rig = shop
    sold = [daemon.sell().json() for _ in range(3)]
    ids = [one["receipt_id"] for one in sold]
    rig.tell("/fn/ofd", {"fd": sold[0]["fiscal_doc"]["fd"]})
    daemon.wait_until(lambda: status_of(daemon, ids[0]) == "synced")
    assert [status_of(daemon, one) for one in ids[1:]] == ["pending"] * 2
    code, seen = probe(daemon, capsys)
    assert (code, seen["verdict"], seen["host"]) == (0, "fine", "device")
    assert "2 unsent" in seen["stages"][0]["found"]

    daemon.kill()
    rig.tell("/fn/ofd", {"online": True})
    daemon.start()
    daemon.wait_until(lambda: [status_of(daemon, one) for one in ids] == ["synced"] * 3)
    more = daemon.sell().json()["receipt_id"]
    daemon.wait_until(lambda: status_of(daemon, more) == "synced")
    assert rig.get("/ofd/receipts") == [], "nothing is sent from here"
    assert len(rig.fn_receipts()) == 4

    rig.fault("printer", "unplug")
    daemon.wait_until(lambda: probe(daemon, capsys)[1]["verdict"] == "printer_away")
    code, seen = probe(daemon, capsys)
    assert code == 1
    assert "кабель" in seen["message"] or "cable" in seen["message"]
