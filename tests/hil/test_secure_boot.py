"""With our keys in the firmware the signed image boots and a changed one is refused.

With --long alone: OVMF with SMM, emulated.  systemd-boot enrols the keys of the ESP by itself; it
does so in virtual machines only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest
from dev_state import DevState
from virtual_till import ESP_OFFSET, INSIDE, REPOSITORY, TOOLS
from watched_till import WatchedTill

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_600)]

BUILD: Final = REPOSITORY / "build"
IMAGE: Final = BUILD / "image" / "kktd.raw"
REFUSED: Final = ("Access Denied", "Security Violation", "Security violation", "Access denied")


class SecureTill(WatchedTill):
    """Its firmware keeps Secure Boot's variables behind SMM; the eyes are signed too."""

    def make(self) -> None:
        super().make()
        addon = self.inside / "loader" / "addons" / "look.addon.efi"
        keys = ("--key", "/keys/db.key", "--cert", "/keys/db.pem")
        self.tools("sbsign", *keys, "--output", str(addon), str(addon))
        self.put_on_esp(self.folder / "loader")

    def _machine(self) -> list[str]:
        words = [
            one.replace("OVMF_CODE_4M.fd", "OVMF_CODE_4M.secboot.fd") for one in super()._machine()
        ]
        words[words.index("q35")] = "q35,smm=on"
        return [*words, "-global", "driver=cfi.pflash01,property=secure,value=on"]

    @property
    def drive(self) -> str:
        return f"{self.inside / 'disk.raw'}@@{ESP_OFFSET}"

    def kernel(self) -> str:
        """The one boot image on the ESP of a box that is off."""
        command = [str(TOOLS), "run", "mdir", "-b", "-i", self.drive, "::/EFI/Linux"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        (found,) = [line for line in said.split() if line.endswith(".efi")]
        return found

    def change_kernel(self) -> None:
        """One byte of its command line."""
        name, copy = self.kernel(), self.folder / "uki.efi"
        inside = str(INSIDE / copy.relative_to(REPOSITORY))
        self.tools("mcopy", "-n", "-o", "-i", self.drive, name, inside)
        content = copy.read_bytes()
        assert content.count(b"audit=0") == 1
        copy.write_bytes(content.replace(b"audit=0", b"audit=1"))
        self.tools("mcopy", "-o", "-i", self.drive, inside, name)


@pytest.fixture(scope="module")
def till() -> Iterator[SecureTill]:
    os.environ.setdefault("KKTD_KEYS", str(BUILD / "keys"))
    subprocess.run([str(REPOSITORY / "image" / "build.sh")], check=True)
    folder = BUILD / "till-secure"
    shutil.rmtree(folder, ignore_errors=True)
    state = DevState(folder)
    found = SecureTill(folder / "box", IMAGE, state.ports)
    found.make()
    yield found
    found.power_cut()


def _booted(till: SecureTill) -> bool:
    """Since the last power-on."""
    return "Welcome to" in _said(till) or "systemd" in _said(till)


def _said(till: SecureTill) -> str:
    return (
        till.console.read_text(encoding="utf-8", errors="replace") if till.console.exists() else ""
    )


def test_the_signed_image_boots_with_secure_boot_on(till: SecureTill) -> None:
    till.power_on()
    took_s = till.wait(lambda: till.version() != "")
    print(f"keys enrolled, restarted, up: {took_s:.0f} s")
    assert "Secure Boot: enabled" in till.look.run("bootctl status 2>&1")
    till.look.run("sync")
    till.power_cut()


def test_a_changed_image_is_refused(till: SecureTill) -> None:
    till.change_kernel()
    till.console.unlink()
    till.look.close()
    till.power_on()
    till.wait(lambda: any(word in _said(till) for word in REFUSED))
    assert not _booted(till)
