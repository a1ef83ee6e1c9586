"""What is broken right now, and how often it still has to break.

Every simulator asks this board at the moment a fault could bite; the control port writes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rig.marks import SAYINGS
from rig.shtrih_tables import BY_NAME

# Fault names and the settings each takes: (name, required?).  Anything else is refused.
PRINTER_FAULTS: Final[Mapping[str, Mapping[str, bool]]] = {
    "lose_reply": {"command": False},  # the answer frame never leaves the device
    "cut_after": {
        "bytes": True,
        "direction": True,
        "command": False,
    },  # line drops: to_device | to_host
    "noise": {"rate": False, "seed": False, "direction": False},  # bytes garbled, lost or added
    "slow": {"ms": True, "command": False},
    "paper_out": {"command": False, "when": False},  # when: before | during | after
    "busy": {"command": False},  # error 50h, printing the previous command
    "nak": {"command": False},
    "power_cut": {"command": True, "when": True},  # when: before | after the command ran
    "unplug": {},
    "refuse": {"command": True, "code": True},
    "marking": {"says": True, "match": False},  # of codes that contain `match`
    # From here on states: they last until taken off the board, whatever `times` says.
    "cover_open": {},  # flag and submode say so, printing commands answer 6B
    "fn_full": {},  # the FN signs nothing but a closing shift: 06
    "fn_expired": {},  # the same with 05
    "shift_over_24h": {},  # the open shift counts as old; its closing uses the fault up
    "swap_fn": {"fn": False},  # another FN answers with its number; its archive is not simulated
    "other_printer": {"serial": False, "fn": False},  # another device with numbers of its own
}
OFD_FAULTS: Final[Mapping[str, Mapping[str, bool]]] = {
    "refuse_connection": {},
    "hang": {"path": False},
    "latency": {"ms": True, "path": False},
    "status": {"code": True, "retry_after": False, "path": False},
    "lose_answer": {},
    "half_answer": {},
    "wrong_numbers": {},
    "unauthorized": {},
    "reject": {"match": True},
    "wait": {},  # 202, and the fiscal numbers only when asked again
}
PRINTER_CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "command": frozenset(BY_NAME),
    "direction": frozenset({"to_device", "to_host"}),
    "when": frozenset({"before", "during", "after"}),
    "says": SAYINGS,
}
ODOO_FAULTS: Final = {
    name: takes for name, takes in OFD_FAULTS.items() if name not in ("wrong_numbers", "wait")
}
HTTP_FAULTS: Final = {  # faulty.py
    name: OFD_FAULTS[name]
    for name in ("refuse_connection", "hang", "latency", "status", "lose_answer", "half_answer")
}
CATALOGUE: Final = {
    "printer": PRINTER_FAULTS,
    "ofd": OFD_FAULTS,
    "odoo": ODOO_FAULTS,
    "duty": HTTP_FAULTS,
    "collector": HTTP_FAULTS,
}
# Settings whose values are checked when the fault is added: later is in the middle of a request.
COUNTS: Final = frozenset({"ms", "bytes", "retry_after"})


@dataclass(slots=True)
class Fault:
    """One fault; `times` None bites until it is taken away."""

    id: int
    target: str
    name: str
    settings: dict[str, object]
    times: int | None
    bitten: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "target": self.target,
            "fault": self.name,
            **self.settings,
            "times": self.times,
            "bitten": self.bitten,
        }


class BadFault(ValueError):
    """A fault nobody knows, or with settings it does not take."""


class Faults:
    """The board.  Thread-safe: simulators and the control port live in different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._watchers: list[Callable[[], None]] = []
        self._next_id = 1

    def add(self, target: str, name: str, times: int | None = None, **settings: object) -> Fault:
        """Put a fault on the board; raises BadFault if it is not in the catalogue."""
        known = CATALOGUE.get(target, {}).get(name)
        if known is None:
            raise BadFault(
                f"no fault {name!r} for {target!r}; known: {sorted(CATALOGUE.get(target, {}))}"
            )
        strange = set(settings) - set(known)
        missing = {key for key, required in known.items() if required} - set(settings)
        if strange or missing:
            raise BadFault(f"{name}: unknown settings {sorted(strange)}, missing {sorted(missing)}")
        _check_values(target, times, settings)
        with self._lock:
            fault = Fault(self._next_id, target, name, dict(settings), times)
            self._next_id += 1
            self._faults.append(fault)
        self._tell()
        return fault

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each addition and clearing, in the thread that made it.

        For faults that bite without being asked for, such as a listener that has to close.
        """
        self._watchers.append(changed)

    def find(
        self,
        target: str,
        name: str,
        command: str | None = None,
        applies: Callable[[Fault], bool] = lambda fault: True,
    ) -> Fault | None:
        """The first such fault that applies to `command`, without using it up."""
        with self._lock:
            return self._find(target, name, command, applies)

    def take(
        self,
        target: str,
        name: str,
        command: str | None = None,
        applies: Callable[[Fault], bool] = lambda fault: True,
    ) -> Fault | None:
        """The same, and one of its `times` is used; gone from the board when none is left.

        `applies` looks closer, while nobody else can use the same fault up.
        """
        with self._lock:
            fault = self._find(target, name, command, applies)
            if fault is not None:
                self._use(fault)
            return fault

    def use(self, fault: Fault) -> None:
        """Count a fault as bitten whose moment came later than the look-up."""
        with self._lock:
            if fault in self._faults:
                self._use(fault)

    def clear(self, target: str | None = None, name: str | None = None) -> None:
        """Take faults away: all, those of a target, or one kind of a target."""
        with self._lock:
            self._faults = [
                fault
                for fault in self._faults
                if (target and fault.target != target) or (name and fault.name != name)
            ]
        self._tell()

    def as_json(self) -> list[dict[str, object]]:
        with self._lock:
            return [fault.as_json() for fault in self._faults]

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()

    def _find(
        self,
        target: str,
        name: str,
        command: str | None,
        applies: Callable[[Fault], bool] = lambda fault: True,
    ) -> Fault | None:
        for fault in self._faults:
            wanted = fault.settings.get("command")
            named = fault.target == target and fault.name == name
            if named and wanted in (None, command) and applies(fault):
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        fault.bitten += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)


def _check_values(target: str, times: int | None, settings: Mapping[str, object]) -> None:
    if times is not None and (type(times) is not int or times < 1):
        raise BadFault(f"times: {times!r} is not a number from 1")
    for key, value in settings.items():
        if key in COUNTS and (type(value) is not int or value < 0):
            raise BadFault(f"{key}: {value!r} is not a number from 0")
    if target == "printer":
        _check_printer_values(settings)
    if target != "printer":
        code, match = settings.get("code", 503), settings.get("match", "")
        if type(code) is not int or not 200 <= code <= 599:
            raise BadFault(f"code: {code!r} is not an HTTP status")
        if not isinstance(match, str) or not isinstance(settings.get("path", ""), str):
            raise BadFault("match and path are text")


def _check_printer_values(settings: Mapping[str, object]) -> None:
    """A fault with a name nobody asks for would never bite, and its test would pass."""
    for key, allowed in PRINTER_CHOICES.items():
        value = settings.get(key)
        if value is not None and (not isinstance(value, str) or value not in allowed):
            raise BadFault(f"{key}: {value!r} is none of {sorted(allowed)}")
    rate = settings.get("rate", 0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise BadFault(f"rate: {rate!r} is not between 0 and 1")
    if not isinstance(settings.get("match", ""), str):
        raise BadFault("match: not text")
    for key in ("fn", "serial"):
        number = settings.get(key, "0")
        if not isinstance(number, str) or not number.isdigit() or len(number) > 16:
            raise BadFault(f"{key}: {number!r} is not up to 16 digits in text")
    error_byte(settings.get("code", 1))


def error_byte(code: object) -> int:
    """A printer's error code: a number, or hexadecimal text such as "6B"."""
    try:
        value = int(code, 16) if isinstance(code, str) else code
    except ValueError:
        value = None
    if type(value) is not int or not 0 < value <= 0xFF:
        raise BadFault(f"code: {code!r} is no error byte")
    return value
