"""A real apcupsd on a simulated UPS, with the till's own scripts; only the power-off is a stub."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.support.live import ENVIRONMENT, REPOSITORY

PROGRAM: Final = "/sbin/apcupsd"
APCCONTROL: Final = Path("/etc/apcupsd/apccontrol")
WAIT_S: Final = 60.0
KKTCTL: Final = """\
#!/bin/sh
echo "$2" >>{events}
{python} -m kktd.cli.main "$@" --socket {socket}
status=$?
echo "$2 ended $status" >>{events}
exit $status
"""


class Apcupsd:
    """`device` is a serial line or, of type `net`, HOST:PORT of another one."""

    def __init__(
        self, folder: Path, device: str, till_socket: Path, type: str = "apcsmart"
    ) -> None:
        self.folder = folder
        self.scripts, self.run, stubs = folder / "scripts", folder / "run", folder / "bin"
        shutil.copytree(REPOSITORY / "apcupsd", self.scripts, symlinks=True)
        for one in (self.run, stubs):
            one.mkdir()
        self._events = folder / "events"
        self._events.touch()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.conf = self._write_conf(device, type)
        _write_script(
            stubs / "kktctl",
            KKTCTL.format(events=self._events, python=sys.executable, socket=till_socket),
        )
        for name in ("systemctl", "poweroff"):
            _write_script(stubs / name, f'#!/bin/sh\necho "{name} $*" >>{self._events}\n')
        (self.scripts / "config").write_text(
            f'WALL=cat\nSHUTDOWN={stubs / "poweroff"}\nexport APCUPSD="{PROGRAM} -f {self.conf}"\n'
        )
        apccontrol = self.scripts / "apccontrol"
        _write_script(
            apccontrol,
            re.sub(
                "^SCRIPTDIR=.*$", f"SCRIPTDIR={self.scripts}", APCCONTROL.read_text(), flags=re.M
            ),
        )
        self._environment = {
            **os.environ,
            **ENVIRONMENT,
            "PATH": f"{stubs}:{os.environ['PATH']}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def _write_conf(self, device: str, type: str) -> Path:
        """The till's own file; places of this machine, and quicker."""
        text = (REPOSITORY / "apcupsd" / "apcupsd.conf").read_text(encoding="utf-8")
        changes = {
            "UPSCABLE": "ether" if type == "net" else "smart",
            "UPSTYPE": type,
            "DEVICE": device,
            "SCRIPTDIR": self.scripts,
            "LOCKFILE": self.run,
            "PWRFAILDIR": self.run,
            "NOLOGINDIR": self.run,
            "EVENTSFILE": self.run / "events",
            "STATFILE": self.run / "status",
            "NISPORT": self.port,
            "ONBATTERYDELAY": 1,
            "POLLTIME": 1,
        }
        for name, value in changes.items():
            text, times = re.subn(rf"^{name}\b.*$", f"{name} {value}", text, flags=re.M)
            assert times == 1, name
        conf = self.folder / "apcupsd.conf"
        conf.write_text(text, encoding="utf-8")
        return conf

    def start(self) -> None:
        """Returns when it watches; the flag of a power failure is gone, as its unit does it."""
        self.flag.unlink(missing_ok=True)
        with (self.folder / "apcupsd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-b", "-f", str(self.conf)],
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        self.wait(lambda: "ONLINE" in (status := self.status()) and "TIMELEFT" in status)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    @property
    def flag(self) -> Path:
        """What has the UPS cut at the end of a shutdown."""
        return self.run / "powerfail"

    def status(self) -> str:
        """What apcaccess says; empty while nobody answers."""
        asked = subprocess.run(
            ["/sbin/apcaccess", "-h", f"127.0.0.1:{self.port}", "status"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return asked.stdout

    def call(self, event: str) -> int:
        """As apcupsd itself, or the last moment of a shutdown, calls apccontrol."""
        command = [str(self.scripts / "apccontrol"), event, "till", "1", "1"]
        return subprocess.run(command, env=self._environment, timeout=60, check=False).returncode

    def events(self) -> list[str]:
        """What the scripts were called for, how those calls ended, and what the stubs were."""
        return self._events.read_text().splitlines()

    def wait(self, what: object, seconds: float = WAIT_S) -> None:
        """Until it is so, or an event of this name came; raises TimeoutError."""
        is_so = what if callable(what) else lambda: what in self.events()
        deadline_s = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline_s:
                log = (self.run / "events").read_text() if (self.run / "events").exists() else ""
                raise TimeoutError(f"{self.events()}\n{log}")
            time.sleep(0.05)

    def close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()


def _write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
