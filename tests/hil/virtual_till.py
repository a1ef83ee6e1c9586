"""The image as a till: QEMU with the rig at the far end of its cables.

The registrar hangs on a USB serial adapter, the ОФД and Odoo are met over the network, a hardware
watchdog resets the box.  The disk is a file, provisioned through its ESP as an engineer would.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import requests
from children import Child

REPOSITORY: Final = Path(__file__).resolve().parents[2]
TOOLS: Final = REPOSITORY / "image" / "tools.sh"
INSIDE: Final = Path("/src")  # where the tools tree sees the repository
DISK_BYTES: Final = 6 << 30
ESP_OFFSET: Final = 1 << 20  # image/mkosi.repart: the first partition, at the usual megabyte
HOST: Final = "10.0.2.2"  # this machine, as QEMU's user network shows it to the guest
MEMORY_MIB: Final = 1024


class VirtualTill:
    """One box: its disk and firmware's memory live in `folder`, inside the repository's build/."""

    def __init__(
        self, folder: Path, image: Path, ports: dict[str, int], *, kvm: bool = False
    ) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.inside = INSIDE / self.folder.relative_to(REPOSITORY)
        self._image = image
        self.ports = ports
        self._accelerator = "kvm" if kvm else "tcg,thread=multi"
        self._qemu: Child | None = None

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def console(self) -> Path:
        """What the serial console said, since the disk was made."""
        return self.folder / "console.log"

    @property
    def monitor(self) -> Path:
        """QMP."""
        return self.folder / "monitor.sock"

    # ---- the box ------------------------------------------------------------------------------

    def make(self) -> None:
        """A new box with the image on its disk; nothing where one is."""
        if self.disk.exists():
            return
        draft = self.disk.with_suffix(".new")
        subprocess.run(["cp", "--sparse=always", self._image, draft], check=True)
        with draft.open("r+b") as output:
            output.truncate(DISK_BYTES)
        self.tools("cp", "/usr/share/OVMF/OVMF_VARS_4M.fd", str(self.inside / "firmware.fd"))
        (self.folder / "uuid").write_text(str(uuid.uuid4()), encoding="ascii")
        draft.replace(self.disk)

    def provision(self, settings: str, secrets: dict[str, str]) -> None:
        """Put the engineer's folder on the ESP of a box that is off."""
        folder = self.folder / "kktd"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "secrets").mkdir(parents=True)
        (folder / "kktd.toml").write_text(settings, encoding="utf-8")
        for name, secret in secrets.items():
            (folder / "secrets" / name).write_text(secret, encoding="utf-8")
        self.put_on_esp(folder)
        shutil.rmtree(folder)

    def put_on_esp(self, folder: Path) -> None:
        """Copies a folder of `self.folder` onto the ESP, over what is there; the box is off."""
        drive = f"{self.inside / 'disk.raw'}@@{ESP_OFFSET}"
        self.tools("mcopy", "-Q", "-s", "-o", "-i", drive, str(self.inside / folder.name), "::/")

    def power_on(self, extra: Sequence[str] = ()) -> None:
        """Returns at once; raises ChildDied from `check` when QEMU ends by itself."""
        command = [str(TOOLS), "run", "qemu-system-x86_64", *self._machine(), *extra]
        self._qemu = Child("qemu", command, self.folder / "qemu.log", {})

    def check(self) -> None:
        """Raises ChildDied if the machine is off."""
        if self._qemu is not None:
            self._qemu.check()

    def power_cut(self) -> None:
        """The cable is pulled: nothing is told to anybody."""
        if self._qemu is not None:
            self._qemu.stop(0)
            self._qemu = None

    def command(self, execute: str, **arguments: object) -> Any:
        """One QMP command; its answer."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(self.monitor))
            stream = line.makefile("rw", encoding="utf-8")
            stream.readline()
            for asked in (
                {"execute": "qmp_capabilities"},
                {"execute": execute, "arguments": arguments},
            ):
                stream.write(json.dumps(asked) + "\n")
                stream.flush()
                while "event" in (answer := json.loads(stream.readline())):
                    pass
        return answer

    def _machine(self) -> list[str]:
        inside, ports = self.inside, self.ports
        forward = ",".join(
            f"hostfwd=tcp:127.0.0.1:{ports[name]}-:{port}"
            for name, port in (("api", 443), ("metrics", 9090))
        )
        code = "/usr/share/OVMF/OVMF_CODE_4M.fd"
        return [
            *("-machine", "q35", "-accel", self._accelerator, "-cpu", "max", "-smp", "2"),
            *("-m", str(MEMORY_MIB), "-display", "none", "-no-user-config", "-nodefaults"),
            *("-uuid", (self.folder / "uuid").read_text(encoding="ascii")),
            *("-drive", f"if=pflash,format=raw,readonly=on,file={code}"),
            *("-drive", f"if=pflash,format=raw,file={inside / 'firmware.fd'}"),
            *("-drive", f"if=none,id=disk,format=raw,discard=unmap,file={inside / 'disk.raw'}"),
            *("-device", "virtio-blk-pci,drive=disk"),
            *("-device", "i6300esb", "-action", "watchdog=reset"),
            *("-netdev", f"user,id=lan,{forward}", "-device", "virtio-net-pci,netdev=lan"),
            *("-device", "qemu-xhci"),
            *("-chardev", f"socket,id=kkt,host=127.0.0.1,port={ports['printer']},reconnect-ms=500"),
            *("-device", "usb-serial,chardev=kkt"),
            *("-chardev", f"file,id=console,append=on,path={inside / 'console.log'}"),
            *("-serial", "chardev:console"),
            *("-qmp", f"unix:{inside / 'monitor.sock'},server=on,wait=off"),
        ]

    # ---- what it answers ----------------------------------------------------------------------

    def ask(self, path: str, timeout_s: float = 10.0) -> tuple[int, Any]:
        """GET over HTTPS; raises OSError while nobody answers."""
        address = f"https://127.0.0.1:{self.ports['api']}{path}"
        answer = requests.get(address, timeout=timeout_s, verify=False)  # noqa: S501 - its own CA
        return answer.status_code, answer.json()

    def tools(self, *command: str) -> None:
        """Runs a program of the tools tree, which sees this box's folder at `self.inside`."""
        subprocess.run([str(TOOLS), "run", *command], check=True)
