"""What hangs is restarted: the daemon by systemd, systemd and the kernel by the watchdog."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.image.box import Box

Record = Callable[[str, object], None]


@pytest.mark.long
def test_a_stopped_daemon_ends_in_a_working_till(box: Box, record_property: Record) -> None:
    before = box.receipts_in_fn()
    was = box.run("systemctl show -p MainPID --value kktd")
    began_s = time.monotonic()
    box.run(f"kill -STOP {was}")
    box.bench.wait(lambda: box.run("systemctl show -p MainPID --value kktd") not in (was, "0"))
    box.bench.wait(box.bench.sells)
    record_property("seconds", round(time.monotonic() - began_s))
    assert box.sell().ok
    assert box.receipts_in_fn() == before + 1


@pytest.mark.long
@pytest.mark.parametrize(
    "blow",
    ["echo c >/proc/sysrq-trigger", "kill -SEGV 1"],
    ids=["a kernel that panics", "a systemd that is frozen"],
)
def test_a_dead_system_ends_in_a_working_till(box: Box, blow: str, record_property: Record) -> None:
    before = box.receipts_in_fn()
    was, boots = box.run("cat /proc/sys/kernel/random/boot_id"), box.boots()
    began_s = time.monotonic()
    box.run(f"(sleep 1; {blow}) >/dev/null 2>&1 &")
    box.look.close()
    box.bench.wait(lambda: box.boots() > boots)
    box.bench.wait(box.bench.sells)
    record_property("seconds", round(time.monotonic() - began_s))
    assert box.run("cat /proc/sys/kernel/random/boot_id") != was
    assert box.sell().ok
    assert box.receipts_in_fn() == before + 1


@pytest.mark.long
def test_a_pulled_plug_ends_in_a_working_till(box: Box, record_property: Record) -> None:
    assert box.sell().ok
    before = box.receipts_in_fn()
    box.look.close()
    box.till.power_cut()
    began_s = time.monotonic()
    box.power_on()
    box.bench.wait(box.bench.sells)
    record_property("seconds", round(time.monotonic() - began_s))
    assert box.sell().ok
    assert box.receipts_in_fn() == before + 1
    assert box.run("systemctl --failed --no-legend --plain") == ""
