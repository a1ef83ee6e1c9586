"""Root's eyes in a till under test: commands over a virtio port, answers as JSON.

The image has no shell for anybody.  What opens one is an add-on beside the boot loader, on the disk
of this one box: it lengthens the kernel's command line by a unit.  The image stays bit for bit what
is shipped.  With Secure Boot the firmware's keys decide about add-ons as they do about kernels.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from typing import Any, Final

from virtual_till import VirtualTill

PORT: Final = "kktd.look"
# It waits for the device, then for somebody at the far end; `%` and `$` are systemd's.
UNIT: Final = f"""\
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/sh -c 'until test -e /dev/virtio-ports/{PORT}; do sleep 2; done'
ExecStart=/usr/bin/python3 -c "import time;p=open('/dev/virtio-ports/{PORT}','r+b',0);\
exec(next(filter(None,(p.readline() or time.sleep(1) for _ in iter(int,1)))))"
Restart=always
RestartSec=2
"""
# Runs in the guest, sent as one line.
AGENT: Final = """
import json, subprocess
while True:
    line = p.readline()
    if not line:
        break
    asked = json.loads(line)
    done = subprocess.run(["/bin/sh", "-c", asked["run"]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = {"code": done.returncode, "output": done.stdout.decode("utf-8", "replace")}
    rest = json.dumps(said).encode() + b"\\n"
    while rest:
        rest = rest[p.write(rest):]
"""


class Failed(Exception):
    """A command in the guest ended with other than 0."""


class Look:
    """One per box; the line opens with the first command, as soon as the guest is up."""

    def __init__(self, till: VirtualTill) -> None:
        self._till = till
        self._line: socket.socket | None = None
        self._stream: Any = None

    def install(self) -> None:
        """Puts the add-on on the disk of a box that is off."""
        unit = base64.b64encode(UNIT.encode()).decode()
        words = (
            "systemd.import_credentials=yes",
            f"systemd.set_credential_binary=systemd.extra-unit.till-look.service:{unit}",
            "systemd.wants=till-look.service",
        )
        folder = self._till.folder / "loader"
        (folder / "addons").mkdir(parents=True, exist_ok=True)
        self._till.tools(
            "ukify",
            "build",
            f"--cmdline={' '.join(words)}",
            f"--output={self._till.inside / 'loader' / 'addons' / 'look.addon.efi'}",
        )
        self._till.put_on_esp(folder)

    def machine(self) -> list[str]:
        """What QEMU wants besides."""
        return [
            *("-device", "virtio-serial-pci"),
            *(
                "-chardev",
                f"socket,id=look,path={self._till.inside / 'look.sock'},server=on,wait=off",
            ),
            *("-device", f"virtserialport,chardev=look,name={PORT}"),
        ]

    def ask(self, command: str, within_s: float = 120.0) -> tuple[int, str]:
        """Exit status and output of a shell command; raises OSError, TimeoutError among them."""
        until_s = time.monotonic() + within_s
        stream = self._connect(until_s)
        assert self._line is not None
        self._line.settimeout(max(until_s - time.monotonic(), 1.0))
        try:
            stream.write(json.dumps({"run": command}).encode() + b"\n")
            stream.flush()
            answer = json.loads(stream.readline())
        except (OSError, ValueError):
            self.close()
            raise
        return int(answer["code"]), str(answer["output"])

    def run(self, command: str, within_s: float = 120.0) -> str:
        """Output of a command that has to succeed; raises Failed with it."""
        code, output = self.ask(command, within_s)
        if code:
            raise Failed(f"{command}: {code}\n{output}")
        return output

    def close(self) -> None:
        """The box restarts: the next command speaks to a new guest."""
        if self._line is not None:
            self._line.close()
        self._line = self._stream = None

    def _connect(self, until_s: float) -> Any:
        if self._stream is None:
            line = socket.socket(socket.AF_UNIX)
            line.connect(str(self._till.folder / "look.sock"))
            self._line, self._stream = line, line.makefile("rwb")
            self._stream.write(f"exec(bytes.fromhex('{AGENT.encode().hex()}'))\n".encode())
            self._stream.flush()
        return self._stream
