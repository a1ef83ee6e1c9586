"""A simulated UPS that speaks the smart serial dialect of APC: status, events, kill of the power.

Source: [APCUPSD] «APC Smart Protocol».  `python -m rig.ups --pty PATH` runs it alone.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rig.control import serve_control
from rig.faults import BadFault, Faults
from rig.transport import PtyTransport

EOL: Final = "\r\n"
ON_LINE, ON_BATTERY, BATTERY_LOW, REPLACE_BATTERY = 0x08, 0x10, 0x40, 0x80
KNOB: Final = {"mains": bool, "silent": bool, "battery_bad": bool} | dict.fromkeys(
    ("charge_percent", "runtime_min", "low_below_percent"), int
)
SLEEP_DIGITS: Final = 3  # of @nnn
NO: Final = "NA"


class SimulatedUps:
    """Thread-safe.  What it does not know it answers with NA, as the real one does.

    Its output goes off when it was told so; with the mains it comes back.
    """

    def __init__(self) -> None:
        self.mains = True
        self.silent = False  # its cable is out
        self.battery_bad = False
        self.charge_percent = 100
        self.runtime_min = 40
        self.low_below_percent = 5
        self._lock = threading.Lock()
        self._out = bytearray()
        self._sleeping = ""  # of a command @nnn that is not whole yet
        self._transfer = "N"  # why it went to the battery last: N never, L line, S self-test
        self._self_test = "NO"
        self._kills: list[dict[str, object]] = []
        self._commands: list[str] = []
        self._answers: dict[str, Callable[[], str]] = {
            "Y": lambda: "SM",
            "\x01": lambda: "Smart-UPS 1000",
            "Q": lambda: f"{self.status:02X}",
            "f": lambda: f"{self.charge_percent:05.1f}",
            "j": lambda: f"{self.runtime_min:04}:",
            "L": lambda: "230.4" if self.mains else "000.0",
            "O": lambda: "230.4",
            "F": lambda: "50.00",
            "P": lambda: "012.5",
            "B": lambda: "27.60" if self.mains else "25.10",
            "C": lambda: "031.0",
            "G": lambda: self._transfer,
            "X": lambda: self._self_test,
            "W": self._test,
            "S": self._soft_shutdown,
            "R": lambda: "BYE",
            "n": lambda: "AS0000000001",
            "V": lambda: "FWI",
            "b": lambda: "650.9.I",
        }

    @property
    def status(self) -> int:
        """The byte behind Q."""
        status = ON_LINE if self.mains else ON_BATTERY
        if self.charge_percent < self.low_below_percent:
            status |= BATTERY_LOW
        return status | (REPLACE_BATTERY if self.battery_bad else 0)

    # ---- the cable --------------------------------------------------------------------------

    def receive(self, data: bytes, now_s: float) -> None:
        del now_s
        with self._lock:
            if self.silent:
                return
            for letter in data.decode("latin-1"):
                self._take(letter)

    def transmit(self, now_s: float) -> bytes:
        del now_s
        with self._lock:
            data = b"" if self.silent else bytes(self._out)
            self._out.clear()
            return data

    def next_due_s(self) -> float | None:
        return None

    def _take(self, letter: str) -> None:
        if self._sleeping or letter == "@":
            self._sleeping += letter
            if len(self._sleeping) > SLEEP_DIGITS:
                self._sleep(self._sleeping)
                self._sleeping = ""
            return
        if letter in EOL or letter == "\x1b":
            return
        self._commands.append(letter)
        answer = self._answers.get(letter)
        self._say(answer() if answer else NO)

    def _say(self, text: str) -> None:
        self._out += f"{text}{EOL}".encode("latin-1")

    # ---- what it is told --------------------------------------------------------------------

    def _test(self) -> str:
        self._self_test = "OK"
        return "OK"

    def _soft_shutdown(self) -> str:
        """S: off after a grace, on again with the mains; with the mains there it does nothing."""
        if self.mains:
            return NO
        self._kill("S")
        return "OK"

    def _sleep(self, command: str) -> None:
        """@nnn: off and, nnn tenths of an hour after the mains are there, on again."""
        self._kill(command)
        self._say("OK")

    def _kill(self, command: str) -> None:
        self._kills.append({"command": command, "mains": self.mains, "at": time.time()})

    # ---- the control port -------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        with self._lock:
            return {
                **{name: getattr(self, name) for name in KNOB},
                "status": f"{self.status:02X}",
                "kills": list(self._kills),
                "commands": "".join(self._commands[-200:]),
            }

    def turn(self, wanted: dict[str, Any]) -> None:
        """Set some of KNOB; a change of the mains or of the battery is told as it happens."""
        for name, value in wanted.items():
            if type(value) is not KNOB.get(name):
                raise BadFault(f"{name}: {value!r}; known: {sorted(KNOB)}")
        with self._lock:
            was, was_low = self.mains, self.status & BATTERY_LOW
            for name, value in wanted.items():
                setattr(self, name, value)
            low = self.status & BATTERY_LOW
            if self.mains != was:
                self._transfer = "L"
                self._out += b"$" if self.mains else b"!"
            if low != was_low:
                self._out += b"%" if low else b"+"
            if wanted.get("battery_bad"):
                self._out += b"#"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="rig.ups", description=__doc__)
    parser.add_argument("--pty", metavar="PATH", type=Path, required=True)
    parser.add_argument("--control", metavar="PORT", type=int, default=0, help="0 picks one")
    arguments = parser.parse_args(argv)
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before the first thread inherits its mask
    ups = SimulatedUps()
    pty = PtyTransport(ups, arguments.pty)
    control = serve_control(arguments.control, None, None, Faults(), ups=ups)
    found = {"ready": "ups", "ups": str(arguments.pty.absolute()), "control": control.url}
    print(json.dumps(found), flush=True)
    signal.sigwait(stops)
    control.close()
    pty.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
