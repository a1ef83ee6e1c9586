"""A simulated Shtrih-M registrar in one object: FN, memory, tables, registrar, link and faults.

Drive it with a virtual clock:

    printer = SimulatedPrinter(None, faults)
    printer.receive(b"\\x05", now_s=0.0)
    assert printer.transmit(now_s=0.0) == b"\\x15"

or serve it with rig.transport.  Methods may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rig import tlv
from rig.faults import Faults
from rig.fn import TYPES, Document
from rig.line import PROTOCOL_1, LinkOptions
from rig.link2 import AnyLink
from rig.memory import Memory
from rig.registrar import Registrar
from rig.shtrih_settings import FISCAL, REGION, Cell, Settings
from rig.till import Options, Till

MEMORY_FILE: Final = "registrar.jsonl"
FN_NUMBER: Final = "9999078902019097"  # an МГМ of the real test till in the dump
SERIAL: Final = "0380490041048485"
INN: Final = "9706048530"
TAX_SYSTEMS: Final = 0b1  # ОСН


def local_now() -> datetime:
    """The machine's local wall clock, naive: a till knows no time zones."""
    return datetime.now(UTC).astimezone().replace(tzinfo=None)


def registration_number(ordinal: str, inn: str, serial: str) -> str:
    """16 digits with the check sum of [FFD] 8."""
    crc = 0xFFFF
    for byte in (ordinal.zfill(10) + inn.zfill(12) + serial.zfill(20)).encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return f"{ordinal.zfill(10)}{crc:06d}"


class SimulatedPrinter:
    """One till.  `state_dir` None keeps it in RAM; else it outlives the process.

    Keyword options are the fields of till.Options and line.LinkOptions, and: `fn_number`,
    `serial`, `inn`, `tax_systems` (bits), `tables` (cells of tables changed at the factory),
    `fsync`.  `clock` gives naive local time.
    """

    def __init__(
        self,
        state_dir: Path | None,
        faults: Faults,
        *,
        clock: Callable[[], datetime] = local_now,
        fn_number: str = FN_NUMBER,
        serial: str = SERIAL,
        inn: str = INN,
        tax_systems: int = TAX_SYSTEMS,
        tables: Mapping[Cell, str] | None = None,
        fsync: bool = True,
        **options: Any,
    ) -> None:
        self.faults = faults
        self._lock = threading.RLock()
        self._shown: list[dict[str, object]] = []  # documents never change
        factory: dict[Cell, str] = {
            (FISCAL, 1, 1): serial,
            (FISCAL, 1, 2): inn,
            (FISCAL, 1, 3): registration_number("1", inn, serial),
            (FISCAL, 1, 4): fn_number,
            (FISCAL, 1, 5): str(tax_systems),
            (REGION, 1, 7): "0",  # the real one was told not to print
            (REGION, 1, 17): "2",  # FFD 1.05; the real one has 1.2
            (REGION, 1, 71): "2",  # and delivered to turn 20 % into 22 %: 2 keeps what was sent
        }
        line: LinkOptions = _pick(LinkOptions, options)
        options.setdefault("protocol_2", line.protocol != PROTOCOL_1)
        self._memory = Memory(None if state_dir is None else state_dir / MEMORY_FILE, fsync=fsync)
        self.till = Till(
            self._memory,
            Settings({**factory, **(tables or {})}),
            faults,
            clock,
            _pick(Options, options),
        )
        self.registrar = Registrar(self.till, faults)
        self.link = AnyLink(self.registrar, faults, line)
        if options:
            raise TypeError(f"unknown options {sorted(options)}")

    # --- the line: what transports and in-process tests use ----------------------------------

    def receive(self, data: bytes, now_s: float) -> None:
        with self._lock:
            self.link.receive(data, now_s)

    def transmit(self, now_s: float) -> bytes:
        with self._lock:
            heard = self.link.transmit(now_s)  # first: power may have come back before now
            self.till.tick(now_s)
            return heard

    def next_due_s(self) -> float | None:
        """The next second at which `transmit` may have something new."""
        with self._lock:
            moments = (self.link.next_due_s(), self.till.next_due_s())
            due = [moment for moment in moments if moment is not None]
            return min(due) if due else None

    def is_up(self, now_s: float) -> bool:
        with self._lock:
            return self.link.is_up(now_s)

    def reconnect(self, now_s: float) -> int:
        """A host connects anew; returns the number of line drops so far."""
        with self._lock:
            self.link.reconnect(now_s)
            return self.link.wire.drops

    def drops(self) -> int:
        """Grows whenever the line drops: a transport then closes its socket."""
        with self._lock:
            return self.link.wire.drops

    # --- hands of a person at the till -------------------------------------------------------

    def insert_paper(self) -> None:
        with self._lock:
            self.till.insert_paper()

    def take_paper_out(self) -> None:
        with self._lock:
            self.till.take_paper_out()

    def unplug(self) -> None:
        self.faults.add("printer", "unplug")

    def plug(self) -> None:
        self.faults.clear("printer", "unplug")

    def cut_power(self, now_s: float, back_s: float | None = None) -> None:
        """Power is gone at `now_s` and back at `back_s` (by default `boot_s` later)."""
        with self._lock:
            self.link.cut_power(now_s, back_s)

    def confirm_by_ofd(self, fd: int) -> None:
        """The OFD has sent tickets for all documents up to `fd`."""
        with self._lock:
            self.till.confirm(fd)

    def set_ofd_online(self, online: bool) -> None:
        """Whether the till delivers documents by itself."""
        with self._lock:
            self.till.ofd_online = online

    def close(self) -> None:
        self._memory.close()

    # --- what the bench asks -----------------------------------------------------------------

    def documents(self, *, with_tlv: bool = False) -> list[dict[str, object]]:
        """Every document of the FN, oldest first."""
        with self._lock:
            new = self.till.fn.documents[len(self._shown) :]
            self._shown += [_as_json(document) for document in new]
            found = [dict(document) for document in self._shown]
        if not with_tlv:
            for document in found:
                del document["tlv"]
        return found

    def fn_status(self) -> dict[str, object]:
        with self._lock:
            till, fn = self.till, self.till.fn
            return {
                "fn": fn.fn_number,
                "last_fd": fn.last_fd,
                "shift_open": fn.shift_open,
                "shift_number": fn.shift_number,
                "receipt_no": fn.receipt_no,
                "mode": till.mode,
                "submode": till.submode,
                "paper": till.state.has_paper,
                "current_document": fn.current_document,
                "phase": fn.phase,
                "unsent": len(fn.unsent()),
                "cash_kopecks": till.state.money[241],
            }

    def paper(self) -> list[str]:
        """Every line ever printed, oldest first."""
        with self._lock:
            return list(self.till.printed)


def _pick(kind: type[Any], options: dict[str, Any]) -> Any:
    """Take the fields of one options class out of the keywords."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: options.pop(name) for name in known & set(options)})


def _as_json(document: Document) -> dict[str, object]:
    extra = tlv.find(document.tags(), 1084)
    mark = tlv.find(tlv.decode_all(extra.value), 1086) if extra is not None else None
    return {
        "fd": document.fd,
        "type": TYPES[document.form],
        "sign": document.number(1054),
        "total_kopecks": document.number(1020),
        "fp": document.fp,
        "datetime": document.made_at.isoformat(timespec="minutes"),
        "mark": None if mark is None else mark.text(),
        "shift": document.shift,
        "receipt_no": document.receipt_no,
        "tlv": document.body.hex(),
    }
