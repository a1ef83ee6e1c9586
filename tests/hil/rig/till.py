"""The registrar's insides that commands work on: FN, memory, tables, clock, paper.

Sources: [SHTRIH] 5 (modes, submodes), 9 (what survives a power cut), 14 (open questions = Options).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rig.faults import Faults
from rig.fn import EXPIRED, FULL, Document, FiscalStorage
from rig.marks import Marks
from rig.memory import Memory
from rig.shtrih_settings import FISCAL, REGION, Settings
from rig.till_state import PrintJob, TillState

TORN: Final = "ДОКУМЕНТ НЕДЕЙСТВИТЕЛЕН!"
AILMENTS: Final = {"fn_expired": EXPIRED, "fn_full": FULL}
OTHER_FN, OTHER_SERIAL = "9999078900000017", "0380490099999999"
# What a fault puts in the place of a field of table 18: its setting and the value without it.
STRANGERS: Final[Mapping[str, Mapping[int, tuple[str, str]]]] = {
    "swap_fn": {4: ("fn", OTHER_FN)},
    "other_printer": {
        1: ("serial", OTHER_SERIAL),
        3: ("", "0000000002046171"),
        4: ("fn", OTHER_FN),
    },
}
DO_NOT_PRINT_FIELD: Final = 7  # table 17: 0 print, 1 skip once, 2 skip always


class Refused(Exception):
    """An error byte for the host; the command changed nothing."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code:02X}h")
        self.code = code


@dataclass(frozen=True, slots=True)
class Options:
    """Switches where the sources disagree or stay silent ([SHTRIH] 14); first choice = default."""

    vat_bytes: str = "nano"  # the family of the model it shows; or "standard": [SHTRIH] 7.5
    open_receipt_opens_shift: bool = True  # 8Dh in mode 4; else 73
    operation_opens_receipt: bool = False  # FF46 in mode 2; else 73
    current_document_in_receipt: bool = False  # FF01 shows 04 while mode is 8
    wrong_mode: int = 0x73
    wrong_length: int = 0x7E
    cash_out_short: int = 0x46
    refund_needs_cash: bool = False  # a cash refund above the till's cash answers 46
    receipt_survives_power_cut: bool = True  # mode 8 is kept over a power cut
    short_status_17: bool = False  # last print result appended to 10h (model bit 34)
    ofd_wait_days: int = 30  # FN refuses with 15h beyond this
    ofd_online: bool = False  # the till delivers by itself and gets a ticket at once
    reading_is_mode_1: bool = False  # FF3A..FF3B shows mode 1 until the end (desktop models)
    protocol_2: bool = True  # F7h says so (model bit 28); follows LinkOptions.protocol
    print_ms: int = 0  # submode 5 after a document


class Till:
    """State and the few verbs every handler needs; handlers stand in shtrih_*.py."""

    def __init__(
        self,
        memory: Memory,
        settings: Settings,
        faults: Faults,
        clock: Callable[[], datetime],
        options: Options,
    ) -> None:
        self.memory = memory
        self.settings = settings
        self.faults = faults
        self.options = options
        self.state = TillState()
        self.fn = FiscalStorage(
            fn_number=settings.text(FISCAL, 1, 4),
            secret=b"rig:" + settings.text(FISCAL, 1, 1).encode(),
            ofd_wait_days=options.ofd_wait_days,
        )
        self.fn.ailment = self._ailment
        self.fn.aged = lambda: faults.find("printer", "shift_over_24h") is not None
        self.marks = Marks()
        self.printed: list[str] = []
        self.ofd_online = options.ofd_online
        self.reading: list[bytes] | None = None  # parts FF3Bh still has to hand out, RAM only
        self.now_s = 0.0
        self._job_due_s = 0.0
        self._clock = clock
        self._saved: dict[str, Any] = {}
        self._saved_cells: list[list[Any]] = []
        self._saved_fd = 0
        self._roll_fault: int | None = None  # id of the endless fault that ate the paper
        self._replay()

    # --- clock and modes -------------------------------------------------------------------

    def now(self) -> datetime:
        """The device's own local clock."""
        return self._clock() + timedelta(seconds=self.state.clock_offset_s)

    def wall(self) -> datetime:
        return self._clock()

    @property
    def mode(self) -> int:
        """Low nibble of the mode byte."""
        if self.state.receipt is not None:
            return 8
        if self.reading is not None and self.options.reading_is_mode_1:
            return 1
        if self.state.asked_date is not None:
            return 6
        if not self.fn.shift_open:
            return 4
        return 3 if self.fn.shift_is_old(self.now()) else 2

    @property
    def cover_open(self) -> bool:
        return self.faults.find("printer", "cover_open") is not None

    def identity(self, field: int) -> str:
        """A field of table 18 that tells this till and its FN from others; faults change it."""
        for name, strange in STRANGERS.items():
            fault = self.faults.find("printer", name)
            if fault is not None and field in strange:
                key, number = strange[field]
                return str(fault.settings.get(key, number))
        return self.settings.text(FISCAL, 1, field)

    def _ailment(self) -> int:
        for name, code in AILMENTS.items():
            if self.faults.find("printer", name) is not None:
                return code
        return 0

    @property
    def mode_byte(self) -> int:
        receipt = self.state.receipt
        return 8 | receipt.kind << 4 if receipt is not None else self.mode

    @property
    def submode(self) -> int:
        job = self.state.job
        if not self.state.has_paper or self.cover_open:
            return 1 if job is None else 2
        if job is None:
            return 0
        return 3 if job.waiting else 5

    # --- memory ----------------------------------------------------------------------------

    def commit(self) -> None:
        """Make document, registers and tables durable in one line; nothing when nothing moved."""
        record: dict[str, Any] = {}
        state = self.state.as_record()
        if state != self._saved:
            record["till"] = _changes(self._saved, state)
        new = self.fn.documents[self._saved_fd :]
        if new:
            record["documents"] = [document.as_record() for document in new]
        cells = [[*cell, value] for cell, value in self.settings.changed.items()]
        if cells != self._saved_cells:
            record["cells"] = cells
        if record:
            # Only documents and settings must be on the platter; a receipt under construction
            # stands in the same file before them.
            changes = record.get("till", {})
            durable = bool({"documents", "cells"} & record.keys() or "through" in changes)
            self.memory.append(record, durable=durable)
        self._mark_saved(state, cells)

    def roll_back(self) -> None:
        """Undo what a refused command had begun to change."""
        self.state = TillState.from_record(self._saved)
        self.settings.changed = {(t, r, f): value for t, r, f, value in self._saved_cells}

    def _mark_saved(self, state: dict[str, Any], cells: list[list[Any]]) -> None:
        self._saved = state
        self._saved_cells = cells
        self._saved_fd = self.fn.last_fd

    def _replay(self) -> None:
        state = self.state.as_record()
        for record in self.memory.records():
            for document in record.get("documents", ()):
                self.fn.remember(Document.from_record(document))
            state.update(record.get("till", {}))
            if "cells" in record:
                self.settings.changed = {(t, r, f): value for t, r, f, value in record["cells"]}
            if "confirmed_fd" in record:
                self.fn.confirmed_fd = record["confirmed_fd"]
            self.printed.extend(record.get("paper", ()))
        self.state = TillState.from_record(state)
        cells = [[*cell, value] for cell, value in self.settings.changed.items()]
        self._mark_saved(self.state.as_record(), cells)

    def confirm(self, fd: int) -> None:
        """The OFD has tickets for all documents up to `fd`."""
        self.fn.confirmed_fd = max(self.fn.confirmed_fd, min(fd, self.fn.last_fd))
        self.memory.append({"confirmed_fd": self.fn.confirmed_fd})

    # --- power -----------------------------------------------------------------------------

    def power_off(self) -> None:
        """Printing stops where it is."""
        self._job_due_s = float("inf")

    def power_on(self) -> None:
        """RAM is gone; interrupted printing starts again by itself."""
        self.fn.cancel()
        self.marks.clear()
        self.reading = None
        job = self.state.job
        if not self.options.receipt_survives_power_cut:
            self.state.receipt = None
        if job is not None and not job.waiting and self.state.has_paper:
            self._tear(job)
            self._start(job)
        self.commit()

    # --- paper -----------------------------------------------------------------------------

    def print_document(self, lines: list[str]) -> None:
        """Queue a document; call `start_printing` once the change is durable."""
        skip = self.settings.number(REGION, 1, DO_NOT_PRINT_FIELD)
        if skip == 1:
            self.settings.set(REGION, 1, DO_NOT_PRINT_FIELD, "0")
        if skip == 0:
            self.state.job = PrintJob(lines)

    def print_lines(self, lines: list[str]) -> None:
        """Loose strings, on paper at once."""
        self._put(lines)

    def start_printing(self, command: str) -> None:
        """Run the queued job; here paper can run out `during` or `after` it."""
        job = self.state.job
        if job is None or job.waiting:
            return
        if self._paper_fault("during", command):
            self._tear(job)
            self.state.has_paper = False
            self.commit()
            return
        runs_out = self._paper_fault("after", command)
        self._start(job)
        if runs_out:
            self.finish_printing()
            self.state.has_paper = False
            self.commit()

    def continue_printing(self) -> None:
        """B0h: the interrupted document again from its start."""
        job = self.state.job
        if self.submode != 3 or job is None:
            raise Refused(0x72)
        job.waiting = False

    def insert_paper(self) -> None:
        """A new roll; ends every paper fault on the board."""
        self.faults.clear("printer", "paper_out")
        self._roll_fault = None
        self._paper_is_back()

    def take_paper_out(self) -> None:
        """Somebody opens the cover and takes the roll."""
        self.state.has_paper = False
        if self.state.job is not None and not self.state.job.waiting:
            self._tear(self.state.job)
        self.commit()

    def tick(self, now_s: float) -> None:
        """Let time pass: printing ends, a paper fault taken off the board too, the OFD answers."""
        self.now_s = max(self.now_s, now_s)
        if self.ofd_online and self.fn.unsent():
            self.confirm(self.fn.last_fd)
        job = self.state.job
        if job is not None and self.submode == 5 and self.now_s >= self._job_due_s:
            self.finish_printing()
        if self._roll_fault is not None:
            on_board = {fault["id"] for fault in self.faults.as_json()}
            if self._roll_fault not in on_board:
                self._roll_fault = None
                self._paper_is_back()

    def next_due_s(self) -> float | None:
        """When printing ends; None without power too."""
        due_s = self._job_due_s
        return due_s if self.submode == 5 and due_s != float("inf") else None

    def lose_paper_before(self, command: str) -> None:
        """A fault `before`: the roll is found empty when `command` comes."""
        if self.state.has_paper and self._paper_fault("before", command):
            self.take_paper_out()

    def finish_printing(self) -> None:
        job = self.state.job
        if job is not None:
            self.state.job = None
            self._put(job.lines)

    def _start(self, job: PrintJob) -> None:
        self._job_due_s = self.now_s + self.options.print_ms / 1000
        if self.options.print_ms == 0:
            self.finish_printing()

    def _tear(self, job: PrintJob) -> None:
        self._put([*job.lines[: len(job.lines) // 2], TORN])

    def _put(self, lines: list[str]) -> None:
        """On paper, and remembered with the end of the job in one line, not forced to disk."""
        self.printed.extend(lines)
        state = self.state.as_record()
        changes = _changes(self._saved, state)
        self.memory.append({"paper": lines, "till": changes}, durable=False)
        self._saved = state

    def _paper_is_back(self) -> None:
        if self.state.has_paper:
            return
        self.state.has_paper = True
        if self.state.job is not None:
            self.state.job.waiting = True
        self.commit()

    def _paper_fault(self, when: str, command: str) -> bool:
        fault = self.faults.take(
            "printer",
            "paper_out",
            command,
            lambda fault: fault.settings.get("when", "before") == when,
        )
        if fault is None:
            return False
        if fault.times is None:
            self._roll_fault = fault.id
        return True


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in new.items() if value != old.get(key, _changes)}
