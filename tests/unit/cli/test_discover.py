"""`kktctl printer discover` on a machine with simulated sockets."""

from __future__ import annotations

import argparse
import json
import termios
from contextlib import closing
from pathlib import Path

import pytest
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.transport import PtyTransport
from rig.usb import BRIDGE, CDC, Bus, Gadget

from kktd.cli import port_discover
from kktd.cli.client import Client, Target
from kktd.cli.command import FINE, PROBLEM, Context, Terminal
from kktd.wire.usb import UsbBus
from tests.support.clock import VirtualClock


def _discover(bus: Bus, *, ask: bool = False, as_json: bool = False) -> int:
    root = bus.dev.parent
    context = Context(
        argparse.Namespace(ask=ask),
        Client(Target(root / "no.sock", None, None, None), "en"),
        Terminal(russian=False, as_json=as_json),
        root / "none.toml",
    )
    return port_discover.discover(context, UsbBus(bus, bus.sysfs, bus.dev), bus.sysfs, bus.dev)


def test_one_registrar_is_what_the_settings_get(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = Bus(tmp_path, VirtualClock())
    bus.plug(Gadget(SimulatedPrinter(None, Faults()), CDC, serial="77"))
    assert _discover(bus) == FINE
    last = capsys.readouterr().out.splitlines()[-1]
    assert '[printer]: url = "usb://1fc9:0083/77"' in last


def test_what_may_be_anything_has_to_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = Bus(tmp_path, VirtualClock())
    bus.plug(Gadget(SimulatedPrinter(None, Faults()), BRIDGE))
    assert _discover(bus) == FINE
    assert "discover --ask" in capsys.readouterr().out.splitlines()[-1]


def test_nothing_found_says_what_to_look_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _discover(Bus(tmp_path, VirtualClock())) == PROBLEM
    assert "power, cable" in capsys.readouterr().out


def test_a_till_of_unknown_rate_is_found_by_asking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two ports one is silent; the till speaks 9600 and changes nothing by being asked."""
    monkeypatch.setattr(port_discover, "ASK_MS", 1_500)
    bus = Bus(tmp_path, VirtualClock())
    uart = bus.sysfs / "class" / "tty" / "ttyS3" / "type"
    uart.parent.mkdir(parents=True)
    uart.write_text("4\n")
    with (
        closing(SimulatedPrinter(None, Faults())) as device,
        closing(PtyTransport(device, bus.dev / "ttyS3", rate=termios.B9600)),
    ):
        before = device.fn_status()
        assert _discover(bus, ask=True, as_json=True) == FINE
        assert device.fn_status() == before
    (found,) = json.loads(capsys.readouterr().out)
    assert found["answer"]["url"] == f"serial://{bus.dev}/ttyS3?baudrate=9600"
    assert found["answer"]["fn"] == before["fn"]
