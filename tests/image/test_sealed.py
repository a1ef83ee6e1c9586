"""What the running till is made of: sealed, quiet, and nothing in it that a till does not need."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

from tests.image.box import Box

PACKAGES: Final = Path(__file__).with_name("packages.txt")
# File systems of the kernel's own, in memory: nothing of them outlives a power cut.
IN_MEMORY: Final = frozenset(
    [
        "autofs",
        "bpf",
        "cgroup2",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "proc",
        "pstore",
        "securityfs",
        "sysfs",
        "tmpfs",
        "tracefs",
    ]
)
NOT_IN_IT: Final = [
    "sshd",
    "dropbear",
    "pip",
    "pip3",
    "apt",
    "apt-get",
    "gcc",
    "cc",
    "tcc",
    "make",
    "gdb",
    "strace",
    "sqlite3",
    "curl",
    "wget",
    "nc",
    "perl5",
    "tcpdump",
]
SETTINGS_OF_THE_KERNEL: Final = {
    "kernel.dmesg_restrict": "1",
    "kernel.kexec_load_disabled": "1",
    "kernel.kptr_restrict": "2",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "kernel.sysrq": "0",
    "kernel.unprivileged_bpf_disabled": "2|1",
    "kernel.yama.ptrace_scope": "2",
    "net.core.bpf_jit_harden": "2",
    "net.ipv4.conf.all.accept_redirects": "0",
    "fs.suid_dumpable": "0",
}
# They decide about a version on trial; to be sandboxed with a test of a rollback at hand.
NOT_YET: Final = {"kktd-health.service", "kktd-fallback.service"}
OURS_AT_MOST: Final = 3.0
KKTD_AT_MOST: Final = 1.5
KERNEL: Final = re.compile(r"linux-image-[0-9][^-]*-")
EXPOSURE: Final = re.compile(r"Overall exposure level for \S+: ([0-9.]+)")
DOORS: Final = {443, 9090}
MDNS: Final = 5353
JOURNAL_MIB: Final = 128
LISTENING: Final = 0x0A  # TCP_LISTEN in /proc/net/tcp


def test_no_unit_has_failed(box: Box) -> None:
    assert box.run("systemctl --failed --no-legend --plain") == ""
    assert box.run("systemctl is-system-running --wait") == "running"


def test_units_have_no_ordering_cycle(box: Box) -> None:
    assert box.look.ask("journalctl -b -o cat | grep -i 'ordering cycle'")[1] == ""


def test_the_kernel_is_not_tainted(box: Box) -> None:
    assert box.run("cat /proc/sys/kernel/tainted") == "0"


def test_the_root_is_verified_and_cannot_be_written(box: Box) -> None:
    assert box.run("cat /sys/block/dm-0/dm/uuid").startswith("CRYPT-VERITY-")
    source, _, kind, options, *_ = box.run("grep ' / ' /proc/mounts").split()
    assert (source, kind, options.split(",")[0]) == ("/dev/mapper/root", "erofs", "ro")
    for place in ("/etc", "/usr", "/usr/lib/kktd", "/boot"):
        code, said = box.look.ask(f"touch {place}/intruder")
        assert code, place
        assert "Read-only" in said, place


def test_only_state_and_receipts_can_be_written(box: Box) -> None:
    places = set()
    for line in box.run("cat /proc/mounts").splitlines():
        _, place, kind, options, *_ = line.split()
        if kind not in IN_MEMORY and "ro" not in options.split(","):
            places.add(place)
            assert {"nodev", "nosuid", "noexec"} <= set(options.split(",")), place
    assert {"/var", "/var/lib/kktd"} <= places <= {"/var", "/var/lib/kktd", "/efi"}


def test_the_watchdog_is_armed(box: Box) -> None:
    assert box.run("systemctl show -p RuntimeWatchdogUSec --value") == "15s"
    assert box.run("cat /sys/class/watchdog/watchdog0/identity") == "i6300ESB timer"
    assert box.run("cat /sys/class/watchdog/watchdog0/state") == "active"


def test_nobody_has_a_password(box: Box) -> None:
    for line in box.run("cat /etc/shadow").splitlines():
        assert line.split(":")[1] in ("*", "!", "!*"), line


def test_nobody_can_log_in_on_a_screen(box: Box) -> None:
    assert box.look.ask("systemctl list-units --no-legend --plain '*getty@*'")[1] == ""


def test_no_program_becomes_root(box: Box) -> None:
    assert box.run("find / -xdev -type f -perm /6000") == ""


def test_no_host_keys_are_in_it(box: Box) -> None:
    assert box.run("find / -xdev -name 'ssh_host_*' -o -xdev -name '*.key'") == ""


@pytest.mark.parametrize("program", NOT_IN_IT)
def test_a_program_no_till_needs_is_not_in_it(box: Box, program: str) -> None:
    assert box.look.ask(f"command -v {program}")[1] == ""


def test_no_simulator_is_in_it(box: Box) -> None:
    found = box.run("find /usr/lib/kktd /usr/lib/python3 -path '*/rig/*' -o -name 'fn.py'")
    assert found == ""
    assert box.look.ask("python3 -c 'import rig'")[0]


def test_its_packages_are_those_of_the_list(image: Path) -> None:
    """A package more is a decision: change packages.txt with the commit that adds it."""
    file = next(image.parent.glob(f"{image.resolve().stem}.manifest"))
    found = json.loads(file.read_text(encoding="utf-8"))["packages"]
    names = {KERNEL.sub("linux-image-VERSION-", one["name"]) for one in found}
    assert sorted(names) == PACKAGES.read_text(encoding="ascii").split()


def test_the_journal_is_capped(box: Box) -> None:
    assert f"SystemMaxUse={JOURNAL_MIB}M" in box.run(
        "systemd-analyze cat-config systemd/journald.conf"
    )
    assert int(box.run("du -sm /var/log/journal").split()[0]) <= JOURNAL_MIB


def test_the_firewall_drops_what_it_does_not_name(box: Box) -> None:
    rules = box.run("nft list ruleset")
    assert rules.count("policy drop") == 3
    assert "tcp dport { 443, 9090 } accept" in rules


def test_nothing_else_listens(box: Box) -> None:
    """By the kernel's own tables; addresses in them are hexadecimal, words little-endian."""
    tcp = _bound(box, "tcp", LISTENING) | _bound(box, "tcp6", LISTENING)
    udp = _bound(box, "udp", None) | _bound(box, "udp6", None)
    assert tcp == DOORS
    assert udp <= {MDNS, 68, 546}


def test_a_stranger_in_the_network_finds_two_doors(box: Box) -> None:
    """Every TCP port, from beyond its network card."""
    assert box.wire.find_open_ports(range(1, 65_536)) == DOORS


def test_a_stranger_in_the_network_is_told_the_name(box: Box) -> None:
    assert box.wire.ask_name("pos-001", 30)
    assert not box.wire.ask_name("pos-002", 3)


def test_our_units_are_exposed_to_little(box: Box) -> None:
    units = box.run(
        "systemctl list-unit-files --no-legend --type=service 'kktd*' | cut -d' ' -f1"
    ).split()
    assert "kktd.service" in units
    for unit in set(units) - NOT_YET:
        found = EXPOSURE.search(box.run(f"systemd-analyze security --no-pager {unit}"))
        assert found, unit
        limit = KKTD_AT_MOST if unit == "kktd.service" else OURS_AT_MOST
        assert float(found[1]) <= limit, (unit, found[1])


def test_the_kernel_is_told_to_be_careful(box: Box) -> None:
    said = box.run(f"sysctl {' '.join(SETTINGS_OF_THE_KERNEL)}")
    for line in said.splitlines():
        name, value = line.split(" = ")
        assert value in SETTINGS_OF_THE_KERNEL[name].split("|"), line


def test_the_kernels_command_line_refuses_what_firmware_hands_over(box: Box) -> None:
    """The add-on of this box alone says otherwise, after it."""
    words = box.run("cat /proc/cmdline").split()
    assert "systemd.import_credentials=no" in words
    assert "lockdown=integrity" in words


def test_time_is_not_earlier_than_the_image(box: Box) -> None:
    now_s, built_s = map(int, box.run("date +%s; stat -c %Y /usr/lib/clock-epoch").split())
    assert built_s <= now_s
    assert int(box.run("stat -c %Y /usr/lib/systemd/systemd")) <= built_s


def test_chrony_keeps_the_time_and_serves_nobody(box: Box) -> None:
    assert box.run("systemctl is-active chrony") == "active"


def test_the_till_is_named_after_its_point_of_sale(box: Box) -> None:
    assert box.run("cat /proc/sys/kernel/hostname") == "pos-001"
    assert "yes" in box.run("resolvectl --no-pager mdns | grep 'Link'")


def _bound(box: Box, table: str, state: int | None) -> set[int]:
    """Ports that are bound to more than loopback."""
    ports = set()
    for line in box.run(f"cat /proc/net/{table}").splitlines()[1:]:
        local, _, is_now = line.split()[1:4]
        address, port = local.split(":")
        loopback = address.endswith("7F") or address == "0" * 24 + "01000000"
        if not loopback and (state is None or int(is_now, 16) == state):
            ports.add(int(port, 16))
    return ports
