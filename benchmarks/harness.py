"""What a row is, how rows are found, and the one table they are printed in."""

from __future__ import annotations

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, TypeAlias

import benchmarks.rows

# On the disk that holds the checkout: a memory file system would flush for nothing.
SCRATCH: Final = Path(__file__).resolve().parents[1] / ".state" / "benchmarks"

LONG: Final = "KKTD_BENCHMARKS_LONG"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.  `ratio` is measured to limit; it is aimed at `at_most`, or `at_least`."""

    what: str
    measured: str
    limit: str
    ratio: float
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        return (self.at_most is None or self.ratio <= self.at_most) and (
            self.at_least is None or self.ratio >= self.at_least
        )

    @property
    def aim(self) -> str:
        parts = [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        parts += [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        return " and ".join(parts) or "none"


Measurement: TypeAlias = Callable[[Path], Row]  # takes an empty folder on a real disk


def is_long() -> bool:
    """Whether --long was given: rows that scale a short run up make the whole one."""
    return os.environ.get(LONG) == "1"


def find_rows(only: str | None) -> dict[str, Measurement]:
    """Every function in `ROWS` of every module of benchmarks.rows; `only` is a part of its name."""
    found: dict[str, Measurement] = {}
    for entry in sorted(pkgutil.iter_modules(benchmarks.rows.__path__), key=lambda one: one.name):
        module = importlib.import_module(f"benchmarks.rows.{entry.name}")
        for row in module.ROWS:
            found[f"{entry.name}.{row.__name__}"] = row
    return {name: row for name, row in found.items() if only is None or only in name}


def run(row: Measurement) -> Row:
    """One row in a folder of its own, which is removed."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        return row(Path(folder))


def timed_s(action: Callable[[], object]) -> float:
    before = perf_counter()
    action()
    return perf_counter() - before


def interleaved_s(
    rounds: int, first: Callable[[], object], second: Callable[[], object]
) -> tuple[float, float]:
    """Medians of two actions measured in turn, so that a busy machine hurts both alike."""
    times = [(timed_s(first), timed_s(second)) for _ in range(rounds)]
    return median(one for one, _ in times), median(one for _, one in times)


def as_table(rows: Iterable[Row]) -> str:
    """Markdown."""
    lines = [
        "| what | measured | limit | ratio | aim | ok |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.measured} | {row.limit} | {row.ratio:.2f} | {row.aim} "
        f"| {'yes' if row.ok else 'NO'} |"
        for row in rows
    ]
    return "\n".join([*lines, *(f"\n{row.what}: {row.note}" for row in rows if row.note)])


def as_json(name: str, row: Row) -> dict[str, object]:
    return {"name": name, **asdict(row), "ok": row.ok}
